package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// event delivers a webhook and returns its trigger once its fate is known.
func (d *daemon) event(h delivery) client.Trigger {
	d.t.Helper()
	status, answer := d.send(h)
	if status != http.StatusAccepted {
		d.t.Fatalf("the webhook was answered %d: %v", status, answer)
	}
	t, err := d.WaitTrigger(d.t.Context(), answer["trigger"].(string))
	if err != nil {
		d.t.Fatal(err)
	}
	return t
}

// until waits for a build to be as it should.
func (d *daemon) until(id, what string, ok func(client.Build) bool) client.Build {
	d.t.Helper()
	var b client.Build
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(50 * time.Millisecond) {
		var err error
		if b, err = d.Build(d.t.Context(), id); err == nil && ok(b) {
			return b
		}
	}
	d.t.Fatalf("%s is never %s: %s, %s %q, jobs %+v", id, what, b.Status, b.Reason, b.Message, b.Jobs)
	return b
}

func runs(b client.Build) bool { return len(b.Jobs) > 0 && b.Jobs[0].State == "leased" }

// TestWhatIsBuiltAndWhatWaits follows two projects of one repository through pushes: what their filters let through, whom a
// newer push stops, and who waits for whom, with a daemon that is killed wherever it hurts.
func TestWhatIsBuiltAndWhatWaits(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, url, first := git.repo("api", map[string]string{
		"buildspec.yml": "version: 0.2\nenv: {image: " + image + "}\nphases: {build: {commands: ['sleep $LONG']}}\n", "docs/a.md": "a\n",
	})
	commit := func(branch, file, message string) string {
		t.Helper()
		if _, err := repo.Git(t.Context(), "checkout", "-q", "-B", branch); err != nil {
			t.Fatal(err)
		}
		if err := repo.Write(file, message); err != nil {
			t.Fatal(err)
		}
		id, err := repo.Commit(t.Context(), message)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	push := func(ref, before, after string) delivery {
		h := pushOf(url, ref, after)
		h.payload["before"] = before
		return h
	}
	d := newDaemon(t, "",
		project("api", url, "paths-ignore: [docs/**]", "concurrency: {group: deploy}", "env: {LONG: 600}"),
		project("web", url, "filters: [[{type: EVENT, pattern: PUSH}, {type: HEAD_REF, pattern: ^refs/heads/main$}]]", "concurrency: {group: deploy}", "env: {LONG: 0}"))

	// Two projects, one group: the second waits for the first, also for a daemon that was killed meanwhile.
	if tr := d.event(pushOf(url, "refs/heads/main", first)); strings.Join(tr.Builds, " ") != "api#1 web#1" {
		t.Fatalf("the first push made %v (%s)", tr.Builds, tr.Reason)
	}
	d.until("api#1", "running", runs)
	waits := "waits for api#1, which holds concurrency group deploy"
	waiting := func(b client.Build) bool { return len(b.Jobs) > 0 && b.Jobs[0].Why == waits }
	d.until("web#1", waits, waiting)
	d.kill()
	d.start()
	d.until("web#1", waits, waiting)
	d.until("api#1", "running", runs)
	if out, _, _ := d.runCLI(d.dir, "show", "web#1"); !strings.Contains(out, waits) {
		t.Errorf("runner show does not say what it waits for:\n%s", out)
	}
	if _, err := d.Stop(t.Context(), "api#1"); err != nil {
		t.Fatal(err)
	}
	d.ended("web#1", "SUCCEEDED")

	// What no filter lets through makes no build and no number.
	docs := commit("fast", "docs/b.md", "Write it down")
	tr := d.event(push("refs/heads/fast", strings.Repeat("0", 40), docs))
	if tr.Outcome != "skipped" || len(tr.Skipped) != 2 || !tr.Skipped[0].Passed || tr.Skipped[1].Passed {
		t.Fatalf("a push of documentation is %s (%s): %+v", tr.Outcome, tr.Reason, tr.Skipped)
	}
	if out, _, _ := d.runCLI(d.dir, "triggers"); !strings.Contains(out, "api skipped: only files under docs/** changed; web skipped: the filter HEAD_REF ^refs/heads/main$ does not match refs/heads/fast") {
		t.Errorf("runner triggers does not say why:\n%s", out)
	}

	// A newer push stops the build of an older one, though the daemon dies with the answer.
	one := commit("fast", "main.c", "one")
	if tr := d.event(push("refs/heads/fast", docs, one)); strings.Join(tr.Builds, " ") != "api#2" {
		t.Fatalf("a push made %v (%s)", tr.Builds, tr.Reason)
	}
	d.until("api#2", "running", runs)
	two := commit("fast", "main.c", "two")
	if tr := d.event(push("refs/heads/fast", one, two)); strings.Join(tr.Builds, " ") != "api#3" {
		t.Fatalf("the newer push made %v (%s)", tr.Builds, tr.Reason)
	}
	d.kill()
	d.start()
	if b := d.ended("api#2", "STOPPED"); b.Reason != "superseded" || b.Message != "superseded by api#3, the build of a newer push to fast" {
		t.Errorf("api#2 is %s: %q", b.Reason, b.Message)
	}
	d.until("api#3", "running", runs)

	// Words in the head commit of a pull request, which its payload does not have.
	words := commit("quiet", "main.c", "three\n\n[skip ci]")
	if _, err := repo.Git(t.Context(), "push", "-q", "origin", words+":refs/pull/7/head"); err != nil {
		t.Fatal(err)
	}
	if tr := d.event(pullRequest(url, url, words)); tr.Outcome != "skipped" || !strings.Contains(tr.Reason+tr.Skipped[0].Reason, "[skip ci]") {
		t.Errorf("the pull request is %s (%s): %+v", tr.Outcome, tr.Reason, tr.Skipped)
	}

	// After a force push nobody knows what changed: it is built, and the trigger says why.
	gone := d.event(push("refs/heads/fast", strings.Repeat("7", 40), docs))
	if strings.Join(gone.Builds, " ") != "api#4" || len(gone.Notes) != 1 || !strings.Contains(gone.Notes[0], "777777777777, is gone, as after a force push") {
		t.Errorf("a force push made %v (%s), notes %q", gone.Builds, gone.Reason, gone.Notes)
	}
	d.ended("api#3", "STOPPED")
	if _, err := d.Stop(t.Context(), "api#4"); err != nil {
		t.Fatal(err)
	}
	d.ended("api#4", "STOPPED")
	out, _, _ := d.runCLI(d.dir, "project", "show", "api")
	for _, want := range []string{"paths-ignore", "docs/**", "skip-words", "cancel-superseded", "deploy, 1 at once"} {
		if !strings.Contains(out, want) {
			t.Errorf("runner project show lacks %q:\n%s", want, out)
		}
	}
}
