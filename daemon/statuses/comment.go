package statuses

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/forge"
	"github.com/runner-ci/runner/outbox"
	"github.com/runner-ci/runner/scheduler"
)

// Comment writes the comment on a pull request, or changes the one that is there.
func (t *Teller) Comment(ctx context.Context, it outbox.Item) error {
	due, err := t.rows.CommentDue(it)
	if errors.Is(err, scheduler.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := t.project(due.Project)
	if p == nil || err != nil || !p.Comments() {
		return err
	}
	b, err := Settled(t.show, due.Build.ID())
	if err != nil {
		return err
	}
	state, _ := ofBuild(&b)
	if state == forge.StateCanceled {
		return nil // whoever stopped it knows, and what is said of the build before still helps
	}
	at, err := t.find.of(ctx, p, due.Trigger.Delivery)
	if at == nil || err != nil {
		return err
	}
	mark := t.mark(due)
	id, err := t.ours(ctx, at, due, mark)
	if err == nil && (id != "" || state != forge.StateSuccess || p.Comment == config.CommentAlways) {
		err = t.write(ctx, at, due, id, t.text(ctx, at.api.Forge, &b, due, p, mark))
	}
	if err != nil {
		_, needs := forge.Scopes(at.api.Forge)
		return judged(err, p.Name, needs)
	}
	return nil
}

// ours is the id of our comment on a pull request, "" where there is none: the one that is remembered, or the one that has
// our mark, which a daemon wrote that died before it could remember.
func (t *Teller) ours(ctx context.Context, at *place, due *scheduler.CommentDue, mark string) (string, error) {
	if due.ID != "" {
		return due.ID, nil
	}
	return at.api.FindComment(ctx, at.repository, due.Number, mark)
}

// write changes a comment, or adds one where there is none any more.
func (t *Teller) write(ctx context.Context, at *place, due *scheduler.CommentDue, id, text string) error {
	if id != "" {
		err := at.api.EditComment(ctx, at.repository, due.Number, id, text)
		if !errors.Is(err, forge.ErrNoComment) {
			return errors.Join(err, t.remember(due, id, err))
		}
	}
	id, err := at.api.AddComment(ctx, at.repository, due.Number, text)
	if err != nil {
		return err
	}
	return t.remember(due, id, nil)
}

func (t *Teller) remember(due *scheduler.CommentDue, id string, failed error) error {
	if failed != nil || id == due.ID {
		return nil
	}
	return t.rows.CommentWritten(due, id)
}

// mark is how our comment on a pull request is found again. Nobody can guess it who has not read that comment, and then ours
// is the oldest that has it.
func (t *Teller) mark(due *scheduler.CommentDue) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "comment\x00%s\x00%s\x00%d", t.rows.Instance(), due.Project, due.Number))
	return "runner comment " + hex.EncodeToString(sum[:12])
}

// text is the whole comment. Its mark is hidden: Bitbucket shows comments of HTML, and hides links that nobody refers to.
func (t *Teller) text(ctx context.Context, forgeName string, b *client.Build, due *scheduler.CommentDue, p *config.Project, mark string) string {
	packet := packet{
		b: b, check: p.Status.ContextOf(p.Name, due.Build.Tells), url: t.page(&due.Build), messages: !t.rows.MayHoldSecrets(ctx, b.ID),
	}
	hidden := "<!-- " + mark + " -->"
	if forgeName == forge.NameBitbucket || forgeName == forge.NameBitbucketServer {
		hidden = "[//]: # (" + mark + ")"
	}
	return packet.text() + "\n" + hidden + "\n"
}
