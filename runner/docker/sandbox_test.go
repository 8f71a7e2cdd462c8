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

func TestWorkspace(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, e *Engine) {
		spec := newSpec(t, e, map[string]string{
			"hello.txt": "hello\n", "dir/deep.txt": "deep\n", "run.sh": "echo ran\n", "odd\nname, with: things": "odd\n",
			"link@": "hello.txt", "out@": "../../../../../../etc/passwd", "abs@": "/etc/passwd", "below.txt": "from the tree\n",
		})
		if err := os.Chmod(filepath.Join(spec.Tree, "run.sh"), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(spec.Dir, "upper"), map[string]string{".git/HEAD": "ref: refs/heads/main\n", "below.txt": "from above\n"})
		write(t, filepath.Join(spec.Dir, "objects"), map[string]string{"pack/p.pack": "PACK"})
		b := start(t, e, spec)

		b.want("pwd", "/codebuild/output/src")
		b.want("cat hello.txt link dir/deep.txt below.txt .git/HEAD", "hello\nhello\ndeep\nfrom above\nref: refs/heads/main")
		b.want("./run.sh; cat odd*", "ran\nodd")
		b.want("readlink out; readlink abs", "../../../../../../etc/passwd\n/etc/passwd")
		b.want("stat -c %u:%g hello.txt dir .git .", "0:0\n0:0\n0:0\n0:0")
		b.want("mv dir moved && rm hello.txt odd* && echo new >new.txt && ls", "abs\nbelow.txt\nlink\nmoved\nnew.txt\nout\nrun.sh")
		b.want("cat /codebuild/objects/pack/p.pack", "PACK")
		b.want("stat -c '%a %u' /codebuild/spool", "700 0")
		for _, name := range []string{"hello.txt", "dir/deep.txt"} {
			if _, err := os.Stat(filepath.Join(spec.Tree, name)); err != nil {
				t.Errorf("the job changed the snapshot: %v", err)
			}
		}
		want := workspaceOverlay
		if e.opts.Workspace == workspaceCopy {
			want = workspaceCopy
		}
		in, err := e.inspect(t.Context(), spec.ID)
		if err != nil || in.Config.Labels[LabelWorkspace] != want {
			t.Errorf("workspace %q, %v; want %q", in.Config.Labels[LabelWorkspace], err, want)
		}
	})
}

func TestEmptyWorkspace(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, e *Engine) {
		b := start(t, e, newSpec(t, e, nil))
		b.want("ls -A; echo x >y; cat y", "x")
	})
}

func TestJobCannotMoveWhatIsMounted(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, e *Engine) {
		b := start(t, e, newSpec(t, e, map[string]string{"a": "a"}))
		b.refused("touch /codebuild/x")
		b.refused("mv /codebuild/spool /codebuild/away")
		b.refused("rmdir /codebuild/spool")
		b.refused("rm -r /codebuild/objects && ln -s /etc /codebuild/objects")
		b.refused("mv /codebuild /elsewhere && mkdir /codebuild")
		b.refused("echo x >>/codebuild/runner-agent")
		b.refused("mount -o remount,rw /codebuild")
		b.refused("umount /codebuild/spool")
		b.want("cp /bin/busybox /codebuild/user/bin/echo && /codebuild/user/bin/echo tool", "tool")
		if e.opts.Workspace == workspaceOverlay {
			b.refused("touch /codebuild/objects/x")
		}
	})
}

func TestProcessAndEnvironment(t *testing.T) {
	t.Parallel()
	e := newEngine(t, func(o *Options) { o.Proxy = Proxy{HTTP: "http://proxy:3128", No: "localhost"} })
	spec := newSpec(t, e, nil)
	spec.Env = []string{"ADMIN=says so", "no_proxy=everything"}
	b := start(t, e, spec)
	b.want(`echo "$HOME|$PATH|$ADMIN|$HTTP_PROXY|$http_proxy|$https_proxy|$NO_PROXY|$no_proxy"`,
		"/root|/bin|says so|http://proxy:3128|http://proxy:3128||localhost|everything")
	b.want("cat /proc/1/cmdline | tr '\\0' ' '; id -u", "/codebuild/runner-agent 0")
	b.want("df -k /dev/shm | awk 'NR==2 {print $2}'; cat /proc/1/oom_score_adj", "1048576\n500")
	b.refused("ping -c 1 -W 1 127.0.0.1")
	b.want("grep -c docker.sock /proc/mounts || true", "0")
}

