package scheduler

import (
	"strings"
	"testing"
)

func TestWhatWaitsWithoutACommitIsPendingUntilItIsKnown(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	policy(t, s, "")
	asks := forkRequest("")
	tr := accept(t, s, asks)
	for range 2 { // asked for once
		if builds, err := s.planTrigger(&tr); err != nil || len(builds) > 0 || tr.Outcome != OutcomePending {
			t.Fatalf("it made %v (%v) and is %s", builds, err, tr.Outcome)
		}
	}
	if next := s.takeUnpinned(); len(next) != 1 || next[0].ID != tr.ID || len(s.takeUnpinned()) != 0 {
		t.Fatalf("%d commits are looked up, want one, once", len(next))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, path)
	if builds := s.planTriggers(); len(builds) > 0 {
		t.Fatalf("a daemon that starts builds %v", builds)
	}
	next := s.takeUnpinned()
	if len(next) != 1 {
		t.Fatalf("a daemon that starts looks %d commits up, want one", len(next))
	}
	const found = "199eddf46df50de8d02e99bf1c5fdb4101338224"
	if err := s.pinned(&next[0], func() { next[0].Commit = found }); err != nil {
		t.Fatal(err)
	}
	s.planTriggers()
	got, err := s.Trigger(tr.ID)
	if err != nil || got.Outcome != OutcomeWaiting || got.Commit != found || !strings.Contains(got.Reason, found[:12]) {
		t.Fatalf("it is %s at %q (%s), %v", got.Outcome, got.Commit, got.Reason, err)
	}
	late := tr // what was read before
	if err := s.pinned(&late, func() { late.Outcome = OutcomeSkipped }); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Trigger(tr.ID); err != nil || got.Outcome != OutcomeWaiting {
		t.Errorf("a late answer made it %s, %v", got.Outcome, err)
	}
	if _, err := s.Approve(t.Context(), tr.ID, found, "ada"); err != nil {
		t.Error(err)
	}
	if builds := s.planTriggers(); len(builds) != 1 || builds[0].Commit != found || !builds[0].Fork {
		t.Errorf("approved, it makes %+v", builds)
	}
}

func TestCommentsWaitUnlessTheirAuthorBelongs(t *testing.T) {
	s := open(t, statePath(t))
	policy(t, s, "")
	own := forkRequest("c0ffee")
	own.Kind, own.Fork = KindComment, false
	tr := accept(t, s, own)
	if _, err := s.planTrigger(&tr); err != nil || tr.Outcome != OutcomeWaiting || !strings.Contains(tr.Reason, "a comment on pull request #7") {
		t.Errorf("a stranger's comment on a branch's pull request is %s (%s), %v", tr.Outcome, tr.Reason, err)
	}
	own.Approved = &Approval{By: "ada", Commit: "c0ffee"}
	tr = accept(t, s, own)
	builds, err := s.planTrigger(&tr)
	if err != nil || len(builds) != 1 || trusted(&Project{}, &tr, own.Ref) {
		t.Errorf("a member's comment makes %v, %v", builds, err)
	}
}

func TestTheHeadOfAPullRequestIsTheNewestToldOf(t *testing.T) {
	s := open(t, statePath(t))
	if _, ok, err := s.HeadOf([]string{"api"}, 7); ok || err != nil {
		t.Errorf("of nothing: %t, %v", ok, err)
	}
	accept(t, s, forkRequest("c0ffee"))
	newest := accept(t, s, forkRequest("beef"))
	other := forkRequest("dead")
	other.PullRequest = 8
	accept(t, s, other)
	comment := forkRequest("feed")
	comment.Kind = KindComment
	comment.Delivery = "github/c"
	said := accept(t, s, comment)
	if got, ok, err := s.HeadOf([]string{"web", "api"}, 7); err != nil || !ok || got.ID != newest.ID {
		t.Errorf("HeadOf is %s, %t, %v; want %s", got.ID, ok, err, newest.ID)
	}
	if _, ok, _ := s.HeadOf([]string{"web"}, 7); ok {
		t.Error("another project's pull request was found")
	}
	if got, ok, err := s.Delivered("github/c"); err != nil || !ok || got.ID != said.ID {
		t.Errorf("Delivered is %s, %t, %v", got.ID, ok, err)
	}
	if _, ok, err := s.Delivered("github/d"); err != nil || ok {
		t.Errorf("what never came was delivered, %v", err)
	}
}

func TestWhatEndsIsBuiltOnlyOnRequest(t *testing.T) {
	s := open(t, statePath(t))
	for _, event := range []string{"PULL_REQUEST_MERGED", "PULL_REQUEST_CLOSED", "RELEASED", "PRERELEASED"} {
		asks := forkRequest("c0ffee")
		asks.Event = event
		if tr := accept(t, s, asks); tr.Outcome != OutcomeSkipped || tr.Reason == "" {
			t.Errorf("%s is %s (%s)", event, tr.Outcome, tr.Reason)
		}
	}
	if tr := accept(t, s, forkRequest("c0ffee")); tr.Outcome != OutcomePending {
		t.Errorf("an opened pull request is %s", tr.Outcome)
	}
}
