package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAStalledDaemonStopsNoJobAndLosesNoByte stops the daemon's process, connections and all, while a job prints more
// than every pipe on the way holds; kills it while it catches up; and wants the log byte for byte.
func TestAStalledDaemonStopsNoJobAndLosesNoByte(t *testing.T) {
	t.Parallel()
	const lines = 300_000
	git := newGitServer(t)
	_, url, commit := git.repo("flood", map[string]string{"buildspec.yml": spec(
		"echo ready; while [ ! -f /tmp/print ]; do sleep 0.05; done",
		fmt.Sprintf(`awk 'BEGIN { for (n = 1; n <= %d; n++) printf "%%07d and what a line of a flood has to say\n", n }'; touch /tmp/printed`, lines),
		"while [ ! -f /tmp/go ]; do sleep 0.05; done; echo over",
	)})
	d := newDaemon(t, "", project("flood", url))
	id := d.push(url, commit)
	d.awaitLog(id, "ready")
	inside := func(command string) error {
		return exec.Command("docker", "exec", d.containers()[0], "sh", "-c", command).Run()
	}
	if err := d.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := inside("touch /tmp/print; for i in $(seq 600); do [ -f /tmp/printed ] && exit; sleep 0.1; done; exit 1"); err != nil {
		t.Errorf("with its daemon standing still the job does not go on: %v", err)
	}
	_ = d.cmd.Process.Signal(syscall.SIGCONT)
	time.Sleep(100 * time.Millisecond) // in the middle of catching up
	d.kill()
	d.start()
	if err := inside("touch /tmp/go"); err != nil {
		t.Fatal(err)
	}
	log := d.logs(d.ended(id, "SUCCEEDED"))
	var want strings.Builder
	for n := range lines {
		fmt.Fprintf(&want, "%07d and what a line of a flood has to say\n", n+1)
	}
	from := strings.Index(log, "0000001 ")
	if from < 0 || !strings.HasPrefix(log[from:], want.String()) {
		t.Errorf("the log has %d bytes and not the %d that were printed, each once and in order", len(log), want.Len())
	}
	if strings.Count(log, "\nover\n") != 1 {
		t.Error("what came after is not there once")
	}
	d.check()
}
