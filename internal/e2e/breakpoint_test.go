package e2e

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestABreakpointHoldsTheBuild starts a build with sessions, finds it paused, kills the daemon meanwhile, looks around
// in its container, and lets it go on: once by the command, once from inside.
func TestABreakpointHoldsTheBuild(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, url, _ := git.repo("api", map[string]string{"buildspec.yml": spec(
		"echo before", "codebuild-breakpoint", "echo between", "codebuild-breakpoint", "sleep 2; echo after")})
	d := newDaemon(t, "", project("api", url))
	out, errs, exit := d.runCLI(repo.Dir, "submit", "--project", "api", "--debug", "--detach", "--json")
	if exit != 0 {
		t.Fatalf("runner submit exited %d:\n%s%s", exit, out, errs)
	}
	id := "api#1"
	d.awaitPaused(id)
	d.kill()
	d.start()
	d.awaitPaused(id)
	shown, errs, _ := d.runCLI(repo.Dir, "show", id)
	if !strings.Contains(shown, "runner resume "+id) {
		t.Errorf("runner show does not say how to go on:\n%s%s", shown, errs)
	}
	if out, errs, exit := d.runCLI(repo.Dir, "resume", id); exit != 0 {
		t.Fatalf("runner resume exited %d:\n%s%s", exit, out, errs)
	}
	d.awaitLog(id, "between")
	d.awaitPaused(id)
	box := d.containers()
	if len(box) != 1 {
		t.Fatalf("the build has containers %v, want one", box)
	}
	if out, err := exec.Command("docker", "exec", box[0], "/codebuild/user/bin/codebuild-resume").CombinedOutput(); err != nil {
		t.Fatalf("codebuild-resume: %v\n%s", err, out)
	}
	log := d.logs(d.ended(id, "SUCCEEDED"))
	for _, want := range []string{"before\n", "between\n", "after\n"} {
		if strings.Count(log, want) < 1 {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
}

// awaitPaused waits until a job of the build says that it waits at a breakpoint.
func (d *daemon) awaitPaused(id string) {
	d.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		b, err := d.Build(d.t.Context(), id)
		if err == nil && len(b.Jobs) == 1 && strings.Contains(b.Jobs[0].Why, "breakpoint") {
			return
		}
		if err == nil && !b.Ended.IsZero() {
			d.t.Fatalf("the build ended %s before it was paused (%s):\n%s", b.Status, b.Message, d.logs(b))
		}
		time.Sleep(50 * time.Millisecond)
	}
	b, err := d.Build(d.t.Context(), id)
	text, _ := json.Marshal(b)
	d.t.Fatalf("the build is not paused: %s (%v)", text, err)
}

// awaitLog waits for a line in the log of the build's first job.
func (d *daemon) awaitLog(id, line string) {
	d.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		b, err := d.Build(d.t.Context(), id)
		if err == nil && strings.Contains(d.logs(b), line+"\n") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	d.t.Fatalf("the log of %s does not come to %q", id, line)
}
