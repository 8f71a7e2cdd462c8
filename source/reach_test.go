package source

import "testing"

// TestPushed tells commits that were pushed to a branch or a tag from those that anybody may have made.
func TestPushed(t *testing.T) {
	r, _, remote := served(t)
	s := open(t)
	head, first := r.git("rev-parse", "HEAD"), r.git("rev-parse", "HEAD~1")
	tree := r.git("rev-parse", "HEAD^{tree}")
	stray := r.git("commit-tree", "-p", head, "-m", "of a fork", tree)
	tagged := r.git("commit-tree", "-p", first, "-m", "released", tree)
	r.git("update-ref", "refs/pull/7/head", stray)
	r.git("tag", "-a", "-m", "v1", "v1", tagged)
	for _, want := range []Want{{}, {Ref: "refs/pull/7/head", Commit: stray}} {
		if _, err := s.Fetch(t.Context(), remote, want); err != nil {
			t.Fatal(err)
		}
	}
	check := func(commit string, want bool) {
		t.Helper()
		if got, err := s.Pushed(t.Context(), remote, commit); got != want || err != nil {
			t.Errorf("commit %s counts as pushed: %v, %v; want %v", commit, got, err, want)
		}
	}
	check(head, true)
	check(first, true)
	check(tagged, true)
	check(stray, false)
	r.git("update-ref", "refs/heads/main", stray) // merged: the remote has to be asked
	check(stray, true)
	if _, err := s.Pushed(t.Context(), remote, "HEAD"); err == nil {
		t.Error("a word was taken as a commit")
	}
}
