package docker

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"

	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/runner"
)

// standIn builds the test's own agent once per process.
var standIn = sync.OnceValues(func() ([]byte, error) { return build("./testdata/agent") })

func standInSource(string) ([]byte, error) { return standIn() }

// newEngine makes an executor with an instance id of its own, and sees at the end of the test that nothing bears it.
func newEngine(t testing.TB, change ...func(*Options)) *Engine {
	t.Helper()
	enginetest.Busybox(t)
	o := Options{
		Engine: "test", Instance: "test-" + randomID(), DataDir: t.TempDir(), Agent: standInSource,
		Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&o)
	}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := leftovers(t, e); n != "" {
			t.Errorf("left in the engine: %s", n)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// leftovers names what bears the executor's instance id.
func leftovers(t testing.TB, e *Engine) string {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	label := filters.NewArgs(filters.Arg("label", LabelInstance+"="+e.opts.Instance))
	var names []string
	cs, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: label})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cs {
		names = append(names, "container "+c.Names[0])
	}
	vs, err := e.api.VolumeList(ctx, volume.ListOptions{Filters: label})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vs.Volumes {
		names = append(names, "volume "+v.Name)
	}
	ns, err := e.api.NetworkList(ctx, network.ListOptions{Filters: label})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range ns {
		names = append(names, "network "+n.Name)
	}
	return strings.Join(names, ", ")
}

func randomID() string {
	var b [6]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func copyMode(o *Options)    { o.Workspace = workspaceCopy }
func mountMode(o *Options)   { o.Workspace = workspaceMount }
func overlayMode(o *Options) { o.Workspace = workspaceOverlay }

// eachMode runs a story with each kind of workspace. The overlay that the engine mounts, which few engines still need,
// is left to the slow tests.
func eachMode(t *testing.T, story func(t *testing.T, mode func(*Options))) {
	t.Helper()
	modes := map[string]func(*Options){"mount": mountMode, "copy": copyMode}
	if os.Getenv("RUNNER_SLOW") != "" {
		modes["overlay"] = overlayMode
	}
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, mode)
		})
	}
}

// inEachMode is eachMode with an engine.
func inEachMode(t *testing.T, story func(t *testing.T, e *Engine)) {
	t.Helper()
	eachMode(t, func(t *testing.T, mode func(*Options)) { story(t, newEngine(t, mode)) })
}

// files are written below a directory; a name that ends with "@" is a symbolic link.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, strings.TrimSuffix(name, "@"))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if strings.HasSuffix(name, "@") {
			err = os.Symlink(text, path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// newSpec makes the directories of a sandbox as the daemon does, and removes sandbox and directories at the end.
func newSpec(t testing.TB, e *Engine, tree map[string]string) runner.SandboxSpec {
	t.Helper()
	img, err := e.Resolve(t.Context(), runner.ImageRequest{Ref: enginetest.BusyboxRef, Pull: pullNever})
	if err != nil {
		t.Fatal(err)
	}
	spec := runner.SandboxSpec{ID: randomID(), Image: img}
	spec.Dir = e.SandboxDir(spec.ID)
	for name, mode := range map[string]os.FileMode{"upper": 0o755, "spool": 0o700, "objects": 0o755} {
		if err := os.MkdirAll(filepath.Join(spec.Dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if tree != nil {
		spec.Tree = filepath.Join(e.opts.DataDir, "snapshots", spec.ID)
		write(t, spec.Tree, tree)
	}
	t.Cleanup(func() {
		if err := e.Remove(context.WithoutCancel(t.Context()), spec.ID); err != nil {
			t.Errorf("removing: %v", err)
		}
	})
	return spec
}

// box is a running sandbox whose stand-in agent takes shell commands.
type box struct {
	t    testing.TB
	e    *Engine
	spec runner.SandboxSpec
	conn io.ReadWriteCloser
	out  *bufio.Reader
}

func start(t testing.TB, e *Engine, spec runner.SandboxSpec) *box {
	t.Helper()
	if err := e.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	return attach(t, e, spec)
}

func attach(t testing.TB, e *Engine, spec runner.SandboxSpec) *box {
	t.Helper()
	conn, err := e.Attach(t.Context(), spec.ID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &box{t: t, e: e, spec: spec, conn: conn, out: bufio.NewReader(conn)}
}

// sh runs one line and returns its output and status.
func (b *box) sh(line string) (string, int) {
	b.t.Helper()
	b.say(line)
	guard := time.AfterFunc(time.Minute, func() { b.conn.Close() })
	defer guard.Stop()
	var out strings.Builder
	for {
		text, err := b.out.ReadString('\n')
		if err != nil {
			b.t.Fatalf("waiting for the end of %q: %v", line, err)
		}
		var status int
		if n, _ := fmt.Sscanf(text, "status %d\n", &status); n == 1 {
			return strings.TrimSuffix(out.String(), "\n"), status
		}
		out.WriteString(text)
	}
}

func (b *box) say(line string) {
	b.t.Helper()
	if _, err := io.WriteString(b.conn, line+"\n"); err != nil {
		b.t.Fatal(err)
	}
}

// want runs one line that must succeed with this output.
func (b *box) want(line, want string) {
	b.t.Helper()
	if got, status := b.sh(line); got != want || status != 0 {
		b.t.Errorf("%s: got %q, status %d; want %q, status 0", line, got, status, want)
	}
}

// refused runs one line that must fail.
func (b *box) refused(line string) {
	b.t.Helper()
	if got, status := b.sh(line); status == 0 {
		b.t.Errorf("%s: succeeded with %q, want it refused", line, got)
	}
}

// ended waits until the sandbox no longer runs.
func (b *box) ended() runner.SandboxState {
	b.t.Helper()
	for range 2000 {
		st, err := b.e.Inspect(b.t.Context(), b.spec.ID)
		if err != nil {
			b.t.Fatal(err)
		}
		if !st.Running {
			return st
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.t.Fatalf("sandbox %s still runs", b.spec.ID)
	return runner.SandboxState{}
}

// ownBridge gives an engine a default network of its own, and removes that after its sandboxes.
func ownBridge(t testing.TB, e *Engine) {
	t.Helper()
	e.bridge = "runner-test-" + randomID()
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if w := e.wiring.Load(); w != nil {
			noLinks(t, w) // or the network is made again for them
		}
		if err := patiently(ctx, func(ctx context.Context) error { return e.api.NetworkRemove(ctx, e.bridge) }); err != nil {
			t.Errorf("removing network %s: %v", e.bridge, err)
		}
	})
}