func TestLimits(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	spec := newSpec(t, e, nil)
	spec.Limits = runner.Limits{CPUs: 1000, MemoryBytes: 64 << 20, PIDs: 40}
	b := start(t, e, spec)
	in, err := e.inspect(t.Context(), spec.ID)
	if err != nil {
		t.Fatal(err)
	}
	f, err := e.engineFacts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h := in.HostConfig
	if h.NanoCPUs != int64(f.cpus)*1e9 || h.Memory != 64<<20 || h.MemorySwap != 64<<20 || *h.PidsLimit != 40 || h.CPUShares != cpuShares {
		t.Errorf("limits %+v", h.Resources)
	}
	if out, status := b.sh("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45; do sleep 1 & done"); !strings.Contains(out, "fork") {
		t.Errorf("45 processes under a limit of 40: status %d, %q", status, out)
	}
}

func TestOutOfMemoryIsTold(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	spec := newSpec(t, e, nil)
	spec.Limits.MemoryBytes = 32 << 20
	b := start(t, e, spec)
	b.sh("dd if=/dev/zero of=/dev/null bs=100M count=1")
	b.say("exit 3")
	if st := b.ended(); !st.OOMKilled {
		t.Errorf("state %+v, want OOMKilled", st)
	}
}

func TestLimitsThatCannotBe(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	for _, l := range []runner.Limits{{CPUs: -1}, {MemoryBytes: -1}, {PIDs: -1}} {
		spec := newSpec(t, e, nil)
		spec.Limits = l
		if err := e.Create(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "negative") {
			t.Errorf("%+v: %v", l, err)
		}
	}
	spec := newSpec(t, e, nil)
	spec.Limits.MemoryBytes = 4096
	if err := e.Create(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "raise limits.memory") {
		t.Errorf("a page of memory: %v", err)
	}
}

func TestAdminsMountsAreReadOnly(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, e *Engine) {
		dir := t.TempDir()
		write(t, dir, map[string]string{"tool": "a tool\n"})
		spec := newSpec(t, e, nil)
		spec.Mounts = []runner.Mount{{Source: dir, Target: "/opt/tools"}}
		b := start(t, e, spec)
		b.want("cat /opt/tools/tool", "a tool")
		b.refused("echo x >/opt/tools/tool")
		b.refused("rm /opt/tools/tool")
	})
}

func TestMountsThatAreRefused(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	tests := []struct{ source, target, says string }{
		{"/opt", "opt", "absolute"},
		{"opt", "/opt", "absolute"},
		{"/opt", "/", "belong to the sandbox"},
		{"/opt", "/codebuild", "belong to the sandbox"},
		{"/opt", "/codebuild/output/src/x", "belong to the sandbox"},
		{"/opt", "/x/../codebuild/spool", "belong to the sandbox"},
		{"/opt", "/etc/runner", "belong to the sandbox"},
		{"/opt", "/proc/sys", "the kernel's own"},
		{"/var/run/docker.sock", "/x", "socket"},
		{"/run", "/x", "socket"},
		{"/", "/host", "socket"},
		{"/nowhere-" + randomID(), "/x", "missing on the engine's host"},
	}
	for _, tt := range tests {
		spec := newSpec(t, e, nil)
		spec.Mounts = []runner.Mount{{Source: tt.source, Target: tt.target}}
		if err := e.Create(t.Context(), spec); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s on %s: %v, want %q", tt.source, tt.target, err, tt.says)
		}
	}
}

func TestLife(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(t *testing.T, e *Engine) {
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
