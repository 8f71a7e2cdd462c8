package docker

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"

	"github.com/runner-ci/runner/runner"
)

func TestLife(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *Engine) {
		ctx := t.Context()
		spec := newSpec(t, e, map[string]string{"a": "a"})
		b := start(t, e, spec)
		if err := e.Create(ctx, spec); err != nil {
			t.Errorf("creating it again: %v", err)
		}
		b.want("echo $$ >/tmp/mark; echo once", "once")

		second := attach(t, e, spec)
		if err := b.conn.Close(); err != nil {
			t.Error(err)
		}
		second.want("cat /tmp/mark >/dev/null && echo same", "same")
		st, err := e.Inspect(ctx, spec.ID)
		if err != nil || !st.Running || st.StartedAt.IsZero() || !st.EndedAt.IsZero() {
			t.Errorf("running: %+v, %v", st, err)
		}
		if ids, err := e.List(ctx); err != nil || !slices.Equal(ids, []string{spec.ID}) {
			t.Errorf("list %q, %v", ids, err)
		}

		second.say("exit 7")
		if _, err := io.ReadAll(second.conn); err != nil {
			t.Errorf("reading on to the end: %v", err)
		}
		st = second.ended()
		if st.ExitCode != 7 || st.EndedAt.IsZero() || !strings.Contains(st.Error, "agent: leaving") {
			t.Errorf("ended: %+v", st)
		}
		if err := e.Create(ctx, spec); err != nil {
			t.Errorf("creating what has ended: %v", err)
		}
		if st := second.ended(); st.ExitCode != 7 {
			t.Errorf("it was started again: %+v", st)
		}
		if _, err := e.Attach(ctx, spec.ID); err == nil || !strings.Contains(err.Error(), "does not run") {
			t.Errorf("attaching to what has ended: %v", err)
		}
		if err := e.Kill(ctx, spec.ID); err != nil {
			t.Errorf("killing what has ended: %v", err)
		}
		for range 2 {
			if err := e.Remove(ctx, spec.ID); err != nil {
				t.Errorf("removing: %v", err)
			}
		}
		if _, err := e.Inspect(ctx, spec.ID); !errors.Is(err, runner.ErrNoSandbox) {
			t.Errorf("inspecting what is gone: %v", err)
		}
		if _, err := os.Stat(filepath.Join(spec.Dir, "work")); err == nil {
			t.Error("work is left")
		}
	})
}

func TestKill(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	spec := newSpec(t, e, nil)
	b := start(t, e, spec)
	b.want("echo kept >/codebuild/spool/frames", "")
	if err := e.Kill(t.Context(), spec.ID); err != nil {
		t.Fatal(err)
	}
	if st, err := e.Inspect(t.Context(), spec.ID); err != nil || st.Running || st.ExitCode != 137 {
		t.Errorf("killed: %+v, %v", st, err)
	}
	if _, err := b.out.ReadByte(); err == nil {
		t.Error("the stream goes on")
	}
	f, err := e.Open(t.Context(), spec.ID, "frames")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); err != nil || string(text) != "kept\n" {
		t.Errorf("spool %q, %v", text, err)
	}
}

func TestAgentThatDiesAtOnceIsHeard(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	spec := newSpec(t, e, nil)
	spec.Env = []string{"TEST_AGENT_EXIT=4"}
	if err := e.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, e: e, spec: spec}
	if st := b.ended(); st.ExitCode != 4 || !strings.Contains(st.Error, "agent: began") {
		t.Errorf("state %+v", st)
	}
}

// TestStopWhileItIsMade tells of a build that is stopped while its sandbox is being made: what the engine made of it
// can be removed at once, and nothing comes after.
func TestStopWhileItIsMade(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	for i := range 3 {
		spec := newSpec(t, e, nil)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Duration(10+60*i)*time.Millisecond, cancel)
		if err := e.Create(ctx, spec); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		cancel()
		if err := e.Remove(t.Context(), spec.ID); err != nil {
			t.Error(err)
		}
		if n := leftovers(t, e); n != "" {
			t.Errorf("left: %s", n)
		}
	}
}

func TestRemoveByManyAtOnce(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	spec := newSpec(t, e, nil)
	start(t, e, spec)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := e.Remove(t.Context(), spec.ID); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestPatience(t *testing.T) {
	busyOnce := errors.New("Error response from daemon: unlinkat /x: device or resource busy")
	final := errors.New("Error response from daemon: permission denied")
	for name, tt := range map[string]struct {
		answers []error
		want    error
	}{
		"at once":        {[]error{nil}, nil},
		"busy for a bit": {[]error{busyOnce, errors.New("removal of container x is already in progress"), nil}, nil},
		"gone meanwhile": {[]error{busyOnce, cerrdefs.ErrNotFound}, nil},
		"for ever":       {[]error{busyOnce, final}, final},
	} {
		calls := 0
		err := patiently(t.Context(), func(context.Context) error { calls++; return tt.answers[calls-1] })
		if !errors.Is(err, tt.want) || calls != len(tt.answers) {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := patiently(ctx, func(context.Context) error { return busyOnce }); !errors.Is(err, busyOnce) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestUnknownSandbox(t *testing.T) {
	e := newEngine(t)
	ctx := t.Context()
	_, attach := e.Attach(ctx, "nobody")
	_, inspect := e.Inspect(ctx, "nobody")
	_, open := e.Open(ctx, "nobody", "frames")
	for name, err := range map[string]error{"attach": attach, "inspect": inspect, "open": open, "kill": e.Kill(ctx, "nobody")} {
		if !errors.Is(err, runner.ErrNoSandbox) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, id := range []string{"", "../x", "a/b", "a b", "-x"} {
		if _, err := e.Inspect(ctx, id); err == nil || errors.Is(err, runner.ErrNoSandbox) {
			t.Errorf("id %q: %v", id, err)
		}
	}
}

func TestTwoInstancesOnOneEngine(t *testing.T) {
	t.Parallel()
	mine, theirs := newEngine(t), newEngine(t)
	ctx := t.Context()
	spec := newSpec(t, theirs, map[string]string{"a": "theirs"})
	b := start(t, theirs, spec)
	if ids, err := mine.List(ctx); err != nil || len(ids) != 0 {
		t.Errorf("mine lists %q, %v", ids, err)
	}
	if _, err := mine.Inspect(ctx, spec.ID); !errors.Is(err, runner.ErrNoSandbox) {
		t.Errorf("mine sees theirs: %v", err)
	}
	if _, err := mine.Attach(ctx, spec.ID); !errors.Is(err, runner.ErrNoSandbox) {
		t.Errorf("mine attaches to theirs: %v", err)
	}
	if err := mine.Kill(ctx, spec.ID); !errors.Is(err, runner.ErrNoSandbox) {
		t.Errorf("mine kills theirs: %v", err)
	}
	if err := mine.Remove(ctx, spec.ID); err != nil {
		t.Error(err)
	}
	b.want("cat a", "theirs")

	same := newSpec(t, mine, nil)
	same.ID, same.Dir = spec.ID, mine.SandboxDir(spec.ID)
	for _, name := range []string{"upper", "spool", "objects"} {
		if err := os.MkdirAll(filepath.Join(same.Dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := mine.Create(ctx, same); err == nil || !strings.Contains(err.Error(), "another instance") {
		t.Errorf("creating under their name: %v", err)
	}
	b.want("cat a", "theirs")
}
