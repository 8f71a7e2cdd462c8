package e2e

import (
	"crypto/rand"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/internal/enginetest"
)

// retried retries a build and returns the id of the new one.
func (d *daemon) retried(id string, failedOnly bool) string {
	d.t.Helper()
	tr, err := d.Retry(d.t.Context(), id, failedOnly)
	if err != nil {
		d.t.Fatal(err)
	}
	if tr, err = d.WaitTrigger(d.t.Context(), tr.ID); err != nil {
		d.t.Fatal(err)
	}
	if len(tr.Builds) != 1 {
		d.t.Fatalf("the retry made %d builds (%s: %s), want one", len(tr.Builds), tr.Outcome, tr.Reason)
	}
	return tr.Builds[0]
}

// docker runs the command of that name, and returns what it printed.
func docker(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// makeImage gives a name to a new image, whose variable MADE says which one it is.
func makeImage(t *testing.T, ref, made string) {
	t.Helper()
	box := docker(t, "create", image, "true")
	id := docker(t, "commit", "-c", "ENV MADE="+made, box, ref)
	docker(t, "rm", box)
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", "-f", id).Run() })
}

// loseImage removes an image from the engine, once the container of the last job has left it.
func loseImage(t *testing.T, ref string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		out, err := exec.Command("docker", "rmi", ref).CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("docker rmi %s: %v\n%s", ref, err, out)
		}
	}
}

// inImage is spec for another image.
func inImage(ref string, commands ...string) map[string]string {
	return map[string]string{"buildspec.yml": strings.Replace(spec(commands...), image, ref, 1)}
}

func TestARetryFindsTheImageThatWasMissing(t *testing.T) {
	t.Parallel()
	ref := "127.0.0.1:1/no/such-" + strings.ToLower(rand.Text()) + ":image"
	git := newGitServer(t)
	_, url, commit := git.repo("late", inImage(ref, "echo inside $MADE"))
	d := newDaemon(t, "", project("late", url))
	if b := d.ended(d.push(url, commit), "FAULT"); b.Reason != "image_pull" {
		t.Fatalf("the reason is %s (%s), want image_pull", b.Reason, b.Message)
	}
	if b := d.ended(d.retried("late#1", false), "FAULT"); b.Reason != "image_pull" || len(b.Jobs) != 0 {
		t.Errorf("while the image is missing a retry ends %s (%s) with %d jobs, want image_pull and none", b.Reason, b.Message, len(b.Jobs))
	}
	makeImage(t, ref, "late")
	for _, id := range []string{"late#1", "late#2"} { // the retry of a retry, too
		b := d.ended(d.retried(id, true), "SUCCEEDED")
		if log := d.logs(b); !strings.Contains(log, "inside late\n") {
			t.Errorf("the retry of %s did not run in the image:\n%s", id, log)
		}
	}
}

func TestARetryPullsTheSameImageAgainByItsDigest(t *testing.T) {
	t.Parallel()
	ref := enginetest.Registry(t, "", "") + "/team/app:v1"
	makeImage(t, ref, "first")
	docker(t, "push", "-q", ref)
	git := newGitServer(t)
	_, url, commit := git.repo("pinned", inImage(ref, "echo inside $MADE"))
	d := newDaemon(t, "", project("pinned", url))
	d.ended(d.push(url, commit), "SUCCEEDED")
	loseImage(t, ref)
	makeImage(t, ref, "second") // the tag moves on
	docker(t, "push", "-q", ref)
	loseImage(t, ref)
	b := d.ended(d.retried("pinned#1", false), "SUCCEEDED")
	if log := d.logs(b); !strings.Contains(log, "inside first\n") || len(b.Warnings) != 0 {
		t.Errorf("the retry did not run in the first image (warnings %q):\n%s", b.Warnings, log)
	}
}

func TestARetryWhoseImageIsLostSaysSo(t *testing.T) {
	t.Parallel()
	ref := "127.0.0.1:1/made/here-" + strings.ToLower(rand.Text()) + ":v1"
	git := newGitServer(t)
	_, url, commit := git.repo("lost", inImage(ref, "echo inside $MADE"))
	d := newDaemon(t, "", project("lost", url))
	makeImage(t, ref, "first")
	d.ended(d.push(url, commit), "SUCCEEDED")
	loseImage(t, ref)
	if b := d.ended(d.retried("lost#1", false), "FAULT"); b.Reason != "image_pull" || !strings.Contains(b.Message, ref) {
		t.Errorf("without any image the retry ends %s (%s), want image_pull and its name", b.Reason, b.Message)
	}
	makeImage(t, ref, "second")
	b := d.ended(d.retried("lost#1", false), "SUCCEEDED")
	if log := d.logs(b); !strings.Contains(log, "inside second\n") {
		t.Errorf("the retry did not run in what has the name now:\n%s", log)
	}
	if len(b.Warnings) != 1 || !strings.Contains(b.Warnings[0], "may differ") {
		t.Errorf("the warnings are %q, want one that the image may differ", b.Warnings)
	}
}

func TestARetryKeepsTheTriggersOverrides(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("over", map[string]string{"buildspec.yml": spec(`echo "who=$WHO"`, "false")})
	d := newDaemon(t, "", project("over", url))
	tr, err := d.Start(t.Context(), client.Start{Project: "over", Commit: commit, Env: map[string]string{"WHO": "ada"}})
	if err != nil {
		t.Fatal(err)
	}
	if tr, err = d.WaitTrigger(t.Context(), tr.ID); err != nil {
		t.Fatal(err)
	}
	d.ended(tr.Builds[0], "FAILED")
	b := d.ended(d.retried(tr.Builds[0], false), "FAILED")
	if log := d.logs(b); !strings.Contains(log, "who=ada\n") {
		t.Errorf("the retry lost the variable that its build was started with:\n%s", log)
	}
}
