package e2e

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// loseContainers removes what runs behind the daemon's back.
func loseContainers(t *testing.T, d *daemon) {
	t.Helper()
	for _, c := range d.containers() {
		if out, err := exec.Command("docker", "rm", "-f", c).CombinedOutput(); err != nil {
			t.Fatalf("docker rm: %v %s", err, out)
		}
	}
}

// awaitRetry waits until a job waits for another attempt, and returns it.
func awaitRetry(t *testing.T, d *daemon, id string) client.Job {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if b, err := d.Build(t.Context(), id); err == nil && len(b.Jobs) == 1 && !b.Jobs[0].RetryAt.IsZero() {
			return b.Jobs[0]
		}
	}
	t.Fatalf("no other attempt at %s is waited for", id)
	return client.Job{}
}

// TestALostContainerIsTriedAgain loses a job's container while a command runs, and the daemon while the job waits for its
// next attempt. Then it does the same to a job that may have deployed.
func TestALostContainerIsTriedAgain(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("plain", map[string]string{"buildspec.yml": spec("sleep 3; echo whole")})
	_, careful, deploy := git.repo("careful", map[string]string{"buildspec.yml": spec("sleep 300")})
	d := newDaemon(t, "retry-faults: always\n", project("plain", url), project("careful", careful, "retry-faults: before-commands"))
	id := d.push(url, commit)
	d.awaitPhase(id, "BUILD")
	d.kill()
	loseContainers(t, d)
	d.start()
	if job := awaitRetry(t, d, id); job.State != "queued" || !strings.Contains(job.Why, "sandbox_lost") {
		t.Errorf("the job is %s and says %q, want queued, with the fault named", job.State, job.Why)
	}
	d.kill()
	d.start()
	b := d.ended(id, "SUCCEEDED")
	job := b.Jobs[0]
	if job.Attempt != 2 || len(job.Attempts) != 2 || job.Attempts[0].Status != "FAULT" || job.Attempts[0].Reason != "sandbox_lost" {
		t.Errorf("the attempts are %+v, want a FAULT (sandbox_lost) and another one", job.Attempts)
	}
	if log := d.logs(b); !strings.Contains(firstOf(log), "attempt 1 ended by the machine's fault (sandbox_lost)") || !strings.Contains(log, "whole\n") {
		t.Errorf("the second attempt's log does not begin with why it is:\n%s", log)
	}

	id = d.push(careful, deploy)
	d.awaitPhase(id, "BUILD")
	loseContainers(t, d)
	b = d.ended(id, "FAULT")
	if b.Reason != "sandbox_lost" && b.Reason != "agent_killed" || b.Jobs[0].Attempt != 1 || !strings.Contains(b.Message, "before-commands") {
		t.Errorf("a job whose command had begun ended %s (%s) after %d attempts: %s", b.Status, b.Reason, b.Jobs[0].Attempt, b.Message)
	}
	assertNothingLeft(t, d)
	d.check()
}

func firstOf(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
