package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/internal/githost"
)

const (
	// userCount is how many ask for builds, each for the next when one has ended.
	userCount = 3
	// crowd is how many branches are deleted at once, now and then: each delivery is a trigger that makes no build.
	crowd = 16
	// buildWait is how long a build may take from its acceptance to its end, outages and all.
	buildWait = 4 * time.Minute
	// outagePause is how long a user waits whose build met an outage.
	outagePause = time.Second
)

// users ask for builds and see to what becomes of them.
type users struct {
	w       *world
	rest    sync.RWMutex // held to let none begin
	work    sync.WaitGroup
	answers sync.WaitGroup // of rushes
	cancel  context.CancelFunc

	mu       sync.Mutex
	n        int
	unsure   int // submits whose answer was lost: they may have been accepted
	triggers map[string]string
}

func newUsers(w *world) *users { return &users{w: w, triggers: make(map[string]string)} }

// begin lets all of them work until stop.
func (u *users) begin(ctx context.Context) {
	ctx, u.cancel = context.WithCancel(ctx)
	for i := range userCount {
		c := u.w.chance.fork(u.w.seed, uint64(10+i))
		u.work.Go(func() {
			for first := i; ctx.Err() == nil; first += userCount {
				u.rest.RLock()
				if ctx.Err() == nil {
					u.one(context.WithoutCancel(ctx), c, first)
				}
				u.rest.RUnlock()
			}
		})
	}
}

// stop waits until each has seen the end of what it asked for.
func (u *users) stop() {
	u.cancel()
	u.work.Wait()
	u.answers.Wait()
}

// known tells what a trigger was made by, and how many there are.
func (u *users) known(trigger string) (how string, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	how, ok = u.triggers[trigger]
	return how, ok
}

// request is one build that was asked for.
type request struct {
	kind    *kind
	salt    string
	how     string // "push", "submit"
	trigger string
	build   string
	at      time.Time // when it was accepted
}

// one asks for one build, in the kinds' order at first, and judges it when it has ended.
func (u *users) one(ctx context.Context, c *chance, nth int) {
	k := u.w.kinds[c.below(len(u.w.kinds))]
	if nth < len(u.w.kinds) {
		k = u.w.kinds[nth]
	}
	u.mu.Lock()
	u.n++
	n := u.n
	u.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, buildWait)
	defer cancel()
	r := request{kind: k}
	var err error
	if c.below(6) == 0 {
		u.rush(ctx, k)
	}
	if c.below(5) == 0 {
		err = u.submit(ctx, &r, n)
	} else {
		err = u.push(ctx, &r, n, c.below(3) == 0)
	}
	if err != nil {
		u.w.judge.violation(lost, "%s %s was not accepted: %v", r.how, k.name, err)
		return
	}
	if r.build == "" && r.trigger == "" {
		return // the answer of a submit was lost
	}
	u.mu.Lock()
	u.triggers[r.trigger] = r.how
	u.mu.Unlock()
	b, err := u.await(ctx, &r)
	if err != nil {
		u.w.judge.violation(lost, "%s of %s, trigger %s, accepted %s ago, has not ended: %v; it is %s in %s, %s", r.how, k.name, r.trigger, time.Since(r.at).Round(time.Second), err, b.Status, b.Phase, states(b))
		return
	}
	u.w.judge.build(ctx, &r, b)
	u.visit(ctx, &r, b)
	if b.Status != k.status {
		time.Sleep(outagePause) // or an outage would make faults by the hundred
	}
}

func states(b client.Build) (text string) {
	for _, j := range b.Jobs {
		text += fmt.Sprintf("[%s %s %s attempt %d %s]", j.Name, j.State, j.Phase, j.Attempt, j.Why)
	}
	return text
}

// push delivers a webhook until it is answered, as forges do when somebody presses redeliver. The delivery stays the
// same, so that what was accepted unheard is accepted once.
func (u *users) push(ctx context.Context, r *request, n int, renew bool) (err error) {
	r.how = "push"
	commit := ""
	if commit, r.salt = r.kind.head(); renew {
		if commit, r.salt, err = r.kind.renew(ctx, n); err != nil {
			return err
		}
	}
	r.trigger, r.at, err = u.deliver(ctx, githost.Push{URL: r.kind.url, Ref: "refs/heads/main", Commit: commit, Title: r.salt})
	return err
}

