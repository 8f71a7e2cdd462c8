package docker

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/system"

	"github.com/runner-ci/runner/runner"
)

// attacker writes the program that tries what no job may do into a sandbox's snapshot.
func attacker(t *testing.T, e *Engine) runner.SandboxSpec {
	t.Helper()
	program, err := build("./testdata/attack")
	if err != nil {
		t.Fatal(err)
	}
	spec := newSpec(t, e, map[string]string{"file": "of the snapshot"})
	if err := os.WriteFile(filepath.Join(spec.Tree, "attack"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	return spec
}

// TestAttacksFromInside tries system calls, sockets, the kernel's settings and devices as root of a sandbox.
func TestAttacksFromInside(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	b := start(t, e, attacker(t, e))
	b.want("./attack", "")
	b.want("sed -n 's/^Seccomp:\\s*//p' /proc/self/status", "2") // a filter
	// Of the engine's default capabilities without two: chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap,
	// net_bind_service, sys_chroot, audit_write, setfcap.
	b.want("sed -n 's/^CapBnd:\\s*//p' /proc/self/status", "00000000a00405fb")
	b.want("find / -xdev -name docker.sock -o -xdev -name containerd.sock 2>/dev/null; ls /var/run/docker.sock /run/docker.sock 2>/dev/null | wc -l", "0")
	b.want("ps -o comm | grep -c -e '^dockerd' -e '^runner$'; true", "0") // it sees no process but its own
	b.refused("echo x >/codebuild/x")
	b.refused("echo x >" + objectsDir + "/x")
	b.refused("rm " + agentPath)
	b.refused("mv " + spoolDir + " " + spoolDir + "2")
	if info, err := e.api.Info(t.Context()); err == nil && strings.Contains(strings.Join(info.SecurityOptions, " "), "name=apparmor") {
		b.want("cat /proc/self/attr/current", "docker-default (enforce)")
	}
}

// TestAnEngineHoldsJobsTighter tells of a profile of one's own, and of setuid programs that give nothing.
func TestAnEngineHoldsJobsTighter(t *testing.T) {
	t.Parallel()
	profile := filepath.Join(t.TempDir(), "seccomp.json")
	text := `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["symlink", "symlinkat"], "action": "SCMP_ACT_ERRNO"}]}`
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, func(o *Options) { o.Seccomp, o.NoNewPrivileges = profile, true })
	spec := newSpec(t, e, nil)
	spec.Services = []runner.Service{web(spec, "db", "data", "0")}
	b := start(t, e, spec)
	b.refused("ln -s y /tmp/x")
	b.want("touch /tmp/x; sed -n 's/^NoNewPrivs:\\s*//p' /proc/self/status", "1")
	if got, err := e.run(t, serviceName(spec.ID, "db"), "ln -s y /tmp/x 2>/dev/null || sed -n 's/^NoNewPrivs:\\s*//p' /proc/self/status"); err != nil || strings.TrimSpace(got) != "1" {
		t.Errorf("the service said %q, %v", got, err)
	}
	for name, wrong := range map[string]string{"missing": filepath.Join(t.TempDir(), "none"), "of another kind": "held_test.go"} {
		if _, err := New(Options{Engine: "e", Instance: "i", DataDir: t.TempDir(), Agent: standInSource, Seccomp: wrong}); err == nil || !strings.Contains(err.Error(), "seccomp profile") {
			t.Errorf("a profile that is %s: %v", name, err)
		}
	}
}

// TestRuntime runs a sandbox by a runtime of the engine's that is named, and none by one that it has not.
func TestRuntime(t *testing.T) {
	t.Parallel()
	e := newEngine(t, func(o *Options) { o.Runtime = "io.containerd.runc.v2" })
	if info, err := e.api.Info(t.Context()); err != nil || info.Runtimes[e.opts.Runtime].Path == "" && len(info.Runtimes) == 0 {
		t.Skipf("the engine names no runtimes: %v", err)
	}
	spec := newSpec(t, e, map[string]string{"file": "of the snapshot"})
	start(t, e, spec).want("cat file", "of the snapshot")
	in, err := e.inspect(t.Context(), spec.ID)
	if err != nil || in.HostConfig.Runtime != e.opts.Runtime || in.Config.Labels[LabelWorkspace] == workspaceMount {
		t.Errorf("runtime %q with workspace %q, %v", in.HostConfig.Runtime, in.Config.Labels[LabelWorkspace], err)
	}
	other := newEngine(t, func(o *Options) { o.Runtime = "runsc-" + randomID() })
	if err := other.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "it has no runtime \"runsc-") {
		t.Error(err)
	}
	if err := (&Engine{opts: Options{Runtime: "runsc"}}).checkRuntime(system.Info{}); err == nil {
		t.Error("a runtime was found where there is none")
	}
}
