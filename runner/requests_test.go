//go:build linux

package runner_test

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// TestCachesKeepTheirScopes is the promise that a build cannot hurt the next one: an untrusted build reads the caches
// of protected refs, and what it leaves is read by builds of its own ref alone.
func TestCachesKeepTheirScopes(t *testing.T) {
	st := newStage(t)
	const protected, pull, other = "api@protected", "api@refs/pull/7/head", "api@refs/pull/8/head"
	trusted := runner.CacheScope{Read: []string{protected}, Write: protected}
	stranger := runner.CacheScope{Read: []string{pull, protected}, Write: pull}
	for i, step := range []struct {
		scope runner.CacheScope
		lines []string
		want  []string
	}{
		{trusted, []string{"restore k", "cache k good"}, []string{"no cache", "Stored the cache"}},
		{stranger, []string{"restore k", "cache k evil"}, []string{"restored k: good (4 bytes)", "Stored the cache"}},
		{stranger, []string{"restore k", "cache"}, []string{"restored k: evil (4 bytes)", "Stored the cache"}},
		{trusted, []string{"restore k", "restore x k"}, []string{"restored k: good (4 bytes)\nrestored k: good (4 bytes)"}},
		{trusted, []string{"restore", "cache k worse"}, []string{"restored k: good", "a cache with a key never changes"}},
		{runner.CacheScope{Read: []string{other, protected}, Write: other}, []string{"restore k"}, []string{"restored k: good (4 bytes)"}},
		{runner.CacheScope{}, []string{"restore k"}, []string{"no cache"}},
	} {
		a := st.attempt(step.lines...)
		a.Cache = step.scope
		res, log := st.play(a, forgetful{})
		st.want(res, log, wire.StatusSucceeded, step.want...)
		if t.Failed() {
			t.Fatalf("in step %d", i)
		}
	}
}

// TestACachesKeyHoldsNoSecret: keys are told in lists and in the daemon's log.
func TestACachesKeyHoldsNoSecret(t *testing.T) {
	st := newStage(t)
	for i, want := range []string{"no cache", "restored k-***: x (1 bytes)\nrestored k-***: x (1 bytes)"} {
		a := st.attempt("restore k-hunter2", "restore none k-hunter2", "cache k-hunter2 x")
		a.Job.Secrets = []string{"hunter2"}
		a.Cache = runner.CacheScope{Read: []string{"api"}, Write: "api"}
		res, log := st.play(a, forgetful{})
		if res.Status != wire.StatusSucceeded || !strings.Contains(log, want) {
			t.Errorf("build %d ended as %+v, want %q in its log:\n%s", i, res, want, log)
		}
	}
	caches, _, err := st.Artifacts.Caches("", 10)
	if err != nil || len(caches) != 1 || caches[0].Key != "k-***" {
		t.Errorf("caches %+v, %v, want one of the key k-***", caches, err)
	}
}

func TestRequests(t *testing.T) {
	st := newStage(t)
	st.Runtimes = runner.SelectWith(func(file []byte, want []buildspec.Var) ([]buildspec.Runtime, error) {
		switch want[0].Name {
		case "fails":
			return nil, errors.New("no such runtime")
		case "long":
			return []buildspec.Runtime{{Commands: []string{strings.Repeat("x", wire.MaxLine)}}}, nil
		}
		env := []buildspec.Var{{Name: "VERSION", Value: "1.26"}}
		return []buildspec.Runtime{{Name: want[0].Name, Version: want[0].Value, Commands: []string{string(file)}, Env: env}}, nil
	})
	res, log := st.play(st.attempt("runtime go 1.26", "say next", "runtime fails", "say then", "runtime long", "nonsense"), forgetful{})
	st.want(res, log, wire.StatusSucceeded, "runtimes: [{Name:go Version:1.26 Commands:[table] Env:[{Name:VERSION Value:1.26}]}]", "error: no such runtime",
		"are too long", "asks for nothing that this daemon knows")
	st.Runtimes = nil
	res, log = st.play(st.attempt("runtime go 1.26"), forgetful{})
	st.want(res, log, wire.StatusSucceeded, "error: this daemon does not read")
}

