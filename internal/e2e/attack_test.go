package e2e

import (
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
)

// TestAForksCommitStartedByHandIsAStrangers starts builds of commits by their ids: one of the default branch, and one that
// only a fork's pull request leads to, which the forge gives out all the same.
func TestAForksCommitStartedByHandIsAStrangers(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, url, commit := git.repo("api", map[string]string{"buildspec.yml": `version: 0.2
env:
  image: ` + image + `
  parameter-store:
    TOKEN: /deploy/token
phases:
  build:
    commands: ['echo "token has ${#TOKEN} letters"']
`})
	stray, err := repo.Git(t.Context(), "commit-tree", "-p", commit, "-m", "of a fork", commit+"^{tree}")
	if err != nil {
		t.Fatal(err)
	}
	stray = strings.TrimSpace(stray)
	if _, err := repo.Git(t.Context(), "push", "-q", "origin", stray+":refs/pull/7/head"); err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t, keyFile(t), project("api", url))
	d.setSecret("/deploy/token", "sesame-open", "--project", "api", "--ref", "**")
	for _, want := range []struct {
		commit, ref, status string
		trusted             bool
	}{{commit, "", "SUCCEEDED", true}, {stray, "", "FAILED", false}, {stray, "refs/heads/main", "FAILED", false}} {
		tr, err := d.Start(t.Context(), client.Start{Project: "api", Ref: want.ref, Commit: want.commit})
		if err != nil {
			t.Fatal(err)
		}
		if tr, err = d.WaitTrigger(t.Context(), tr.ID); err != nil || len(tr.Builds) != 1 {
			t.Fatalf("it is %s with builds %v (%v), want one", tr.Outcome, tr.Builds, err)
		}
		b := d.ended(tr.Builds[0], want.status)
		if b.Trusted != want.trusted || (!want.trusted && b.Reason != "secrets") {
			t.Errorf("commit %.7s at %q is trusted %t and says %s: %s; want %t", want.commit, want.ref, b.Trusted, b.Reason, b.Message, want.trusted)
		}
	}
}

// TestABuildHasNoMoreJobsThanItsProjectMay sends a matrix that would fill the queue.
func TestABuildHasNoMoreJobsThanItsProjectMay(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": spec("echo x") + `batch:
  build-matrix:
    dynamic:
      env:
        variables:
          A: [1, 2, 3, 4, 5, 6]
          B: [1, 2, 3, 4, 5, 6]
`})
	d := newDaemon(t, "limits: {jobs: 20}\n", project("api", url))
	if b := d.ended(d.push(url, commit), "FAILED"); b.Reason != "buildspec" || !strings.Contains(b.Message, "this project may run 20 jobs") {
		t.Errorf("it says %s: %s", b.Reason, b.Message)
	}
}
