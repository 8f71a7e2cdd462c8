package webhooks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/forge"
	"github.com/runner-ci/runner/scheduler"
)

// connection is one go at a project's webhook.
type connection struct {
	*Keeper
	project *config.Project
	show    bool // somebody reads the answer: a secret that has to be entered by hand is in it
	at      place
	hook    forge.Webhook
	api     *forge.API
	out     client.Webhook
}

func (c *connection) did(format string, args ...any) {
	c.out.Steps = append(c.out.Steps, fmt.Sprintf(format, args...))
}

// Connect registers a project's webhook where the daemon keeps it, has the forge send a test, waits for that to arrive, and
// says what was done. That it did not work is in the answer; an error is about the project or the stores.
func (k *Keeper) Connect(ctx context.Context, name string) (client.Webhook, error) {
	done, err := k.alone(ctx, name)
	if err != nil {
		return client.Webhook{}, err
	}
	defer done()
	p, err := k.Rows.Project(name)
	if err != nil {
		return client.Webhook{}, err
	}
	c := &connection{Keeper: k, project: &p.Project, show: true}
	before, _ := k.Rows.NewestReceived()
	if err := c.register(ctx); err != nil {
		return client.Webhook{}, err
	}
	if c.out.State == Registered {
		c.try(ctx, before)
	}
	return c.out, nil
}

// register takes the steps of the package comment. What the forge answered is in c.out.
func (c *connection) register(ctx context.Context) error {
	auto := c.project.Webhook == config.WebhookAuto
	err := c.locate(ctx)
	if err == nil && auto {
		err = c.put(ctx)
	} else if err == nil {
		err = c.look(ctx)
	}
	if err == nil {
		c.out.State = Registered
	} else {
		t := troubleOf(err, c.at)
		c.out.State, c.out.Problem, c.out.Hint = t.state, t.problem, strings.ReplaceAll(t.hint, "NAME", c.project.Name)
	}
	if !auto {
		return nil
	}
	if c.out.State == ByHand && c.show {
		if err := c.byHand(ctx); err != nil {
			t := troubleOf(err, c.at)
			c.out.State, c.out.Problem, c.out.Hint = t.state, t.problem, t.hint
		}
	}
	c.out.At = time.Now()
	row := c.row()
	if before, err := c.Rows.Webhook(c.project.Name); err == nil && row.Repository == "" && row.State == Failed {
		// The forge did not even say which it is: what is known of the webhook that it has stays known, so that it can be removed.
		row.Forge, row.API, row.Repository, row.Target = before.Forge, before.API, before.Repository, before.Target
	}
	return c.Rows.PutWebhook(row)
}

// locate finds the forge, and what has to be known to ask it.
func (c *connection) locate(ctx context.Context) (err error) {
	if c.at, err = c.placeOf(ctx, c.project); err != nil {
		return err
	}
	how := "as its settings say"
	if c.at.detected {
		how = "by its host"
	}
	c.did("%s is %s at %s, %s", c.project.URL, c.at.repository, c.at.forge, how)
	c.out.Forge, c.out.Repository, c.out.Target = c.at.forge, c.at.repository, c.target(c.at.forge, c.project.Name)
	c.out.Events, c.out.ContentType = forge.WebhookEvents(c.at.forge), "application/json"
	if t := unreachable(c.URL(), c.at.api); t != nil {
		return t
	}
	token := c.project.APIToken()
	if token == "" {
		return &trouble{ByHand, "there is no token for " + c.at.host(), "give the project one that has " + permission(c.at.forge) + " (token or forge-token); or enter the webhook by hand"}
	}
	c.api, err = c.dial(c.at, c.project.Username, token)
	return err
}

// put has the forge have the webhook.
func (c *connection) put(ctx context.Context) error {
	secret, fresh, err := c.secretOf(ctx, c.project, false)
	if err != nil {
		return err
	}
	if fresh {
		c.did("made a webhook secret, which is sealed in the daemon's secret store")
	}
	hook, created, err := c.api.PutWebhook(ctx, c.at.repository, c.out.Target, secret)
	if err != nil {
		return err
	}
	c.hook = hook
	if created {
		c.did("registered the webhook %s", c.out.Target)
	} else {
		c.did("brought the webhook %s up to date", c.out.Target)
	}
	return nil
}

