package statuses

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/forge"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/outbox"
	"github.com/runner-ci/runner/scheduler"
)

const (
	// reportsWait bounds how long the end of a build is kept back until its reports are read, which its line tells of.
	reportsWait = time.Minute
	// reportsPause lies between two looks at that.
	reportsPause = 500 * time.Millisecond
	// maxJobs is how many jobs of a build have a status of their own.
	maxJobs = 100
)

// Rows are what is needed of the scheduler.
type Rows interface {
	StatusDue(outbox.Item) (*scheduler.StatusDue, error)
	StatusTold(due *scheduler.StatusDue, name, what string) error
	CommentDue(outbox.Item) (*scheduler.CommentDue, error)
	CommentWritten(due *scheduler.CommentDue, id string) error
	MayHoldSecrets(ctx context.Context, build string) bool
	Project(name string) (scheduler.Project, error)
	Instance() string
}

// Teller sends statuses and comments.
type Teller struct {
	rows Rows
	show func(id string) (client.Build, error)
	url  func() string
	find finder
}

// New makes a Teller. It shows builds as the API does; url is where people reach the daemon; the HTTP client lends its
// transport.
func New(rows Rows, show func(id string) (client.Build, error), url func() string, c *http.Client) *Teller {
	return &Teller{rows: rows, show: show, url: url, find: finder{client: c, found: make(map[string]found)}}
}

// Use has the outbox send what a Teller can.
func (t *Teller) Use(b *outbox.Box) {
	b.Use(scheduler.ItemStatus, t.Status)
	b.Use(scheduler.ItemComment, t.Comment)
}

// Status sends the statuses of one commit that the forge was not told yet.
func (t *Teller) Status(ctx context.Context, it outbox.Item) error {
	due, err := t.rows.StatusDue(it)
	if errors.Is(err, scheduler.ErrNotFound) {
		return nil // retention was faster
	}
	if err != nil {
		return err
	}
	p, err := t.project(due.Project)
	if p == nil || err != nil || !p.Status.Wanted() {
		return err
	}
	all, err := t.statuses(due, p)
	if err != nil {
		return err
	}
	at, err := t.find.of(ctx, p, due.Trigger.Delivery)
	if at == nil || err != nil {
		return err
	}
	if at.api.Forge == forge.NameBitbucket && due.Trigger.Fork {
		return nil // it keeps a fork's commits in the fork
	}
	for _, s := range all {
		mark := fingerprint(s)
		if due.Told[s.Context] == mark {
			continue
		}
		err := at.api.SetStatus(ctx, at.repository, s)
		if errors.Is(err, forge.ErrNoStatuses) {
			return nil
		}
		if err != nil {
			needs, _ := forge.Scopes(at.api.Forge)
			return judged(err, p.Name, needs)
		}
		failpoint.Pass("6/status-set")
		if err := t.rows.StatusTold(due, s.Context, mark); err != nil {
			return err
		}
	}
	return nil
}

// project returns a project's settings, nil where it was removed.
func (t *Teller) project(name string) (*config.Project, error) {
	p, err := t.rows.Project(name)
	if errors.Is(err, scheduler.ErrNotFound) {
		return nil, nil
	}
	return &p.Project, err
}

// statuses are all that the forge is to be told of a commit.
func (t *Teller) statuses(due *scheduler.StatusDue, p *config.Project) ([]forge.Status, error) {
	base := forge.Status{Commit: due.Commit, Context: due.Context}
	if due.Build == nil {
		if due.Word == nil {
			return nil, nil
		}
		base.State, base.Description, base.Ref = forge.StatePending, due.Word.Text, refOf(due.Trigger.Ref, &due.Trigger)
		if due.Word.Passed {
			base.State = forge.StateSuccess
		}
		base.URL = t.address("/api/v1/triggers/" + due.Word.Trigger)
		return []forge.Status{base}, nil
	}
	b, err := Settled(t.show, due.Build.ID())
	if err != nil {
		return nil, err
	}
	base.URL, base.Ref = t.page(due.Build), refOf(b.Ref, &due.Trigger)
	all := []forge.Status{base}
	all[0].State, all[0].Description = ofBuild(&b)
	if p.Status.Per != config.StatusPerJob {
		return all, nil
	}
	for i := range b.Jobs[:min(len(b.Jobs), maxJobs)] {
		s := base
		s.Context += "/" + line(b.Jobs[i].ID)
		s.URL += "#" + url.PathEscape(b.Jobs[i].ID)
		s.State, s.Description = ofJob(&b.Jobs[i])
		all = append(all, s)
	}
	return all, nil
}

// page is where people read of a build.
func (t *Teller) page(b *scheduler.Build) string {
	return t.address(fmt.Sprintf("/projects/%s/builds/%d", url.PathEscape(b.Project), b.Number))
}

func (t *Teller) address(path string) string { return strings.TrimRight(t.url(), "/") + path }

// fingerprint tells statuses of the same name apart.
func fingerprint(s forge.Status) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(s.State), s.Description, s.URL, s.Ref}, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// judged says what to do about a forge's refusal, or how long to wait.
func judged(err error, project, needs string) error {
	var answered *forge.APIError
	if !errors.As(err, &answered) {
		return err
	}
	if !answered.Permanent() {
		return &outbox.Later{After: answered.RetryAfter, Err: err}
	}
	switch answered.Status {
	case http.StatusUnauthorized:
		return outbox.Refuse("project %s: %v; its token is not valid there any more: put a new one where token refers to", project, err)
	case http.StatusForbidden, http.StatusNotFound:
		return outbox.Refuse("project %s: %v; its token must be of an account that sees the repository, and allow %s", project, err, needs)
	}
	return outbox.Refuse("project %s: %v; the forge takes no such thing of this commit or pull request", project, err)
}
