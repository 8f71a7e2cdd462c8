// Package notices has people and programs told how builds ended: it turns what the outbox holds into messages, from the same records
// that the API shows, and hands them to package notify.
package notices

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/daemon/statuses"
	"github.com/runner-ci/runner/notify"
	"github.com/runner-ci/runner/notify/message"
	"github.com/runner-ci/runner/outbox"
	"github.com/runner-ci/runner/scheduler"
)

// Rows is what is asked of the scheduler.
type Rows interface {
	Notification(project string, note scheduler.Notice) (config.Notification, error)
	Trigger(id string) (scheduler.Trigger, error)
	Instance() string
}

// Teller sends notifications.
type Teller struct {
	Rows   Rows
	Show   func(id string) (client.Build, error) // builds as the API shows them
	Config func() *config.Config                 // as it is now
	Secret func(config.Secret) ([]byte, error)
	Sender *notify.Sender
}

// Use has the outbox send what a Teller can.
func (t *Teller) Use(b *outbox.Box) { b.Use(scheduler.KindNotice, t.Send) }

// Send sends one notification, as it is set now. One whose build or setting is gone is sent no more.
func (t *Teller) Send(ctx context.Context, it outbox.Item) error {
	var note scheduler.Notice
	if err := json.Unmarshal(it.Body, &note); err != nil {
		return outbox.Refuse("the outbox holds a notification that cannot be read: %v", err)
	}
	n, err := t.Rows.Notification(it.Project, note)
	if errors.Is(err, scheduler.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	b, err := statuses.Settled(t.Show, it.Build)
	if errors.Is(err, scheduler.ErrNotFound) {
		return nil // retention was faster
	}
	if err != nil {
		return err
	}
	trigger, err := t.Rows.Trigger(b.Trigger)
	if err != nil && !errors.Is(err, scheduler.ErrNotFound) {
		return err
	}
	m := t.message(&n, note, &b, &trigger)
	switch {
	case n.Slack.URL != "":
		address, err := t.secret(n.Name, "slack.url", n.Slack.URL)
		if err != nil {
			return err
		}
		return templated(n.Name, t.Sender.Slack(ctx, string(address), n.Template, m))
	case len(n.Email.To) > 0:
		return t.email(ctx, &n, m)
	}
	secret, err := t.secret(n.Name, "webhook.secret", n.Webhook.Secret)
	if err != nil {
		return err
	}
	return t.Sender.Webhook(ctx, n.Webhook.URL, secret, m)
}

func (t *Teller) email(ctx context.Context, n *config.Notification, m message.Message) error {
	s := t.Config().SMTP
	if s.Host == "" {
		return outbox.Refuse("notification %s: it is an email, and no server takes it; write smtp.host and smtp.from in runner.yml", n.Name)
	}
	password, err := t.secret(n.Name, "smtp.password", s.Password)
	if err != nil {
		return err
	}
	server := notify.Mail{Host: s.Host, Port: s.Port, Username: s.Username, Password: string(password), From: s.From, TLS: s.TLS}
	return templated(n.Name, t.Sender.Email(ctx, server, n.Email.To, n.Subject, n.Template, m))
}

// secret reads a secret. A file that is missing may come back, so that it is tried again.
func (t *Teller) secret(name, setting string, ref config.Secret) ([]byte, error) {
	value, err := t.Secret(ref)
	if err != nil {
		return nil, fmt.Errorf("notification %s: reading %s: %w", name, setting, err)
	}
	return value, nil
}

// templated makes a template's fault final: it was tried before it was taken, and fails with what this build has.
func templated(name string, err error) error {
	if errors.Is(err, message.ErrTemplate) {
		return outbox.Refuse("notification %s: %v; correct its template", name, err)
	}
	return err
}

// maxFailed bounds the jobs that a message names.
const maxFailed = 10

func (t *Teller) message(n *config.Notification, note scheduler.Notice, b *client.Build, trigger *scheduler.Trigger) message.Message {
	base := strings.TrimRight(t.Config().URL, "/")
	m := message.Message{
		ID: fmt.Sprintf("%s.%s.%d.%s", t.Rows.Instance(), b.Project, b.Number, n.Name), Event: note.Event, Name: n.Name, Daemon: base,
		Project: b.Project, Build: b.ID, Number: b.Number, Status: b.Status, Reason: b.Reason, Text: b.Message,
		URL:     fmt.Sprintf("%s/projects/%s/builds/%d", base, url.PathEscape(b.Project), b.Number),
		Created: b.Created, Ended: b.Ended, Seconds: b.Ended.Sub(b.Created).Seconds(),
		Trigger: string(trigger.Kind), Ref: b.Ref, PullRequest: trigger.PullRequest,
		Commit: b.Commit, Title: b.Title, Author: b.Author,
		Was: string(note.Was), WasBuild: note.WasBuild, Summary: statuses.Summary(b),
	}
	if branch, ok := strings.CutPrefix(b.Ref, "refs/heads/"); ok {
		m.Branch = branch
	}
	if tag, ok := strings.CutPrefix(b.Ref, "refs/tags/"); ok {
		m.Tag = tag
	}
	if note.Event == scheduler.NoticeFailure {
		m.Failed = failed(b)
	}
	return m
}

// failed are the jobs that are to blame: not those that were not started because of these.
func failed(b *client.Build) (out []message.Job) {
	for i := range b.Jobs {
		j := &b.Jobs[i]
		if j.Status == string(scheduler.Succeeded) || j.Status == string(scheduler.Stopped) || j.Ignored || j.Reason == "dependency_failed" || len(out) == maxFailed {
			continue
		}
		out = append(out, message.Job{Name: j.Name, Status: j.Status, Reason: j.Reason, Message: j.Message, Command: j.Command, Exit: j.Exit})
	}
	return out
}