// look finds a webhook that somebody else registered.
func (c *connection) look(ctx context.Context) error {
	plain, _, _ := strings.Cut(c.out.Target, "?")
	for _, target := range []string{c.out.Target, plain} {
		hook, err := c.api.FindWebhook(ctx, c.at.repository, target)
		if err != nil {
			return err
		}
		if hook != nil {
			c.hook = *hook
			c.did("found the webhook %s", target)
			return nil
		}
	}
	return &trouble{ByHand, fmt.Sprintf("%s has no webhook that tells %s", c.at.repository, plain),
		"enter one at the forge, or let the daemon: runner project set NAME --webhook auto"}
}

// byHand gives the secret out that has to be entered at the forge. It is another one each time, since none was entered yet,
// until a delivery shows that one was.
func (c *connection) byHand(ctx context.Context) error {
	if c.project.WebhookSecret != "" {
		return nil // whoever set it knows it
	}
	if c.out.Arrived = c.newest(c.project.Name); c.out.Arrived != nil {
		return nil
	}
	secret, _, err := c.secretOf(ctx, c.project, true)
	if err != nil {
		return err
	}
	c.did("made a webhook secret, which is sealed in the daemon's secret store")
	c.out.Secret = secret
	return nil
}

// row is what is stored of it.
func (c *connection) row() scheduler.Webhook {
	return scheduler.Webhook{
		Project: c.project.Name, State: c.out.State, Forge: c.at.forge, API: c.at.api, Repository: c.at.repository, Target: c.out.Target,
		Problem: c.out.Problem, Hint: c.out.Hint, At: c.out.At, Made: madeOf(c.project, c.URL()),
		Username: c.project.Username, Token: c.project.APIToken(),
	}
}

// try has the forge send something, and waits for it.
func (c *connection) try(ctx context.Context, before uint64) {
	began := time.Now()
	err := c.api.TestWebhook(ctx, c.at.repository, c.hook)
	switch {
	case errors.Is(err, forge.ErrNoTest):
		c.did("%s was not asked for a test delivery: %v. Push something, or send a test from the webhook's page", c.at.host(), err)
		c.out.Arrived = c.newest(c.project.Name)
		return
	case err != nil:
		c.out.Problem, c.out.Hint = err.Error(), c.orEmpty("the webhook is registered; whether its deliveries arrive will show with the first push, in runner inbox")
		return
	}
	c.did("asked %s for a test delivery", c.at.host())
	got := c.await(ctx, before)
	switch {
	case got == nil:
		c.out.Problem = fmt.Sprintf("no delivery arrived within %s: %s cannot reach %s, or something between keeps it away", c.Wait, c.at.host(), c.URL())
		c.out.Hint = c.orEmpty("look at the webhook's page at the forge, which has the answer that it got; correct url in runner.yml, or the way to it. " +
			"Meanwhile pushes are found by looking: runner project set " + c.project.Name + " --poll 1m")
		return
	case len(got.Projects) == 0:
		c.out.Problem = "a delivery arrived, and was refused: " + got.Reason
		c.out.Hint = "compare the secret at the forge with the project's, and the addresses that the forge gives the repository with the project's url; the daemon's log has them"
	}
	c.out.Arrived = got
	c.did("%s arrived after %s, and was answered %d %s", orWord(got.Event, "a delivery"), time.Since(began).Round(100*time.Millisecond), got.Status, got.Outcome)
}

// orEmpty adds to a hint what Gitea and Forgejo do where there is no commit to test with: they send nothing, or answer 500.
func (c *connection) orEmpty(hint string) string {
	if c.at.forge != forge.NameGitea && c.at.forge != forge.NameForgejo {
		return hint
	}
	return "if the repository has no commit yet, that is why, and its first push will show; otherwise: " + hint
}

func orWord(word, otherwise string) string {
	if word == "" {
		return otherwise
	}
	return word
}

// await waits for a delivery that came after another: one for the project, or a ping of its forge that nobody's secret fits.
func (c *connection) await(ctx context.Context, before uint64) *client.Delivery {
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	for {
		_, next := c.Rows.NewestReceived()
		page, _ := c.Rows.Received(func(r *scheduler.Received) bool {
			return r.Seq > before && r.Forge == c.at.forge && (isFor(r, c.project.Name) || r.Refused() && c.mine(r))
		}, 0, 1)
		if len(page) > 0 {
			got := told(&page[0], c.project.Name)
			if page[0].Refused() {
				got.Projects = nil
			}
			return got
		}
		select {
		case <-next:
		case <-ctx.Done():
			return nil
		}
	}
}

// mine tells whether a delivery that was refused may be the test that was asked for.
func (c *connection) mine(r *scheduler.Received) bool {
	return strings.EqualFold(r.Repository, c.at.repository) || strings.Contains(r.Event, "ping")
}
