package webhooks

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/secrets"
)

// The states of a webhook.
const (
	Registered  = "registered"  // the forge has it
	ByHand      = "by-hand"     // somebody has to enter it at the forge
	NoForge     = "no-forge"    // the repository's host is no forge
	Unreachable = "unreachable" // the forge cannot reach this daemon
	Failed      = "failed"      // to be tried again
	None        = "none"        // the daemon was not asked to keep one
)

// arriveWait is how long a test delivery may take to arrive. GitHub's are there within two seconds.
const arriveWait = 15 * time.Second

// Rows are what the keeper needs of package scheduler.
type Rows interface {
	Project(name string) (scheduler.Project, error)
	EachProject(visit func(p *config.Project)) error
	Webhook(project string) (*scheduler.Webhook, error)
	Webhooks() ([]scheduler.Webhook, error)
	PutWebhook(w scheduler.Webhook) error
	ForgetWebhook(project string) error
	Received(show func(*scheduler.Received) bool, before uint64, limit int) (page []scheduler.Received, more bool)
	NewestReceived() (seq uint64, next <-chan struct{})
}

// Vault is what it needs of package secrets.
type Vault interface {
	Own(ctx context.Context, name string) (string, error)
	SetOwn(ctx context.Context, name, value, by string) error
	RemoveOwn(ctx context.Context, name, by string) error
}

var (
	_ Rows  = (*scheduler.Scheduler)(nil)
	_ Vault = (*secrets.Store)(nil)
)

// Options is all that a Keeper is made of.
type Options struct {
	Rows   Rows
	Vault  Vault
	URL    func() string // how forges reach this daemon
	Client *http.Client  // for forges
	Wait   time.Duration // for a test delivery; 0: arriveWait
	Logger *slog.Logger
}

// Keeper keeps webhooks. It is safe for use by several goroutines.
type Keeper struct {
	Options
	opened sync.Map // project → its secret, so that not every delivery is decrypted for

	mu   sync.Mutex
	busy map[string]chan struct{} // projects that are worked on, by name
}

// New returns a keeper. It does nothing before it is asked, or Run is called.
func New(o Options) *Keeper {
	if o.Wait == 0 {
		o.Wait = arriveWait
	}
	return &Keeper{Options: o, busy: make(map[string]chan struct{})}
}

// by is who seals secrets, for the secret store's records.
const by = "runner"

// ownName is what the secret store has a project's webhook secret under.
func ownName(project string) string { return "webhook/" + project }

// Secret reads what a reference names: one of the keeper's own secrets, or any other.
func (k *Keeper) Secret(ref config.Secret) ([]byte, error) {
	project, own := strings.CutPrefix(string(ref), config.SealedWebhook)
	if !own {
		return ref.Resolve()
	}
	if value, ok := k.opened.Load(project); ok {
		return value.([]byte), nil
	}
	value, err := k.Vault.Own(context.Background(), ownName(project))
	if errors.Is(err, secrets.ErrNotFound) {
		return nil, fmt.Errorf("none was made yet; runner project test-hook %s makes it", project)
	}
	if err != nil {
		return nil, err
	}
	k.opened.Store(project, []byte(value))
	return []byte(value), nil
}

// errVault is wrapped by errors of a secret that could not be sealed or opened.
var errVault = errors.New("the webhook secret")

// secretOf returns what a project's webhooks are signed with, and makes it where it is the daemon's to make and there is none,
// or it shall be another one.
func (k *Keeper) secretOf(ctx context.Context, p *config.Project, another bool) (value string, fresh bool, err error) {
	if p.WebhookSecret != "" {
		given, err := p.WebhookSecret.Resolve()
		if err != nil {
			err = fmt.Errorf("%w of project %s: %w", errVault, p.Name, err)
		}
		return string(given), false, err
	}
	if !another {
		value, err := k.Vault.Own(ctx, ownName(p.Name))
		if err == nil {
			return value, false, nil
		}
		if !errors.Is(err, secrets.ErrNotFound) {
			return "", false, fmt.Errorf("%w of project %s: %w", errVault, p.Name, err)
		}
	}
	value = rand.Text() + rand.Text()
	if err := k.Vault.SetOwn(ctx, ownName(p.Name), value, by); err != nil {
		return "", false, fmt.Errorf("%w of project %s: %w", errVault, p.Name, err)
	}
	k.opened.Store(p.Name, []byte(value))
	return value, true, nil
}

// alone waits until nobody else works on a project's webhook; done lets the next one.
func (k *Keeper) alone(ctx context.Context, project string) (done func(), err error) {
	for {
		k.mu.Lock()
		other := k.busy[project]
		if other == nil {
			mine := make(chan struct{})
			k.busy[project] = mine
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				delete(k.busy, project)
				k.mu.Unlock()
				close(mine)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// target is the project's own address of this daemon, for one forge.
func (k *Keeper) target(forgeName, project string) string {
	return strings.TrimRight(k.URL(), "/") + "/hooks/" + forgeName + "?project=" + project
}

// madeOf stands for all that a webhook is made of.
func madeOf(p *config.Project, url string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{
		p.URL, p.Forge, p.ForgeURL, string(p.APIToken()), p.Username, string(p.HookSecret()), url,
	}, "\x00")))
	return fmt.Sprintf("%x", sum[:8])
}

// Show tells what is known of a project's webhook.
func (k *Keeper) Show(project string) (client.Webhook, error) {
	p, err := k.Rows.Project(project)
	if err != nil {
		return client.Webhook{}, err
	}
	out := client.Webhook{State: None}
	row, err := k.Rows.Webhook(project)
	switch {
	case err == nil && p.Webhook == config.WebhookAuto:
		out = client.Webhook{
			State: row.State, Forge: row.Forge, Repository: row.Repository, Target: row.Target, Problem: row.Problem, Hint: row.Hint, At: row.At,
		}
	case err != nil && !errors.Is(err, scheduler.ErrNotFound):
		return out, err
	}
	out.Arrived = k.newest(project)
	return out, nil
}

// newest is the newest delivery for a project, nil where none came.
func (k *Keeper) newest(project string) *client.Delivery {
	page, _ := k.Rows.Received(func(r *scheduler.Received) bool { return isFor(r, project) }, 0, 1)
	if len(page) == 0 {
		return nil
	}
	return told(&page[0], project)
}

func isFor(r *scheduler.Received, project string) bool {
	for _, name := range r.Projects {
		if name == project {
			return true
		}
	}
	return false
}

// told is a delivery as one project is told of it.
func told(r *scheduler.Received, project string) *client.Delivery {
	return &client.Delivery{
		At: r.At, Forge: r.Forge, Event: r.Event, Delivery: r.Delivery, Repository: r.Repository, Ref: r.Ref,
		Projects: []string{project}, Status: r.Status, Outcome: r.Outcome, Reason: r.Reason, Trigger: r.Trigger, Remote: r.Remote,
	}
}
