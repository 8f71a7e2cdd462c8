package scheduler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
)

// cellar is an engine with the sandboxes of jobs that have run, into which people can go.
type cellar struct {
	*shelf
	wrote map[string]int64 // by sandbox id
	shut  error            // why none can be opened
	word  string           // that agents answer with
}

func (e *cellar) Kill(_ context.Context, id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, there := e.boxes[id]; !there {
		return runner.ErrNoSandbox
	}
	e.boxes[id] = false
	return nil
}

func (e *cellar) Reopen(_ context.Context, spec runner.SandboxSpec, _ []string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.shut != nil {
		return e.shut
	}
	e.boxes[spec.ID] = true
	return nil
}

func (e *cellar) Put(_ context.Context, id, _ string, content io.Reader, _ int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	text, err := io.ReadAll(content)
	e.word = string(text)
	return err
}

func (e *cellar) Open(context.Context, string, string) (io.ReadCloser, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return io.NopCloser(strings.NewReader(e.word)), nil
}

func (e *cellar) Written(_ context.Context, id string) (runner.WrittenAt, error) {
	return runner.WrittenAt{Bytes: max(1, e.wrote[id])}, nil
}

func (e *cellar) Shell(_ context.Context, id string, c runner.ShellCommand) (runner.Shell, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.boxes[id] {
		return nil, errors.New("it does not run")
	}
	return visit{}, nil
}

// visit is a program that does nothing.
type visit struct{}

func (visit) Write(p []byte) (int, error)              { return len(p), nil }
func (visit) CloseInput() error                        { return nil }
func (visit) Copy(io.Writer, io.Writer) error          { return nil }
func (visit) Resize(context.Context, uint, uint) error { return nil }
func (visit) Exit(context.Context) (int, error)        { return 0, nil }
func (visit) End(context.Context)                      {}

// keptScene is a scheduler whose jobs fail.
type keptScene struct {
	t    *testing.T
	s    *Scheduler
	e    *cellar
	path string
	dirs string

	sealed bool // jobs are given what is secret
}

func newKeptScene(t *testing.T) *keptScene {
	t.Helper()
	c := &keptScene{t: t, e: &cellar{shelf: &shelf{boxes: make(map[string]bool)}, wrote: make(map[string]int64)}, path: statePath(t), dirs: t.TempDir()}
	c.open()
	return c
}

func (c *keptScene) open() {
	c.t.Helper()
	store, err := artifacts.Open(filepath.Join(c.t.TempDir(), "artifacts.db"), artifacts.Options{})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { store.Close() })
	c.s = open(c.t, c.path)
	c.s.runner = &runner.Runner{Executors: map[string]runner.Executor{"local": c.e}, Sandboxes: c.dirs, Artifacts: store, Logger: slog.New(slog.DiscardHandler)}
	if err := c.s.findKept(); err != nil {
		c.t.Fatal(err)
	}
}

