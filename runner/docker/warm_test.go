package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/runner"
)

// sameDaemon is another process of the same daemon: it knows nothing of what the first one made.
func sameDaemon(t *testing.T, e *Engine) *Engine {
	t.Helper()
	again, err := New(e.opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Close() })
	return again
}

func warm(t testing.TB, e *Engine, spec runner.SandboxSpec) {
	t.Helper()
	if err := e.Warm(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
}

// hostMounts names what is mounted below the data directory, as the host sees it.
func hostMounts(t testing.TB, e *Engine) (found []string) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, e.opts.DataDir) {
			found = append(found, line)
		}
	}
	return found
}

func TestWarmSandboxIsFilled(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(*testing.T, *Engine) *Engine{
		"by the daemon that made it": func(_ *testing.T, e *Engine) *Engine { return e },
		"by the next one":            sameDaemon,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := newEngine(t, mountMode)
			spec := newSpec(t, first, map[string]string{"a": "from the tree\n"})
			spec.Limits = runner.Limits{CPUs: 1, MemoryBytes: 512 << 20, PIDs: 100}
			for range 2 {
				warm(t, first, spec)
			}
			e := next(t, first)
			write(t, filepath.Join(spec.Dir, "upper"), map[string]string{".git/HEAD": "ref: refs/heads/main\n"})
			write(t, filepath.Join(spec.Dir, "objects"), map[string]string{"pack/p.pack": "PACK"})
			spec.Limits = runner.Limits{CPUs: 0.5, MemoryBytes: 256 << 20, PIDs: 50}
			for range 2 {
				if err := e.Fill(t.Context(), spec); err != nil {
					t.Fatal(err)
				}
			}
			b := attach(t, e, spec)
			b.want("cat a .git/HEAD /codebuild/objects/pack/p.pack", "from the tree\nref: refs/heads/main\nPACK")
			b.want("grep -c ' /codebuild/output/src ' /proc/mounts", "1")
			b.want("echo mine >a; cat a", "mine")
			b.want("df -P /dev/shm | tail -1 | { read a b c; echo $b; }", fmt.Sprint(128<<10))
			in, err := e.inspect(t.Context(), spec.ID)
			if err != nil {
				t.Fatal(err)
			}
			if r := in.HostConfig.Resources; r.NanoCPUs != 5e8 || r.Memory != 256<<20 || r.MemorySwap != 256<<20 || pids(r) != 50 {
				t.Errorf("limits %+v", r)
			}
			if found := hostMounts(t, e); len(found) > 0 {
				t.Errorf("the host has mounts: %q", found)
			}
		})
	}
}

