//go:build linux

package agent

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/runner/wire"
)

// docker runs the engine's command line and returns what it printed.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// images are those that the agent is tried in, as far as they are here.
func images(t *testing.T) []string {
	t.Helper()
	enginetest.Engine(t)
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skip(err)
	}
	all := []string{enginetest.Busybox(t)}
	if exec.Command("docker", "image", "inspect", "runner-test/debian").Run() == nil {
		all = append(all, "runner-test/debian")
	}
	return all
}

// contained prepares an agent as process 1 of a container, and returns it with the container's id. more are the
// rights of a privileged one.
func contained(t *testing.T, image string, more ...string) (*sandbox, string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "agent")
	build := exec.Command("go", "build", "-o", binary, "github.com/runner-ci/runner/cmd/agent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the agent: %v\n%s", err, out)
	}
	args := append([]string{"create", "-i", "--network", "none", "-v", DefaultSpool, "-v", "/src"}, more...)
	if len(more) == 0 {
		args = append(args, "--entrypoint", "/agent", image)
	} else {
		// Where the machine's engine cannot make privileged containers, control groups are read-only in this one.
		args = append(args, "--entrypoint", "sh", image, "-c", "for d in /sys/fs/cgroup/*; do mount -o remount,rw,bind $d 2>/dev/null; done; exec /agent")
	}
	id := docker(t, args...)
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "-fv", id).Run() })
	docker(t, "cp", binary, id+":/agent")
	s := &sandbox{t: t, src: "/src", exited: make(chan error, 1)}
	s.cmd = exec.Command("docker", "start", "-ai", id)
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = &s.errs
	return s, id
}

// TestTheAgentInAContainer has a user of the image, the tools on that user's PATH, and a breakpoint that is left from
// outside.
func TestTheAgentInAContainer(t *testing.T) {
	for _, image := range images(t) {
		t.Run(image, func(t *testing.T) {
			t.Parallel()
			s, id := contained(t, image)
			job := s.job(
				`id -u; id -G; cd; pwd; touch mine; echo shown >/dev/stdout; codebuild-glob-search 'mi*'`,
				`codebuild-breakpoint && echo on; kill -9 1 2>/dev/null || echo spared; sleep 600 & exit 0`,
			)
			job.Debug = true
			job.Phases[0].RunAs = "app"
			job.Phases = []wire.Phase{
				{Name: wire.PhaseInstall, Commands: []string{
					"mkdir -p /etc /home/app && echo 'app:x:1234:1235::/home/app:/bin/sh' >>/etc/passwd && echo 'extra:x:77:app' >>/etc/group && chown 1234:1235 /home/app",
				}},
				job.Phases[0],
				{Name: wire.PhasePostBuild, Commands: []string{`id -u; stat -c %u "$PWD/mine"`}},
			}
			var out bytes.Buffer
			s.cmd.Stdout = &out
			if err := s.cmd.Start(); err != nil {
				t.Fatal(err)
			}
			go func() { s.exited <- s.cmd.Wait() }()
			s.send(hello, job)
			resumed := ""
			for deadline := time.Now().Add(patience); !strings.Contains(resumed, "goes on") && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
				text, _ := exec.Command("docker", "exec", id, DefaultHome+"/user/bin/codebuild-resume").CombinedOutput()
				resumed = string(text)
			}
			if status := s.wait(); status != 0 {
				t.Fatalf("exit status %d: %s (%s)", status, &s.errs, resumed)
			}
			res := s.readAll(&out)
			if want := "1234\n1235 77\n/home/app\nshown\nmine\non\nspared\n0\n1234\n"; res.output() != want || res.done.Status != wire.StatusSucceeded {
				t.Errorf("printed %q, want %q; ended %+v\n%s", res.output(), want, res.done, res.log)
			}
		})
	}
}

// TestAPrivilegedJobGetsAnEngine runs a container in the engine of the job's own.
func TestAPrivilegedJobGetsAnEngine(t *testing.T) {
	const image = "runner-test/dind"
	images(t)
	if exec.Command("docker", "image", "inspect", image).Run() != nil {
		t.Skipf("%s is not here: scripts/images makes it", image)
	}
	rights := []string{"-v", "/var/lib/docker", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
		"--security-opt", "systempaths=unconfined", "--device-cgroup-rule", "a *:* rwm"}
	for _, right := range []string{"SYS_ADMIN", "NET_ADMIN", "NET_RAW", "MKNOD", "SYS_CHROOT", "SYS_PTRACE", "SYS_NICE", "IPC_LOCK", "DAC_READ_SEARCH", "LEASE"} {
		rights = append(rights, "--cap-add", right)
	}
	s, _ := contained(t, image, rights...)
	job := s.job(
		"mkdir root; cp -L --parents /bin/echo $(ldd /bin/echo | grep -o '/[^ ]*') root; tar -C root -c . | docker import - nested >/dev/null",
		"docker run --rm --memory 64m nested /bin/echo from the inside",
		"docker run -d nested /bin/echo left behind >/dev/null",
	)
	job.Privileged = true
	job.Limits.TimeoutMillis = (2 * patience).Milliseconds()
	var out bytes.Buffer
	s.cmd.Stdout = &out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.exited <- s.cmd.Wait() }()
	s.send(hello, job)
	if status := s.wait(); status != 0 {
		t.Fatalf("exit status %d: %s", status, &s.errs)
	}
	res := s.readAll(&out)
	if !strings.Contains(res.log, "The Docker engine answers on") || !strings.Contains(res.output(), "from the inside\n") || res.done.Status != wire.StatusSucceeded {
		t.Errorf("ended %+v\n%s", res.done, res.log)
	}
}