// fail has one more job fail, and returns its build and its sandbox.
func (c *keptScene) fail() (build, box string) {
	c.t.Helper()
	b := queued(c.t, c.s, fanout(1, false))
	e, l := take(c.t, c.s)
	c.e.mu.Lock()
	c.e.boxes[l.attempt.Sandbox] = true
	c.e.mu.Unlock()
	if err := os.MkdirAll(filepath.Join(c.dirs, l.attempt.Sandbox), 0o700); err != nil {
		c.t.Fatal(err)
	}
	ev := &attemptEvents{s: c.s, build: e.build, job: e.job, index: e.index, token: l.attempt.Token, sealed: c.sealed}
	if err := ev.Sent(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	if err := c.s.finish(e, l.attempt.Token, red); err != nil {
		c.t.Fatal(err)
	}
	err := c.s.db.Update(func(tx *bbolt.Tx) error { // a job without source needs no mirror
		row, err := get[Build](tx, bucketBuilds, buildKey(b.Project, b.Number))
		if err != nil {
			return err
		}
		row.Commit = ""
		return putBuild(tx, row)
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return b.ID(), l.attempt.Sandbox
}

func (c *keptScene) settings(change func(*config.Config)) {
	c.t.Helper()
	cfg := *c.s.config()
	cfg.Projects = slices.Clone(cfg.Projects)
	change(&cfg)
	if err := c.s.Configure(&cfg); err != nil {
		c.t.Fatal(err)
	}
}

// tend has the keeper look once, and returns the sandboxes that are left, each with whether it runs.
func (c *keptScene) tend(in time.Duration) map[string]bool {
	c.t.Helper()
	c.s.tendKept(c.t.Context(), time.Now().Add(in))
	c.s.Reap(c.t.Context())
	rows, _, err := c.s.sandboxRows()
	if err != nil {
		c.t.Fatal(err)
	}
	dirs, _ := os.ReadDir(c.dirs)
	if len(rows) != len(c.e.boxes) || len(dirs) != len(rows) || len(c.s.kept.of("", "")) != len(rows) {
		c.t.Errorf("there are %d rows, %d containers, %d directories and %d in the picture", len(rows), len(c.e.boxes), len(dirs), len(c.s.kept.of("", "")))
	}
	return c.e.boxes
}

// enterKept goes into what is kept of a build.
func (c *keptScene) enterKept(build string) (*OpenedShell, error) {
	place, err := c.s.FindShell(build, "", ShellFailed)
	if err != nil {
		return nil, err
	}
	return c.s.OpenShell(c.t.Context(), place, ShellCommand{By: "ann"})
}

func TestWhatIsKept(t *testing.T) {
	plan := func(change func(*buildspec.Job)) *buildspec.Plan {
		j := buildspec.Job{ID: "build", Name: "build"}
		change(&j)
		return &buildspec.Plan{Jobs: []buildspec.Job{j}}
	}
	for name, tt := range map[string]struct {
		change func(b *Build, a *Attempt)
		span   time.Duration
		want   bool
	}{
		"a failed job":                     {func(*Build, *Attempt) {}, time.Hour, true},
		"one that took long":               {func(_ *Build, a *Attempt) { a.Status = TimedOut }, time.Hour, true},
		"one that succeeded":               {func(_ *Build, a *Attempt) { a.Status = Succeeded }, time.Hour, false},
		"one that was stopped":             {func(_ *Build, a *Attempt) { a.Status = Stopped }, time.Hour, false},
		"a fault":                          {func(_ *Build, a *Attempt) { a.Status = Fault }, time.Hour, false},
		"never sent":                       {func(_ *Build, a *Attempt) { a.Sent = false }, time.Hour, false},
		"a stranger's":                     {func(b *Build, _ *Attempt) { b.Fork = true }, time.Hour, false},
		"keep-failed: off":                 {func(*Build, *Attempt) {}, 0, false},
		"root on the machine":              {func(b *Build, _ *Attempt) { b.Plan = plan(func(j *buildspec.Job) { j.Privileged = true }) }, time.Hour, false},
		"of an engine that lets nobody in": {func(_ *Build, a *Attempt) { a.Engine = "host" }, time.Hour, false},
	} {
		c := newKeptScene(t)
		b := &Build{Project: "api", Number: 1, Plan: plan(func(*buildspec.Job) {})}
		a := &Attempt{Number: 1, Engine: "local", Sandbox: "x-1", Sent: true, Status: Failed}
		tt.change(b, a)
		tx, err := c.s.db.Begin(true)
		if err != nil {
			t.Fatal(err)
		}
		if err := put(tx, bucketSandboxes, []byte("x-1"), sandboxRow{ID: "x-1", Engine: "local", Build: "api#1", Job: "build"}); err != nil {
			t.Fatal(err)
		}
		row, err := c.s.keeps(tx, b, &Job{ID: "build"}, a, tt.span, time.Now())
		if err != nil || (row != nil) != tt.want {
			t.Errorf("%s is kept: %t (%v), want %t", name, row != nil, err, tt.want)
		}
		_ = tx.Rollback()
	}
}

func TestKeptSandboxesGoWhenTheirTimeIsOver(t *testing.T) {
	c := newKeptScene(t)
	build, box := c.fail()
	if left := c.tend(0); len(left) != 1 || left[box] {
		t.Fatalf("%v are kept, want %s, in which nothing runs", left, box)
	}
	if k, ok := c.s.Kept(build, ""); !ok || k.Bytes == 0 || time.Until(k.Until) < 3*time.Hour {
		t.Errorf("what is kept is %+v, %t", k, ok)
	}
	if left := c.tend(5 * time.Hour); len(left) != 0 {
		t.Errorf("after its time %v are left", left)
	}
	if _, err := c.enterKept(build); err == nil || !strings.Contains(err.Error(), "no sandbox is kept") {
		t.Errorf("going into what is gone: %v", err)
	}
	checkClean(t, c.s, c.path)
}

func TestKeptSandboxesAreBounded(t *testing.T) {
	c := newKeptScene(t)
	var boxes []string
	for range 3 {
		_, box := c.fail()
		c.e.wrote[box] = 4 << 30
		boxes = append(boxes, box)
	}
	if left := c.tend(0); len(left) != 2 || len(c.e.boxes) != 2 {
		t.Fatalf("%v are kept of three that have 4 GiB each, want two", left)
	} else if _, there := left[boxes[0]]; there {
		t.Errorf("the oldest stayed: %v", left)
	}
	short := true
	if gone := c.s.EvictKept(t.Context(), func() bool { was := short; short = false; return !was }); gone != 1 {
		t.Errorf("%d went for lack of space, want the oldest", gone)
	}
	if left := c.tend(0); len(left) != 1 {
		t.Errorf("%v are left", left)
	} else if _, there := left[boxes[2]]; !there {
		t.Errorf("the newest went: %v", left)
	}
	c.settings(func(cfg *config.Config) { cfg.KeepFailedBytes = 0 })
	for range maxKept + 1 {
		c.fail()
	}
	if left := c.tend(0); len(left) != maxKept {
		t.Errorf("%d are kept, want %d", len(left), maxKept)
	}
	c.settings(func(cfg *config.Config) { cfg.Projects[0].KeepFailed = config.KeepOff })
	if left := c.tend(0); len(left) != 0 {
		t.Errorf("%v are left of a project that keeps none any more", left)
	}
}

func TestNobodyIsThrownOut(t *testing.T) {
	c := newKeptScene(t)
	build, box := c.fail()
	c.tend(0)
	first, err := c.enterKept(build)
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.enterKept(build)
	if err != nil {
		t.Fatal(err)
	}
	if left := c.tend(9 * time.Hour); !left[box] {
		t.Errorf("with people in it the sandbox is %v", left)
	}
	if gone := c.s.EvictKept(t.Context(), func() bool { return false }); gone != 0 {
		t.Errorf("%d went with people in them", gone)
	}
	first.Leave()
	first.Leave()
	if !c.e.boxes[box] {
		t.Error("the sandbox was ended when the first of two left it")
	}
	var others []*OpenedShell
	for range maxShells - 1 {
		o, err := c.enterKept(build)
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, o)
	}
	if _, err := c.enterKept(build); !errors.As(err, new(*ConflictError)) {
		t.Errorf("one more than there is room for: %v", err)
	}
	for _, o := range append(others, second) {
		o.Leave()
	}
	if c.e.boxes[box] {
		t.Error("the sandbox runs although all have left it")
	}
	if k, _ := c.s.Kept(build, ""); k.Bytes != 0 || k.Inside != 0 {
		t.Errorf("what people were in is %+v, which is to be measured again", k)
	}
}

// TestTheLastToLeaveProlongsTheTime of a sandbox that was about to go.
func TestTheLastToLeaveProlongsTheTime(t *testing.T) {
	c := newKeptScene(t)
	c.settings(func(cfg *config.Config) { cfg.KeepFailed = "1m" })
	build, _ := c.fail()
	c.tend(0)
	o, err := c.enterKept(build)
	if err != nil {
		t.Fatal(err)
	}
	o.Leave()
	if k, _ := c.s.Kept(build, ""); time.Until(k.Until) < prolonged-time.Minute {
		t.Errorf("it goes in %s, want %s", time.Until(k.Until), prolonged)
	}
}

func TestTheNextDaemonKnowsWhatIsKept(t *testing.T) {
	c := newKeptScene(t)
	build, box := c.fail()
	c.tend(0)
	if _, err := c.enterKept(build); err != nil {
		t.Fatal(err)
	}
	c.s.kept.get(box).guard() // that daemon is killed
	c.s.work.Done()
	if err := c.s.Close(); err != nil {
		t.Fatal(err)
	}
	c.open()
	if left := c.tend(0); len(left) != 1 || left[box] {
		t.Errorf("under the next daemon %v are kept, want %s, in which nothing runs", left, box)
	}
	o, err := c.enterKept(build)
	if err != nil {
		t.Fatal(err)
	}
	o.Leave()
	delete(c.e.boxes, box) // docker container prune
	c.s.kept.get(box).closed = false
	if left := c.tend(0); len(left) != 0 {
		t.Errorf("of a container that somebody removed %v is left", left)
	}
}

func TestWhatCannotBeOpenedStays(t *testing.T) {
	c := newKeptScene(t)
	build, box := c.fail()
	c.tend(0)
	c.e.shut = fmt.Errorf("no room")
	if _, err := c.enterKept(build); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("opening says %v", err)
	}
	c.e.shut = nil
	if left := c.tend(0); left[box] || len(left) != 1 {
		t.Errorf("after that %v are there", left)
	}
	o, err := c.enterKept(build)
	if err != nil {
		t.Fatal(err)
	}
	o.Leave()
}

func TestCheckKnowsWhatMayBeKept(t *testing.T) {
	c := newKeptScene(t)
	_, box := c.fail()
	c.tend(0)
	err := c.s.db.Update(func(tx *bbolt.Tx) error {
		row, err := get[sandboxRow](tx, bucketSandboxes, []byte(box))
		if err != nil {
			return err
		}
		row.Kept.Attempt = 9
		return put(tx, bucketSandboxes, []byte(box), row)
	})
	if err := errors.Join(err, c.s.Close()); err != nil {
		t.Fatal(err)
	}
	st, err := OpenState(c.path)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var problems []string
	if err := st.Check(func(p string) { problems = append(problems, p) }); err != nil || len(problems) != 1 || !strings.Contains(problems[0], box+" is kept") {
		t.Errorf("it reports %q, %v", problems, err)
	}
}