func TestFillOfWhatIsGone(t *testing.T) {
	t.Parallel()
	e := newEngine(t, mountMode)
	spec := newSpec(t, e, nil)
	warm(t, e, spec)
	if err := e.api.ContainerRemove(t.Context(), containerName(spec.ID), container.RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*Engine{e, sameDaemon(t, e)} {
		if err := e.Fill(t.Context(), spec); !errors.Is(err, runner.ErrNoSandbox) {
			t.Errorf("filled: %v, want ErrNoSandbox", err)
		}
	}
}

// TestFillOfWhatIsMadeInAnotherWay tells of a daemon that comes back with other settings, or another agent, and of a
// sandbox that was made for another image.
func TestFillOfWhatIsMadeInAnotherWay(t *testing.T) {
	t.Parallel()
	first := newEngine(t, mountMode)
	spec := newSpec(t, first, nil)
	warm(t, first, spec)
	for name, change := range map[string]func(*Options, *runner.SandboxSpec){
		"proxy":   func(o *Options, _ *runner.SandboxSpec) { o.Proxy.HTTP = "http://proxy:3128" },
		"network": func(o *Options, _ *runner.SandboxSpec) { o.Network = "none" },
		"agent": func(o *Options, _ *runner.SandboxSpec) {
			o.Agent = func(string) ([]byte, error) { return []byte("x"), nil }
		},
		"image":    func(_ *Options, s *runner.SandboxSpec) { s.Image.ID = "sha256:" + strings.Repeat("0", 64) },
		"variable": func(_ *Options, s *runner.SandboxSpec) { s.Env = []string{"A=b"} },
		"mount":    func(_ *Options, s *runner.SandboxSpec) { s.Mounts = []runner.Mount{{Source: "/opt", Target: "/opt"}} },
	} {
		e, other := sameDaemon(t, first), spec
		change(&e.opts, &other)
		if err := e.Fill(t.Context(), other); err == nil || !strings.Contains(err.Error(), "other settings") {
			t.Errorf("%s: filled: %v", name, err)
		}
	}
	if err := sameDaemon(t, first).Fill(t.Context(), spec); err != nil {
		t.Error(err)
	}
}

func TestFillOfWhatEnded(t *testing.T) {
	t.Parallel()
	e := newEngine(t, mountMode)
	spec := newSpec(t, e, nil)
	warm(t, e, spec)
	if err := e.Kill(t.Context(), spec.ID); err != nil {
		t.Fatal(err)
	}
	for _, e := range []*Engine{e, sameDaemon(t, e)} {
		if err := e.Fill(t.Context(), spec); err == nil || errors.Is(err, runner.ErrNoSandbox) {
			t.Errorf("filled: %v", err)
		}
	}
}

func TestWhatCannotBeWarm(t *testing.T) {
	t.Parallel()
	e := newEngine(t, mountMode)
	spec := newSpec(t, e, nil)
	if err := e.CanWarm(t.Context(), spec); err != nil {
		t.Errorf("a plain one cannot: %v", err)
	}
	privileged, services := spec, spec
	privileged.Privileged = true
	services.Services = []runner.Service{{Name: "db", Image: spec.Image}}
	for want, spec := range map[string]runner.SandboxSpec{"privileged": privileged, "services": services} {
		if err := errors.Join(e.CanWarm(t.Context(), spec), e.Warm(t.Context(), spec)); err == nil || strings.Count(err.Error(), want) != 2 {
			t.Errorf("%s: %v", want, err)
		}
	}
	for _, mode := range []func(*Options){overlayMode, copyMode} {
		e := newEngine(t, mode)
		if err := e.CanWarm(t.Context(), newSpec(t, e, nil)); err == nil || !strings.Contains(err.Error(), "mount") {
			t.Errorf("workspace %s: %v", e.opts.Workspace, err)
		}
	}
}

func TestLimitsThatCannotBeLifted(t *testing.T) {
	t.Parallel()
	n := int64(7)
	for name, want := range map[string]container.Resources{"memory": {NanoCPUs: 1e9, PidsLimit: &n}, "cpus": {Memory: 1 << 30, PidsLimit: &n}} {
		if c, err := changed(container.Resources{NanoCPUs: 1e9, Memory: 1 << 30, PidsLimit: &n}, want); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
	c, err := changed(container.Resources{PidsLimit: &n}, container.Resources{})
	if err != nil || c == nil || pids(*c) != 0 || c.PidsLimit == nil {
		t.Errorf("pids: %+v, %v", c, err)
	}
}

// TestWorkspaceIsMountedByTheNextDaemon tells of a daemon that dies between the start of a container and the mount.
func TestWorkspaceIsMountedByTheNextDaemon(t *testing.T) {
	t.Parallel()
	first := newEngine(t, mountMode)
	spec := newSpec(t, first, map[string]string{"a": "whole"})
	l, err := first.launch(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	l.ahead = true // it starts, and mounts nothing
	if err := l.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	e := sameDaemon(t, first)
	for range 2 {
		if err := e.Create(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	b := attach(t, e, spec)
	b.want("cat a", "whole")
	b.want("grep -c ' /codebuild/output/src ' /proc/mounts", "1")
	if err := e.Remove(t.Context(), spec.ID); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(spec.Dir); err != nil {
		t.Error(err)
	}
}

func TestFurtherLayers(t *testing.T) {
	t.Parallel()
	e := newEngine(t, mountMode)
	spec := newSpec(t, e, map[string]string{"a": "tree", "b": "tree", "c": "tree"})
	write(t, filepath.Join(spec.Dir, "upper"), map[string]string{"a": "upper"})
	cache := t.TempDir()
	write(t, cache, map[string]string{"one/b": "one", "two/b": "two", "two/mods/x": "two"})
	one, two := filepath.Join(cache, "one"), filepath.Join(cache, "two")
	if err := e.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := e.Remount(t.Context(), spec, []string{one, two}); err != nil {
			t.Fatal(err)
		}
		path, err := e.MountExtra(t.Context(), spec.ID, "mods", []string{two, one})
		if err != nil || path != "/codebuild/extra/mods" {
			t.Fatal(path, err)
		}
	}
	if _, err := e.MountExtra(t.Context(), spec.ID, "new", nil); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"../up", "", "a/b"} {
		if path, err := e.MountExtra(t.Context(), spec.ID, bad, nil); err == nil {
			t.Errorf("%q was mounted on %s", bad, path)
		}
	}
	if _, err := e.MountExtra(t.Context(), spec.ID, "odd", []string{one + ":" + two}); err == nil {
		t.Error("a colon in a layer's path made two of it")
	}
	b := attach(t, e, spec)
	b.want("cd /codebuild/extra/new && ls -A && echo mine >x && cat x", "mine")
	b.want("cat a b c mods/x", "upperonetreetwo")
	b.want("cat /codebuild/extra/mods/b /codebuild/extra/mods/mods/x", "twotwo")
	b.want("echo mine >/codebuild/extra/mods/b && echo mine >b && cat b /codebuild/extra/mods/b", "mine\nmine")
	b.refused("touch /codebuild/extra/other")
	b.refused("umount /codebuild/extra/mods || umount /codebuild/output/src")
	b.want("grep -c ' /codebuild/extra/mods overlay rw,nosuid,nodev' /proc/mounts", "1")
	b.want("grep -c ' /codebuild/output/src ' /proc/mounts; grep -c ' /codebuild/extra ' /proc/mounts", "1\n1")
	for name, want := range map[string]string{"one/b": "one", "two/b": "two"} {
		if text, err := os.ReadFile(filepath.Join(cache, name)); err != nil || string(text) != want {
			t.Errorf("the job changed %s: %q, %v", name, text, err)
		}
	}
	if err := e.Remove(t.Context(), spec.ID); err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{"work", "extra", "extra-upper", "extra-work"} {
		if _, err := os.Lstat(filepath.Join(spec.Dir, left)); !os.IsNotExist(err) {
			t.Errorf("left behind: %s, %v", left, err)
		}
	}
}

// TestImageInTheWayOfTheWorkspace tells of an image that declares a volume where the workspace is to be mounted: its
// own sandbox comes by its files in another way, and it alone.
func TestImageInTheWayOfTheWorkspace(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	odd := newSpec(t, e, map[string]string{"a": "odd"})
	odd.Image = imageWith(t, e, "VOLUME /codebuild/output")
	start(t, e, odd).want("cat a", "odd")
	plain := newSpec(t, e, map[string]string{"a": "plain"})
	start(t, e, plain).want("cat a", "plain")
	if e.mode.get() != workspaceMount {
		t.Errorf("mode is %q", e.mode.get())
	}
	for _, spec := range []runner.SandboxSpec{odd, plain} {
		if err := e.Remove(t.Context(), spec.ID); err != nil {
			t.Error(err)
		}
	}
}

// TestDaemonThatDoesNotSeeContainers tells of a daemon in a container of its own, beside which the engine is not: it
// makes no mounts in there, once says why, and everything works all the same.
func TestDaemonThatDoesNotSeeContainers(t *testing.T) {
	if os.Getenv("RUNNER_TEST_APART") == "" {
		enginetest.Busybox(t)
		cmd := exec.Command("unshare", "--pid", "--fork", "--mount-proc", os.Args[0], "-test.run=^TestDaemonThatDoesNotSeeContainers$", "-test.v")
		cmd.Env = append(os.Environ(), "RUNNER_TEST_APART=1")
		out, err := cmd.CombinedOutput()
		if errors.Is(err, exec.ErrNotFound) {
			t.Skip("no unshare here")
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if n := strings.Count(string(out), "the daemon cannot mount workspaces"); n != 1 {
			t.Errorf("it was said %d times:\n%s", n, out)
		}
		return
	}
	e := newEngine(t)
	if err := e.Warm(t.Context(), newSpec(t, e, nil)); err == nil || !strings.Contains(err.Error(), "container's process") {
		t.Errorf("made ahead: %v", err)
	}
	for range 2 {
		start(t, e, newSpec(t, e, map[string]string{"a": "mounted"})).want("cat a", "mounted")
	}
	if e.mode.get() != workspaceOverlay {
		t.Errorf("mode is %q", e.mode.get())
	}
	if err := e.CanWarm(context.Background(), newSpec(t, e, nil)); err == nil {
		t.Error("it says that it can make sandboxes ahead")
	}
}

// TestSharedMemoryIsSizedBeforeTheEngineKnowsOfLimits has the engine refuse limits: what a daemon that died between the two
// left undone, the next one could not tell from what the engine has.
func TestSharedMemoryIsSizedBeforeTheEngineKnowsOfLimits(t *testing.T) {
	t.Parallel()
	e := newEngine(t, mountMode)
	spec := newSpec(t, e, nil)
	spec.Limits = runner.Limits{MemoryBytes: 512 << 20}
	warm(t, e, spec)
	spec.Limits.MemoryBytes = 1 << 20 // less than any engine takes
	if err := e.Fill(t.Context(), spec); err == nil {
		t.Fatal("an engine takes 1 MiB: the test needs another way to have it refuse")
	}
	b, _ := e.made.get(spec.ID)
	var st unix.Statfs_t
	if err := unix.Statfs(fmt.Sprintf("/proc/%d/root/dev/shm", b.pid), &st); err != nil || int64(st.Blocks)*int64(st.Bsize) != shmSize(1<<20) {
		t.Errorf("shared memory has %d blocks of %d, %v", st.Blocks, st.Bsize, err)
	}
}
