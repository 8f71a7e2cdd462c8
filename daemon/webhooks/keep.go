package webhooks

import (
	"context"
	"errors"
	"time"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

const (
	// keepEvery is how often it is looked whether a project wants a webhook that it has not.
	keepEvery = 10 * time.Second
	// againAfter is how long a webhook that could not be registered is left alone.
	againAfter = 5 * time.Minute
	// rightFor is how long a registered webhook is taken to be as it was left.
	rightFor = 24 * time.Hour
	// orphanedFor is how long it is tried to remove the webhook of a project that is gone.
	orphanedFor = 7 * 24 * time.Hour
	// keepTimeout bounds what is done about one webhook.
	keepTimeout = time.Minute
)

// Run registers the webhooks that settings ask for, keeps them right, and removes those of projects that are gone, until ctx
// ends. No start waits for it.
func (k *Keeper) Run(ctx context.Context, t *activity.Task) {
	for {
		t.Waits(k.pass(ctx, t, time.Now()))
		select {
		case <-ctx.Done():
			return
		case <-time.After(keepEvery):
		}
	}
}

// pass does what is due.
func (k *Keeper) pass(ctx context.Context, t *activity.Task, now time.Time) error {
	all, err := k.Rows.Webhooks()
	if err != nil {
		return err
	}
	rows := make(map[string]*scheduler.Webhook)
	for i := range all {
		rows[all[i].Project] = &all[i]
	}
	wanted := make(map[string]bool)
	var due []string
	err = k.Rows.EachProject(func(p *config.Project) {
		if p.Webhook != config.WebhookAuto {
			return
		}
		wanted[p.Name] = true
		if isDue(rows[p.Name], madeOf(p, k.URL()), now) {
			due = append(due, p.Name)
		}
	})
	for _, name := range due {
		t.Does("registering the webhook of " + name)
		err = errors.Join(err, k.keep(ctx, name, now))
	}
	for name, row := range rows {
		if !wanted[name] && (now.Sub(row.At) > againAfter || row.State != orphaned) {
			t.Does("removing the webhook of " + name)
			err = errors.Join(err, k.drop(ctx, name, now))
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// isDue tells whether a webhook is to be looked after.
func isDue(row *scheduler.Webhook, made string, now time.Time) bool {
	switch {
	case row == nil || row.Made != made:
		return true
	case row.State == Failed:
		return now.Sub(row.At) > againAfter
	case row.State == Registered:
		return now.Sub(row.At) > rightFor
	}
	return false
}

// keep registers a webhook, unless it is there and right.
func (k *Keeper) keep(ctx context.Context, name string, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	done, err := k.alone(ctx, name)
	if err != nil {
		return err
	}
	defer done()
	p, err := k.Rows.Project(name)
	if errors.Is(err, scheduler.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	row, err := k.Rows.Webhook(name)
	if err != nil && !errors.Is(err, scheduler.ErrNotFound) {
		return err
	}
	made := madeOf(&p.Project, k.URL())
	if row != nil && !isDue(row, made, now) {
		return nil // somebody else was faster
	}
	c := &connection{Keeper: k, project: &p.Project}
	if row != nil && row.State == Registered && row.Made == made && c.locate(ctx) == nil {
		if right, err := c.api.RightWebhook(ctx, c.at.repository, c.out.Target); err == nil && right {
			row.At = time.Now()
			return k.Rows.PutWebhook(*row)
		}
	}
	c.out.Steps = nil
	if err := c.register(ctx); err != nil {
		return err
	}
	if row == nil || row.State != c.out.State || row.Problem != c.out.Problem {
		k.say(name, &c.out)
	}
	return nil
}

func (k *Keeper) say(name string, w *client.Webhook) {
	if w.State == Registered {
		k.Logger.Info("webhook registered", "project", name, "forge", w.Forge, "target", w.Target)
		return
	}
	k.Logger.Warn("the webhook of a project is not registered", "project", name, "state", w.State, "problem", w.Problem, "hint", w.Hint)
}

// orphaned is the state of a webhook whose project is gone, and which could not be removed yet.
const orphaned = "orphaned"

// drop removes the webhook of a project that is gone, or does not want it any more.
func (k *Keeper) drop(ctx context.Context, name string, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, keepTimeout)
	defer cancel()
	done, err := k.alone(ctx, name)
	if err != nil {
		return err
	}
	defer done()
	row, err := k.Rows.Webhook(name)
	if errors.Is(err, scheduler.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if p, err := k.Rows.Project(name); err == nil && p.Webhook == config.WebhookAuto {
		return nil // it is wanted again
	}
	began := row.At
	if err := k.removeAt(ctx, row); err != nil {
		if row.State != orphaned {
			k.Logger.Warn("the webhook of a project that is gone could not be removed; it is tried again", "project", name, "target", row.Target, "error", err)
			row.State, row.Made = orphaned, now.Format(time.RFC3339)
		}
		if since, err := time.Parse(time.RFC3339, row.Made); err == nil && now.Sub(since) < orphanedFor {
			row.At = now
			return k.Rows.PutWebhook(*row)
		}
		k.Logger.Warn("the webhook of a project that is gone stays at its forge; remove it there", "project", name, "target", row.Target, "since", began)
	}
	return k.forget(ctx, name)
}

// removeAt removes a webhook at its forge, if it is the daemon's and known to be there.
func (k *Keeper) removeAt(ctx context.Context, row *scheduler.Webhook) error {
	if row.Token == "" || row.Repository == "" || row.State != Registered && row.State != orphaned && row.State != Failed {
		return nil
	}
	at := place{forge: row.Forge, api: row.API, repository: row.Repository}
	api, err := k.dial(at, row.Username, row.Token)
	if err != nil {
		return err
	}
	_, err = api.RemoveWebhook(ctx, row.Repository, row.Target)
	return err
}

// forget drops the secret and the row, in this order, so that a row is left to go on from.
func (k *Keeper) forget(ctx context.Context, name string) error {
	if err := k.Vault.RemoveOwn(ctx, ownName(name), by); err != nil {
		return err
	}
	k.opened.Delete(name)
	return k.Rows.ForgetWebhook(name)
}

// Disconnect removes the webhook that the daemon registered for a project.
func (k *Keeper) Disconnect(ctx context.Context, name string) (client.Webhook, error) {
	done, err := k.alone(ctx, name)
	if err != nil {
		return client.Webhook{}, err
	}
	defer done()
	if _, err := k.Rows.Project(name); err != nil {
		return client.Webhook{}, err
	}
	out := client.Webhook{State: None}
	row, err := k.Rows.Webhook(name)
	if errors.Is(err, scheduler.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.Forge, out.Repository, out.Target = row.Forge, row.Repository, row.Target
	if row.State != Registered && (row.State != Failed || row.Repository == "") {
		if row.State == ByHand {
			out.Hint = "if somebody entered the webhook " + row.Target + " at the forge by hand, remove it there"
		}
		return out, k.forget(ctx, name)
	}
	if err := k.removeAt(ctx, row); err != nil {
		t := troubleOf(err, place{forge: row.Forge, api: row.API})
		out.State, out.Problem, out.Hint = Failed, t.problem, "remove the webhook "+row.Target+" at the forge by hand"
		return out, nil
	}
	out.Steps = []string{"removed the webhook " + row.Target + " of " + row.Repository}
	return out, k.forget(ctx, name)
}
