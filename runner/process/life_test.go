//go:build linux

package process

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// testID is of this run alone: to end a sandbox is to end every process of the machine that bears its mark, those of
// another run of these tests, too.
var testID = strings.ToLower(rand.Text()[:16])

// newSpec lays a sandbox's directory out as the daemon does.
func newSpec(t *testing.T, ex *Executor) runner.SandboxSpec {
	t.Helper()
	dir := ex.SandboxDir(testID)
	for _, name := range []string{"upper/.git", "spool", "objects"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := ex.Remove(t.Context(), testID); err != nil {
			t.Error(err)
		}
	})
	return runner.SandboxSpec{ID: testID, Dir: dir}
}

func create(t *testing.T, ex *Executor, spec runner.SandboxSpec) {
	t.Helper()
	if err := ex.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
}

// sendJob hands a job to the agent and detaches when it has begun.
func sendJob(t *testing.T, ex *Executor, commands ...string) {
	t.Helper()
	conn, err := ex.Attach(t.Context(), testID)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	w := wire.NewWriter(conn)
	job := wire.Job{
		Attempt: "a", Dir: ex.Paths(testID).Source, Limits: wire.Limits{TimeoutMillis: 60_000},
		Phases: []wire.Phase{{Name: wire.PhaseBuild, Commands: commands}},
	}
	if err := errors.Join(w.Begin(), w.Send(1, wire.Hello{Protocol: wire.Protocol, Epoch: 1}), w.Send(2, job)); err != nil {
		t.Fatal(err)
	}
	r := wire.NewReader(conn)
	for {
		f, err := r.Read()
		if err != nil {
			t.Fatal(err)
		}
		if f.Kind == wire.KindCommandBegan {
			return
		}
	}
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

func (e *Executor) ended(t *testing.T) runner.SandboxState {
	t.Helper()
	var state runner.SandboxState
	await(t, "the sandbox still runs", func() bool {
		var err error
		if state, err = e.Inspect(t.Context(), testID); err != nil {
			t.Fatal(err)
		}
		return !state.Running
	})
	return state
}

// restarted is the executor of the next daemon.
func restarted(t *testing.T, ex *Executor, change func(*Options)) *Executor {
	t.Helper()
	opts := ex.opts
	if change != nil {
		change(&opts)
	}
	next, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func TestALaterDaemonFindsInspectsAndKills(t *testing.T) {
	ex := newTestExecutor(t)
	create(t, ex, newSpec(t, ex))
	sendJob(t, ex, "echo $$ >pid; exec sleep 600")
	next := restarted(t, ex, nil)
	if ids, err := next.List(t.Context()); err != nil || !slices.Equal(ids, []string{testID}) {
		t.Fatalf("listed %q, %v", ids, err)
	}
	state, err := next.Inspect(t.Context(), testID)
	if err != nil || !state.Running || state.StartedAt.IsZero() {
		t.Fatalf("inspected %+v, %v", state, err)
	}
	pidFile := filepath.Join(next.Paths(testID).Source, "pid")
	await(t, "the job did not begin", func() bool { text, _ := os.ReadFile(pidFile); return len(text) > 1 })
	text, _ := os.ReadFile(pidFile)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := next.Kill(t.Context(), testID); err != nil {
		t.Fatal(err)
	}
	if state := next.ended(t); state.EndedAt.IsZero() {
		t.Errorf("ended as %+v", state)
	}
	await(t, "the job's process lives", func() bool { return syscall.Kill(pid, 0) != nil })
	// The daemon that started it saw how it ended.
	await(t, "the exit status is not known", func() bool {
		state, err := ex.Inspect(t.Context(), testID)
		return err == nil && state.ExitCode == 137
	})
}

func TestAnotherProcessUnderTheSamePidIsLeftAlone(t *testing.T) {
	ex := newTestExecutor(t)
	newSpec(t, ex)
	// What a daemon left that died long ago: its agent's pid is now that of this very test.
	st := state{Instance: ex.opts.Instance, Engine: ex.opts.Engine, Boot: ex.boot, PID: os.Getpid(), Start: 1}
	if err := ex.save(testID, st); err != nil {
		t.Fatal(err)
	}
	if state, err := ex.Inspect(t.Context(), testID); err != nil || state.Running || state.ExitCode != -1 {
		t.Errorf("inspected %+v, %v", state, err)
	}
	if err := ex.Kill(t.Context(), testID); err != nil {
		t.Error(err)
	}
	st.Start, st.Boot = mustProcess(t, os.Getpid()).start, "another boot"
	if err := ex.save(testID, st); err != nil {
		t.Fatal(err)
	}
	if state, err := ex.Inspect(t.Context(), testID); err != nil || state.Running {
		t.Errorf("after a boot: %+v, %v", state, err)
	}
}

func mustProcess(t *testing.T, pid int) proc {
	t.Helper()
	p, err := readProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestKillFindsWhatEscaped(t *testing.T) {
	ex := newTestExecutor(t)
	create(t, ex, newSpec(t, ex))
	// A daemon of the job: its own session, its parents gone. The agent is killed too, as a job of the same user can.
	sendJob(t, ex, "(setsid sh -c 'echo $$ >escaped; sleep 600' &) ; kill -9 $PPID")
	file := filepath.Join(ex.Paths(testID).Source, "escaped")
	await(t, "nothing escaped", func() bool { text, _ := os.ReadFile(file); return len(text) > 1 })
	ex.ended(t)
	text, _ := os.ReadFile(file)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if syscall.Kill(pid, 0) != nil {
		t.Skip("it did not escape")
	}
	if err := ex.Remove(t.Context(), testID); err != nil {
		t.Fatal(err)
	}
	if p, err := readProcess(pid); err == nil && !p.dead {
		t.Errorf("process %d lives on", pid)
	}
}

func TestOtherDaemonsSandboxesAreNotTouched(t *testing.T) {
	ex := newTestExecutor(t)
	create(t, ex, newSpec(t, ex))
	for name, change := range map[string]func(*Options){
		"another instance": func(o *Options) { o.Instance = "other" },
		"another engine":   func(o *Options) { o.Engine = "other" },
	} {
		other := restarted(t, ex, change)
		if ids, err := other.List(t.Context()); err != nil || len(ids) > 0 {
			t.Errorf("%s lists %q, %v", name, ids, err)
		}
		if err := other.Kill(t.Context(), testID); !errors.Is(err, runner.ErrNoSandbox) {
			t.Errorf("%s kills: %v", name, err)
		}
		if err := other.Remove(t.Context(), testID); err != nil {
			t.Errorf("%s removes: %v", name, err)
		}
	}
	if state, err := ex.Inspect(t.Context(), testID); err != nil || !state.Running {
		t.Errorf("afterwards it is %+v, %v", state, err)
	}
}

func TestADaemonThatDiedWhileCreatingDoesNoHarm(t *testing.T) {
	ex := newTestExecutor(t)
	spec := newSpec(t, ex)
	create(t, ex, spec)
	st, err := ex.load(testID)
	if err != nil {
		t.Fatal(err)
	}
	orphan := st.PID
	// As if it had died between starting the agent and writing its pid down.
	st.PID, st.Start = 0, 0
	if err := ex.save(testID, st); err != nil {
		t.Fatal(err)
	}
	if state, err := ex.Inspect(t.Context(), testID); err != nil || state.Running || !state.EndedAt.IsZero() {
		t.Errorf("half made it is %+v, %v", state, err)
	}
	create(t, ex, spec)
	if p, err := readProcess(orphan); err == nil && !p.dead {
		t.Error("the agent that nobody knew of still waits")
	}
	sendJob(t, ex, "echo works")
	ex.ended(t)
	f, err := ex.Open(t.Context(), testID, wire.SpoolFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); err != nil || !strings.Contains(string(text), `"status":"SUCCEEDED"`) {
		t.Errorf("the record says %s, %v", text, err)
	}
}

func TestMemoryIsLimited(t *testing.T) {
	ex := newTestExecutor(t)
	spec := newSpec(t, ex)
	spec.Limits.MemoryBytes = 256 << 20
	create(t, ex, spec)
	sendJob(t, ex, "ulimit -d >limit")
	ex.ended(t)
	text, err := os.ReadFile(filepath.Join(ex.Paths(testID).Source, "limit"))
	if err != nil || strings.TrimSpace(string(text)) != "262144" {
		t.Errorf("the limit is %q KiB, %v", text, err)
	}
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	ex := newTestExecutor(t)
	spec := newSpec(t, ex)
	moved := spec
	moved.Dir = t.TempDir()
	if err := ex.Create(t.Context(), moved); err == nil || !strings.Contains(err.Error(), "expected "+ex.SandboxDir(testID)) {
		t.Errorf("another directory: %v", err)
	}
	mounted := spec
	mounted.Mounts = []runner.Mount{{Source: "/etc/ssl", Target: "/certs"}}
	if err := ex.Create(t.Context(), mounted); err == nil || !strings.Contains(err.Error(), "/certs") {
		t.Errorf("a mount: %v", err)
	}
	if _, err := New(Options{Root: "relative", AgentPath: "/agent"}); err == nil {
		t.Error("a relative root was taken")
	}
	broken := restarted(t, ex, func(o *Options) { o.AgentPath = "/no/such/agent" })
	var gone *runner.UnavailableError
	if err := broken.Ping(t.Context()); !errors.As(err, &gone) {
		t.Errorf("without an agent Ping says %v", err)
	}
}

func TestTheWorkspaceAsACopy(t *testing.T) {
	tree, dir := t.TempDir(), t.TempDir()
	old := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, mode := range map[string]os.FileMode{"a/run.sh": 0o755, "a/plain": 0o640, "top": 0o444} {
		path := filepath.Join(tree, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(name), mode), os.Chmod(path, mode), os.Chtimes(path, old, old)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("run.sh", filepath.Join(tree, "a/link")), os.Mkdir(filepath.Join(dir, "src"), 0o755)); err != nil {
		t.Fatal(err)
	}
	upper := filepath.Join(dir, "upper")
	if err := errors.Join(os.MkdirAll(filepath.Join(upper, "a"), 0o755), os.WriteFile(filepath.Join(upper, "a/plain"), []byte("over"), 0o600)); err != nil {
		t.Fatal(err)
	}
	src := filepath.Join(dir, "src")
	if err := errors.Join(copyTree(tree, src), copyTree(upper, src)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(src, "a/run.sh"))
	if err != nil || info.Mode().Perm() != 0o755 || !info.ModTime().Equal(old) {
		t.Errorf("run.sh is %v, %v", info, err)
	}
	if link, err := os.Readlink(filepath.Join(src, "a/link")); err != nil || link != "run.sh" {
		t.Errorf("link leads to %q, %v", link, err)
	}
	if text, err := os.ReadFile(filepath.Join(src, "a/plain")); err != nil || string(text) != "over" {
		t.Errorf("plain holds %q, %v", text, err)
	}
	if err := os.WriteFile(filepath.Join(src, "a/run.sh"), []byte("changed"), 0o755); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(filepath.Join(tree, "a/run.sh")); string(text) != "a/run.sh" {
		t.Errorf("the snapshot holds %q", text)
	}
}
