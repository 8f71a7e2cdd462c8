//go:build linux

package runner_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/process"
	"github.com/runner-ci/runner/runner/wire"
)

const (
	engine  = "host"
	sandbox = "00c0ffee00c0ffee"
)

// host is a runner whose sandboxes are processes of this host, with the real agent.
func host(t *testing.T) (*runner.Runner, *process.Executor) {
	t.Helper()
	agent := buildAgent(t)
	store, err := artifacts.Open(filepath.Join(t.TempDir(), "artifacts.db"), artifacts.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	root := filepath.Join(t.TempDir(), "sandboxes")
	ex, err := process.New(process.Options{Engine: engine, Instance: "test-instance", Root: root, AgentPath: agent})
	if err != nil {
		t.Fatal(err)
	}
	r := &runner.Runner{
		Artifacts: store, Executors: map[string]runner.Executor{engine: ex}, Sandboxes: root, Epoch: 1,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	t.Cleanup(func() {
		if err := r.Destroy(context.WithoutCancel(t.Context()), engine, sandbox); err != nil {
			t.Error(err)
		}
	})
	return r, ex
}

func buildAgent(t testing.TB) string {
	t.Helper()
	agent := filepath.Join(t.TempDir(), "agent")
	build := exec.Command("go", "build", "-o", agent, "github.com/runner-ci/runner/cmd/agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the agent: %v\n%s", err, out)
	}
	return agent
}

// forgetful is a caller that keeps nothing.
type forgetful struct{}

func (forgetful) Sent(context.Context) error                      { return nil }
func (forgetful) Progress(context.Context, runner.Progress) error { return nil }

func run(t *testing.T, r *runner.Runner) runner.Result {
	t.Helper()
	res, err := r.Run(t.Context(), engine, runner.Attempt{
		ID: "a", Sandbox: sandbox, Log: "log", Set: "set", Timeout: time.Minute,
		Job: wire.Job{Phases: []wire.Phase{{Name: wire.PhaseBuild, Commands: []string{"test ! -e stale"}}}},
	}, forgetful{})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestWhatAFormerDaemonMountedIsUnmountedFirst tells of a daemon that died between mounting the workspace and starting
// the agent, and of one that had forgotten the mount on top of that.
func TestWhatAFormerDaemonMountedIsUnmountedFirst(t *testing.T) {
	for name, state := range map[string]string{
		"half-made": `{"instance":"test-instance","engine":"host"}`,
		"forgotten": "",
	} {
		t.Run(name, func(t *testing.T) {
			r, ex := host(t)
			dir := ex.SandboxDir(sandbox)
			src := filepath.Join(dir, "src")
			if err := os.MkdirAll(src, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := unix.Mount("runner", src, "tmpfs", 0, ""); err != nil {
				t.Skipf("no mounts here: %v", err)
			}
			t.Cleanup(func() { _ = unix.Unmount(src, unix.MNT_DETACH) })
			if err := os.WriteFile(filepath.Join(src, "stale"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			if state != "" {
				if err := os.WriteFile(filepath.Join(dir, "process.json"), []byte(state), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if res := run(t, r); res.Status != wire.StatusSucceeded {
				t.Errorf("it ended as %+v", res)
			}
			if err := r.Destroy(t.Context(), engine, sandbox); err != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("its directory: %v, want it gone", err)
			}
		})
	}
}

// mute is an engine that does not say what it has.
type mute struct{ runner.Executor }

func (mute) Inspect(context.Context, string) (runner.SandboxState, error) {
	return runner.SandboxState{}, &runner.UnavailableError{Engine: engine, Err: context.DeadlineExceeded}
}

// TestAnEngineThatIsSlowToAnswerKeepsItsSandboxesFiles tells of a sandbox that a former daemon started, on an engine that
// does not answer the next one in time.
func TestAnEngineThatIsSlowToAnswerKeepsItsSandboxesFiles(t *testing.T) {
	r, ex := host(t)
	dir := ex.SandboxDir(sandbox)
	for _, name := range []string{"upper", "spool", "objects"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := ex.Create(t.Context(), runner.SandboxSpec{ID: sandbox, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	r.Executors = map[string]runner.Executor{engine: mute{ex}}
	if res := run(t, r); res.Reason != "engine_unavailable" || !res.Transient {
		t.Errorf("it ended as %+v, want a fault of the engine that may pass", res)
	}
	if st, err := ex.Inspect(t.Context(), sandbox); err != nil || !st.Running {
		t.Errorf("the sandbox is %+v, %v, want it running", st, err)
	}
}

// torn is an engine that refuses its first creations, as one does that is still at work for a daemon that died.
type torn struct {
	runner.Executor
	refusals int
}

func (e *torn) Create(ctx context.Context, spec runner.SandboxSpec) error {
	if e.refusals--; e.refusals >= 0 {
		return errors.New("conflict: the container is being removed")
	}
	return e.Executor.Create(ctx, spec)
}

// TestWhatAFormerDaemonBeganIsTriedAgainInTheSameAttempt tells the two sorts of trouble apart: a conflict about what a
// former daemon left passes, one about a sandbox that nobody began is the attempt's end.
func TestWhatAFormerDaemonBeganIsTriedAgainInTheSameAttempt(t *testing.T) {
	for name, story := range map[string]struct {
		left   bool
		status wire.Status
	}{
		"begun by a former daemon": {true, wire.StatusSucceeded},
		"begun by nobody":          {false, wire.StatusFault},
	} {
		t.Run(name, func(t *testing.T) {
			r, ex := host(t)
			if story.left {
				if err := os.MkdirAll(filepath.Join(ex.SandboxDir(sandbox), "upper"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			r.Executors = map[string]runner.Executor{engine: &torn{ex, 2}}
			if res := run(t, r); res.Status != story.status {
				t.Errorf("it ended as %+v, want %s", res, story.status)
			}
		})
	}
}
