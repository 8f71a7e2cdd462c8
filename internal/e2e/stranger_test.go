package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// keyFile is the line of runner.yml that gives a daemon a key for its secrets, outside of its data directory.
func keyFile(t testing.TB) string {
	t.Helper()
	return "secrets: {key-file: " + filepath.Join(t.TempDir(), "key") + "}\n"
}

// setSecret stores a secret as a person would.
func (d *daemon) setSecret(name, value string, scope ...string) {
	d.t.Helper()
	file := filepath.Join(d.t.TempDir(), "value")
	if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
		d.t.Fatal(err)
	}
	args := append([]string{"secret", "set", name, "--file", file}, scope...)
	if out, errs, exit := d.runCLI(d.dir, args...); exit != 0 {
		d.t.Fatalf("runner secret set %s exited %d:\n%s%s", name, exit, out, errs)
	}
}

// TestAStrangersPullRequestGetsNothing follows a pull request from a fork: it waits, a person approves it, and it
// builds without secrets; a push to the protected branch of the same file gets them.
func TestAStrangersPullRequestGetsNothing(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	wants := `version: 0.2
env:
  image: ` + image + `
  parameter-store:
    TOKEN: /deploy/token
phases:
  build:
    commands: ['echo "token has ${#TOKEN} letters"']
`
	repo, url, commit := git.repo("api", map[string]string{"buildspec.yml": wants})
	d := newDaemon(t, online+keyFile(t), project("api", url))
	// The widest scope that can be given: still not for strangers.
	d.setSecret("/deploy/token", "sesame-open", "--project", "api", "--ref", "**")
	d.ended(d.push(url, commit), "SUCCEEDED")

	if _, err := repo.Git(t.Context(), "push", "-q", "origin", commit+":refs/pull/7/head"); err != nil {
		t.Fatal(err)
	}
	status, answer := d.send(pullRequest(url, "https://example.com/stranger/api.git", commit))
	if status != http.StatusAccepted {
		t.Fatalf("the pull request was answered %d: %v", status, answer)
	}
	tr, err := d.WaitTrigger(t.Context(), answer["trigger"].(string))
	if err != nil {
		t.Fatal(err)
	}
	if tr.Outcome != "waiting" || len(tr.Builds) > 0 || !strings.Contains(tr.Reason, "runner approve "+tr.ID) {
		t.Fatalf("the fork's trigger is %s (%s) with builds %v; want it waiting, and told how to approve", tr.Outcome, tr.Reason, tr.Builds)
	}
	if out, errs, exit := d.runCLI(t.TempDir(), "approve", tr.ID); exit != 0 {
		t.Fatalf("runner approve exited %d:\n%s%s", exit, out, errs)
	}
	tr, err = d.WaitTrigger(t.Context(), tr.ID)
	if err != nil || len(tr.Builds) != 1 {
		t.Fatalf("the approved trigger is %s with builds %v (%v), want one", tr.Outcome, tr.Builds, err)
	}
	b := d.ended(tr.Builds[0], "FAILED")
	if b.Trusted || b.Reason != "secrets" || !strings.Contains(b.Message, "/deploy/token") || strings.Contains(b.Message, "sesame") {
		t.Errorf("the fork's build is trusted %t and says %s: %s; want it refused the secret", b.Trusted, b.Reason, b.Message)
	}
	if out, errs, exit := d.runCLI(t.TempDir(), "approve", tr.ID); exit == 0 {
		t.Errorf("approving what does not wait succeeded:\n%s%s", out, errs)
	}
}

// TestSecretsSurviveAKillAndStayMasked kills the daemon while a job prints a secret over and over.
func TestSecretsSurviveAKillAndStayMasked(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": `version: 0.2
env:
  image: ` + image + `
  secrets-manager:
    PASSWORD: prod/db:password
phases:
  build:
    commands: ['for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do printf corr; sleep 0.1; echo "ect-horse $PASSWORD"; sleep 0.1; done']
`})
	d := newDaemon(t, keyFile(t), project("api", url))
	d.setSecret("prod/db", `{"password":"correct-horse"}`)
	id := d.push(url, commit)
	d.awaitPhase(id, "BUILD")
	time.Sleep(500 * time.Millisecond)
	d.kill()
	if leak := findIn(t, d.data(), "correct-horse"); leak != "" {
		t.Errorf("the secret rests in clear in %s", leak)
	}
	d.start()
	log := d.logs(d.ended(id, "SUCCEEDED"))
	if strings.Contains(log, "correct-horse") || strings.Count(log, "*** ***\n") != 15 {
		t.Errorf("the secret is not masked in each of 15 lines:\n%s", log)
	}
}

// findIn names a file below a directory that holds a text.
func findIn(t *testing.T, dir, text string) (found string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil // gone meanwhile
		}
		if data, err := os.ReadFile(path); err == nil && strings.Contains(string(data), text) {
			found = path
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
