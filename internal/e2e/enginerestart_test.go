package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ownEngine is a Docker engine beside the machine's, which can be stopped and killed without harm to anybody else.
type ownEngine struct {
	t    *testing.T
	dir  string
	host string
	cmd  *exec.Cmd
	gone chan struct{}
	said *syncBuffer
}

// newOwnEngine starts one with our image in it, and makes it what the docker command speaks to.
func newOwnEngine(t *testing.T) *ownEngine {
	t.Helper()
	if _, err := exec.LookPath("dockerd"); err != nil || os.Geteuid() != 0 {
		t.Skipf("starting an engine needs root and dockerd: %v", err)
	}
	archive := filepath.Join(t.TempDir(), "image.tar")
	if out, err := exec.Command("docker", "save", "-o", archive, image).CombinedOutput(); err != nil {
		t.Fatalf("docker save: %v\n%s", err, out)
	}
	e := &ownEngine{t: t, dir: t.TempDir(), said: new(syncBuffer)}
	e.host = "unix://" + filepath.Join(e.dir, "docker.sock")
	t.Setenv("DOCKER_HOST", e.host)
	t.Cleanup(e.end)
	e.start()
	docker(t, "load", "-q", "-i", archive)
	return e
}

func (e *ownEngine) start() {
	e.t.Helper()
	// In a network of its own, since an engine that is to have no bridge removes docker0, which is the machine's.
	e.cmd = exec.Command("unshare", "--net", "dockerd", "--data-root="+filepath.Join(e.dir, "data"), "--exec-root="+filepath.Join(e.dir, "exec"), "--host="+e.host,
		"--pidfile="+filepath.Join(e.dir, "pid"), "--bridge=none", "--iptables=false", "--ip6tables=false", "--shutdown-timeout=1")
	e.cmd.Stdout, e.cmd.Stderr = e.said, e.said
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	e.gone = make(chan struct{})
	go func(cmd *exec.Cmd, gone chan struct{}) { _ = cmd.Wait(); close(gone) }(e.cmd, e.gone)
	for deadline := time.Now().Add(time.Minute); exec.Command("docker", "version").Run() != nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			e.t.Fatalf("an engine of our own does not start:\n%s", e.said)
		}
	}
}

// end shuts the engine down, with its containers.
func (e *ownEngine) end() {
	_ = e.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-e.gone:
	case <-time.After(30 * time.Second):
		e.t.Errorf("an engine of our own does not end:\n%s", e.said)
		_ = e.cmd.Process.Kill()
		<-e.gone
	}
}

// TestAnEngineComesAndGoes restarts the engine under a running job. Then daemon and engine end together, all containers are
// gone, and the daemon is up again before the engine, as after a restart of the machine.
// What vanished is a FAULT that says so, never a hang, and the next build runs.
func TestAnEngineComesAndGoes(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("starts an engine three times; set RUNNER_SLOW=1 to run it")
	}
	e := newOwnEngine(t)
	git := newGitServer(t)
	_, long, longCommit := git.repo("long", map[string]string{"buildspec.yml": spec("echo begun; sleep 300")})
	_, short, shortCommit := git.repo("short", map[string]string{"buildspec.yml": spec("echo fine")})
	engine := fmt.Sprintf("engines:\n  - {id: own, type: docker, host: %q, network: none, firewall: off}\n", e.host)
	d := newDaemon(t, engine, project("long", long), project("short", short))

	id := d.push(long, longCommit)
	d.awaitLog(id, "begun")
	e.end()
	e.start()
	if b := d.ended(id, "FAULT"); b.Reason != "sandbox_lost" || !strings.Contains(b.Message, "engine") {
		t.Errorf("it ended for %s: %s", b.Reason, b.Message)
	}

	id = d.push(long, longCommit)
	d.awaitLog(id, "begun")
	d.kill()
	for _, c := range d.containers("-a") {
		docker(t, "rm", "-f", "-v", c)
	}
	e.end()
	d.start()
	time.Sleep(time.Second)
	if b, err := d.Build(t.Context(), id); err != nil || b.Status != "IN_PROGRESS" {
		t.Errorf("before the engine is up, what became of the job is not known, and it is %s (%v)", b.Status, err)
	}
	e.start()
	if b := d.ended(id, "FAULT"); b.Reason != "sandbox_lost" || !strings.Contains(b.Message, "vanished") {
		t.Errorf("it ended for %s: %s", b.Reason, b.Message)
	}
	d.ended(d.push(short, shortCommit), "SUCCEEDED")
	d.assertClean()
}
