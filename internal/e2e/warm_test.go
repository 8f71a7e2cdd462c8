package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// waiting waits until exactly n sandboxes wait for a job, while no job runs, and returns their containers.
func (d *daemon) waiting(n int) []string {
	d.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for time.Now().Before(deadline) {
		info, err := d.Daemon(d.t.Context())
		if err == nil && info.Warm == n && len(d.containers("-a")) == n {
			return d.containers()
		}
		time.Sleep(50 * time.Millisecond)
	}
	d.t.Fatalf("%d containers are there, %d sandboxes should wait; the daemon said:\n%s", len(d.containers("-a")), n, d.log)
	return nil
}

// said is what the commands of a build printed, without the agent's own lines.
func (d *daemon) said(b client.Build) (lines []string) {
	for line := range strings.Lines(d.logs(b)) {
		if !strings.HasPrefix(line, "[Container] ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestSandboxesWaitForJobs goes through the life of those that wait: they are taken, each once, kept over a kill, and
// removed when nobody wants them any more.
func TestSandboxesWaitForJobs(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": spec("ls; cat left 2>/dev/null; echo mine > left; echo mine > /tmp/left; ls /tmp; pwd")})
	d := newDaemon(t, online+"slots: 2\nwarm: auto\n", project("api", url))
	first := d.ended(d.push(url, commit), "SUCCEEDED")
	if first.Jobs[0].Warm {
		t.Error("the first job found a sandbox that waited")
	}
	wait := d.waiting(1)
	second := d.ended(d.push(url, commit), "SUCCEEDED")
	if !second.Jobs[0].Warm {
		t.Error("the second job found none")
	}
	if cold, warm := d.said(first), d.said(second); !slices.Equal(cold, warm) {
		t.Errorf("a job saw %q in a sandbox of its own, and %q in one that waited", cold, warm)
	}
	next := d.waiting(1)
	if slices.Equal(wait, next) {
		t.Error("a sandbox was used and waits again")
	}
	d.kill()
	d.start()
	if kept := d.waiting(1); !slices.Equal(kept, next) {
		t.Errorf("after a kill %v waits, not %v", kept, next)
	}
	third := d.push(url, commit)
	if b := d.ended(third, "SUCCEEDED"); !b.Jobs[0].Warm || b.Jobs[0].Attempt != 1 {
		t.Errorf("a build after a kill: %+v", b.Jobs[0])
	}
	d.waiting(1)
	d.kill()
	d.extra = "slots: 2\nwarm: off\n"
	d.configure(project("api", url))
	d.start()
	assertNothingLeft(t, d)
	d.check()
}
