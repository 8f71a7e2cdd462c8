package docker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner"
)

func TestWorkspace(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *Engine) {
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
		in, err := e.inspect(t.Context(), spec.ID)
		if err != nil || in.Config.Labels[LabelWorkspace] != e.opts.Workspace {
			t.Errorf("workspace %q, %v; want %q", in.Config.Labels[LabelWorkspace], err, e.opts.Workspace)
		}
	})
}

func TestEmptyWorkspace(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *Engine) {
		b := start(t, e, newSpec(t, e, nil))
		b.want("ls -A; echo x >y; cat y", "x")
	})
}

func TestJobCannotMoveWhatIsMounted(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *Engine) {
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
		if workspace(e.opts.Workspace).onDisk() {
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
	b.sh("dd if=/dev/zero of=/dev/null bs=100M count=1; sleep 1") // the engine learns of it on a way of its own
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
	inEachMode(t, func(t *testing.T, e *Engine) {
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