func (u *users) deliver(ctx context.Context, p githost.Push) (trigger string, at time.Time, err error) {
	p.Delivery, p.Secret = rand.Text(), hookSecret
	for {
		at = time.Now()
		if trigger, err = p.Deliver(ctx, u.w.daemon.base); err == nil || ctx.Err() != nil {
			return trigger, at, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// rush begins to tell of many branches that were deleted, so that what comes with it is accepted in a rush. Each has its
// answer before stop returns.
func (u *users) rush(ctx context.Context, k *kind) {
	for i := range crowd {
		u.answers.Go(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), buildWait)
			defer cancel()
			trigger, _, err := u.deliver(ctx, githost.Push{URL: k.url, Ref: fmt.Sprintf("refs/heads/gone-%d", i), Commit: githost.NoCommit})
			if err != nil {
				u.w.judge.violation(lost, "a deletion was not accepted: %v", err)
				return
			}
			u.mu.Lock()
			defer u.mu.Unlock()
			u.triggers[trigger] = "deletion"
		})
	}
}

var (
	buildName   = regexp.MustCompile(`[a-z]+#[0-9]+`)
	unreachable = regexp.MustCompile(`connect|EOF|reset|refused|answer|reach|broke|went away|space|full`)
)

// submit sends a working tree with a change that is not committed. Nobody can ask twice for the same, so that an answer
// which is lost may leave a build that nobody waits for.
func (u *users) submit(ctx context.Context, r *request, n int) error {
	r.how = "submit"
	dir := filepath.Join(u.w.dir, fmt.Sprintf("tree-%d", n))
	defer os.RemoveAll(dir)
	var err error
	if r.salt, err = r.kind.dirty(ctx, dir, n); err != nil {
		return err
	}
	r.at = time.Now()
	out, err := u.w.daemon.cli(ctx, dir, "submit", "--project", r.kind.name, "--detach")
	if r.build = buildName.FindString(out); err == nil && r.build != "" {
		return u.triggerOf(ctx, r)
	}
	u.mu.Lock()
	u.unsure++
	u.mu.Unlock()
	if err == nil || !unreachable.MatchString(err.Error()) {
		return fmt.Errorf("runner submit: %w; it said %q", err, out)
	}
	r.build = ""
	return nil
}

func (u *users) triggerOf(ctx context.Context, r *request) error {
	return insist(ctx, func() error {
		b, err := u.w.daemon.api.Build(ctx, r.build)
		r.trigger = b.Trigger
		return err
	})
}

// await waits until the build of a trigger has ended.
func (u *users) await(ctx context.Context, r *request) (b client.Build, err error) {
	api := u.w.daemon.api
	entered := false
	for ; ; time.Sleep(50 * time.Millisecond) {
		if ctx.Err() != nil {
			return b, ctx.Err()
		}
		if r.build == "" {
			t, err := api.Trigger(ctx, r.trigger)
			if err != nil {
				if gone(err) {
					return b, err
				}
				continue
			}
			if len(t.Builds) != 1 {
				if t.Outcome == "pending" {
					continue
				}
				return b, fmt.Errorf("it made %d builds and is %s: %s", len(t.Builds), t.Outcome, t.Reason)
			}
			r.build = t.Builds[0]
		}
		now, err := api.Build(ctx, r.build)
		if gone(err) {
			return b, err
		}
		if err != nil {
			continue
		}
		if b = now; b.Status != "IN_PROGRESS" {
			return b, nil
		}
		if !entered && r.kind.status == "FAILED" && len(b.Jobs) == 1 && b.Jobs[0].Command != "" {
			entered = true
			u.enter(ctx, b)
		}
	}
}

// gone tells that the daemon answered, and does not know what it should.
func gone(err error) bool {
	var answer *client.Error
	return errors.As(err, &answer) && answer.Status == 404
}

// insist repeats a call until the daemon is there to answer it.
func insist(ctx context.Context, call func() error) error {
	for {
		err := call()
		if err == nil || gone(err) || ctx.Err() != nil {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}
