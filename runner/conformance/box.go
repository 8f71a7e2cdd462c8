package conformance

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// patience bounds every wait of the suite. Nothing that works takes long; it only keeps a broken executor from
// hanging the test run.
const patience = 60 * time.Second

// box is one sandbox under test.
type box struct {
	t    *testing.T
	ex   runner.Executor
	spec runner.SandboxSpec
}

// newBox makes a sandbox over a small snapshot, and removes it when the test ends.
func newBox(t *testing.T, ex runner.Executor, ref string) *box {
	t.Helper()
	b := prepareBox(t, ex, ref)
	if err := ex.Create(t.Context(), b.spec); err != nil {
		t.Fatal(err)
	}
	return b
}

// prepareBox makes all that a sandbox needs, but not the sandbox.
func prepareBox(t *testing.T, ex runner.Executor, ref string) *box {
	t.Helper()
	image, err := ex.Resolve(t.Context(), runner.ImageRequest{Ref: ref, Pull: "if-not-present"})
	if err != nil {
		t.Fatal(err)
	}
	id := randomID(t)
	b := &box{t: t, ex: ex, spec: runner.SandboxSpec{
		ID: id, Image: image, Dir: sandboxDir(t, ex, id), Tree: snapshot(t),
		Env: []string{"CONFORMANCE_ENV=from the admin"},
	}}
	b.makeDir()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := ex.Remove(ctx, id); err != nil {
			t.Errorf("removing sandbox %s: %v", id, err)
		}
		if err := os.RemoveAll(b.spec.Dir); err != nil {
			t.Errorf("something of sandbox %s was left behind: %v", id, err)
		}
	})
	return b
}

func randomID(t *testing.T) string {
	t.Helper()
	var raw [8]byte
	if _, err := rand.Read(raw[:]); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(raw[:])
}

func sandboxDir(t *testing.T, ex runner.Executor, id string) string {
	t.Helper()
	if placed, ok := ex.(interface{ SandboxDir(id string) string }); ok {
		return placed.SandboxDir(id)
	}
	return filepath.Join(t.TempDir(), id)
}

// makeDir lays the sandbox's directory out as the daemon does before Create.
func (b *box) makeDir() {
	b.t.Helper()
	for _, d := range []struct {
		name string
		mode os.FileMode
	}{{"", 0o711}, {"upper", 0o755}, {"upper/.git", 0o755}, {"spool", 0o700}, {"objects", 0o755}} {
		if err := os.MkdirAll(filepath.Join(b.spec.Dir, d.name), d.mode); err != nil {
			b.t.Fatal(err)
		}
	}
	write(b.t, filepath.Join(b.spec.Dir, "upper/.git/HEAD"), "ref: refs/heads/main\n")
}

// snapshot makes a source tree as the daemon lays one out.
func snapshot(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "pkg"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "hello.txt"), "hello from the snapshot\n")
	write(t, filepath.Join(dir, "pkg", "deep.txt"), "deep\n")
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// job is a job whose BUILD phase has these commands.
func (b *box) job(commands ...string) wire.Job {
	return wire.Job{
		Attempt: "conformance#1/build@1",
		Dir:     b.ex.Paths(b.spec.ID).Source,
		Phases: []wire.Phase{
			{Name: wire.PhaseInstall},
			{Name: wire.PhasePreBuild},
			{Name: wire.PhaseBuild, Commands: commands},
			{Name: wire.PhasePostBuild},
		},
		Limits: wire.Limits{TimeoutMillis: patience.Milliseconds(), GraceMillis: 500},
	}
}

// run attaches, hands the job over and returns all that came of it.
func (b *box) run(job wire.Job) *record {
	b.t.Helper()
	c := b.attach(1, 0)
	defer c.close()
	c.send(job)
	rec := &record{t: b.t}
	rec.followToEnd(c)
	return rec
}

// waitEnded waits until the engine says that the sandbox no longer runs.
func (b *box) waitEnded() runner.SandboxState {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		state, err := b.ex.Inspect(b.t.Context(), b.spec.ID)
		if err != nil {
			b.t.Fatal(err)
		}
		if !state.Running {
			return state
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("sandbox %s still runs", b.spec.ID)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// spooled reads the record from the spool, as the daemon does when the agent is gone.
func (b *box) spooled() *record {
	b.t.Helper()
	f, err := b.ex.Open(b.t.Context(), b.spec.ID, wire.SpoolFile)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	rec := &record{t: b.t}
	r := wire.NewReader(f)
	for {
		frame, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rec
		}
		if err != nil {
			b.t.Fatal(err)
		}
		rec.take(frame)
	}
}