func TestAJobThatAsksWithoutEndIsIgnored(t *testing.T) {
	st := newStage(t)
	res, log := st.play(st.attempt("say before", "flood", "say after"), forgetful{})
	st.want(res, log, wire.StatusSucceeded, "before", "after")
	many := st.attempt(append(repeated("restore k", 12), "say end")...)
	many.Cache = runner.CacheScope{Read: []string{"api"}, Write: "api"}
	seed := st.attempt("cache k x")
	seed.Cache = many.Cache
	st.play(seed, forgetful{})
	res, log = st.play(many, forgetful{})
	st.want(res, log, wire.StatusSucceeded, "end")
	if given, refused := strings.Count(log, "restored k"), strings.Count(log, "gets no more"); given != 8 || refused != 4 {
		t.Errorf("%d caches were given and %d refused:\n%s", given, refused, log)
	}
}

// repeated is one line n times, each followed by output: a puppet numbers its requests by what it has said.
func repeated(line string, n int) (lines []string) {
	for range n {
		lines = append(lines, line)
	}
	return lines
}

// keen is a caller that keeps what it is told of pauses.
type keen struct {
	forgetful
	mu     sync.Mutex
	paused []bool
	seen   chan struct{}
}

func (k *keen) Progress(_ context.Context, p runner.Progress) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p.Paused != nil {
		k.paused = append(k.paused, *p.Paused)
		select {
		case k.seen <- struct{}{}:
		default:
		}
	}
	return nil
}

// TestABreakpointOutlivesADaemon resumes a build whose pause another daemon was told of, and answers what it asked then.
func TestABreakpointOutlivesADaemon(t *testing.T) {
	st := newStage(t)
	seed := st.attempt("cache k content")
	seed.Cache.Write = "api"
	st.play(seed, forgetful{})
	a := st.attempt("say one", "pause", "wait k", "say two")
	a.Cache.Read = []string{"api"}
	ctx, leave := context.WithCancel(t.Context())
	told := &keen{seen: make(chan struct{}, 8)}
	ended := make(chan error, 1)
	go func() {
		_, err := st.Run(ctx, engine, a, told)
		ended <- err
	}()
	<-told.seen
	leave()
	if err := <-ended; !errors.Is(err, runner.ErrDetached) {
		t.Fatalf("the first daemon left with %v", err)
	}
	st.Epoch, a.Sent = 2, true
	resume := make(chan runner.ResumeRequest, 1)
	a.Resume = resume
	resume <- runner.ResumeRequest{By: "anna"}
	ctx, leave = context.WithCancel(t.Context())
	go func() {
		_, err := st.Run(ctx, engine, a, told)
		ended <- err
	}()
	<-told.seen // that it goes on
	leave()
	if err := <-ended; !errors.Is(err, runner.ErrDetached) {
		t.Fatalf("the second daemon left with %v", err)
	}
	st.Epoch = 3
	res, log := st.play(a, told)
	st.want(res, log, wire.StatusSucceeded, "one\nresumed by anna\nrestored k: content (7 bytes)\ntwo\n")
	if want := []bool{true, false}; !reflect.DeepEqual(told.paused, want) {
		t.Errorf("told of %v, want %v", told.paused, want)
	}
}

// slow is an engine that takes its time to put a file into a sandbox, until it is told to leave.
type slow struct {
	runner.Executor
	began chan struct{}
}

func (e *slow) Put(ctx context.Context, _, _ string, _ io.Reader, _ int64) error {
	close(e.began)
	<-ctx.Done()
	return ctx.Err()
}

// TestACacheThatTakesLongHoldsNothingUp stops a build while its cache is on the way.
func TestACacheThatTakesLongHoldsNothingUp(t *testing.T) {
	st := newStage(t)
	seed := st.attempt("cache k content")
	seed.Cache.Write = "api"
	st.play(seed, forgetful{})
	engineOf := &slow{st.ex, make(chan struct{})}
	st.Executors = map[string]runner.Executor{engine: engineOf}
	a := st.attempt("restore k")
	a.Cache.Read = []string{"api"}
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := st.Run(ctx, engine, a, forgetful{})
		ended <- err
	}()
	<-engineOf.began
	leave()
	if err := <-ended; !errors.Is(err, runner.ErrDetached) {
		t.Fatalf("it ended with %v", err)
	}
	st.Executors, st.Epoch, a.Sent = map[string]runner.Executor{engine: st.ex}, 2, true
	res, log := st.play(a, forgetful{})
	st.want(res, log, wire.StatusSucceeded, "restored k: content (7 bytes)")
}
