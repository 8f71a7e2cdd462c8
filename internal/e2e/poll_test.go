package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// looked waits until the daemon has looked at its one remote since it started, and returns how that went.
func (d *daemon) looked() client.Poll {
	d.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		s, err := d.Status(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		if len(s.Polls) == 1 && !s.Polls[0].At.IsZero() {
			return s.Polls[0]
		}
	}
	d.t.Fatal("the daemon does not look at the remote")
	return client.Poll{}
}

// TestAPushWhoseWebhookIsLostIsBuilt: nobody tells a daemon, which is dead besides, of what is pushed. The webhook that
// comes in the end tells nothing new.
func TestAPushWhoseWebhookIsLostIsBuilt(t *testing.T) {
	t.Parallel()
	g := newGitServer(t)
	repo, url, _ := g.repo("api", map[string]string{"buildspec.yml": "version: 0.2\nphases: {build: {commands: [echo built]}}\n"})
	d := newDaemon(t, "", project("api", url, "image: runner-test/busybox", "poll: 10m"))
	if first := d.looked(); first.Refs != 1 || first.Found != 0 || first.Error != "" {
		t.Fatalf("the first look is %+v, want one ref, and nothing new", first)
	}
	d.kill()
	commit, err := repo.Commit(t.Context(), "pushed while nobody listens")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Git(t.Context(), "tag", "-a", "-m", "a release", "v1"); err != nil {
		t.Fatal(err)
	}
	if _, err := repo.Git(t.Context(), "push", "-q", "origin", "v1"); err != nil {
		t.Fatal(err)
	}
	d.start()
	if second := d.looked(); second.Found != 2 || second.Refs != 2 {
		t.Fatalf("the look after the start is %+v, want the branch and the tag", second)
	}
	d.kill()
	d.start()
	if third := d.looked(); third.Found != 0 {
		t.Fatalf("the look after another start is %+v, want nothing new", third)
	}
	status, answer := d.send(pushOf(url, "refs/heads/main", commit))
	page, err := d.Triggers(t.Context(), client.ListOptions{})
	if err != nil || len(page.Items) != 2 {
		t.Fatalf("triggers %+v, %v; want two", page.Items, err)
	}
	main := page.Items[1]
	if status != http.StatusAccepted || answer["trigger"] != main.ID || !strings.HasPrefix(main.Delivery, "poll/") || main.Commit != commit {
		t.Errorf("the late webhook was answered %d %v, want the look's trigger %+v", status, answer, main)
	}
	for _, tr := range page.Items {
		told, err := d.WaitTrigger(t.Context(), tr.ID)
		if err != nil || len(told.Builds) != 1 {
			t.Fatalf("trigger %+v, %v; want one build", told, err)
		}
		if b := d.ended(told.Builds[0], "SUCCEEDED"); b.Commit != commit {
			t.Errorf("build %s of %s is of commit %s, want %s", b.ID, tr.Ref, b.Commit, commit)
		}
	}
}
