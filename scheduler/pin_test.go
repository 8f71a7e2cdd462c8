package scheduler

import (
	"context"
	"strings"
	"testing"

	"github.com/runner-ci/runner/source"
)

func TestWhatWaitsWithoutACommitIsPendingUntilItIsKnown(t *testing.T) {
	const found = "199eddf46df50de8d02e99bf1c5fdb4101338224"
	path := statePath(t)
	s := open(t, path)
	policy(t, s, "")
	tr := accept(t, s, forkRequest(""))
	if builds, err := s.planTrigger(&tr); err != nil || len(builds) > 0 || tr.Outcome != OutcomePending {
		t.Fatalf("it made %v (%v) and is %s", builds, err, tr.Outcome)
	}
	ending, end := context.WithCancel(t.Context())
	leaves := func(context.Context, *Trigger) (string, error) { end(); return "", ending.Err() }
	if !s.pin(ending, &tr, leaves) || mustTrigger(t, s, tr.ID).Outcome != OutcomePending {
		t.Error("a daemon that leaves decided it")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, path)
	tr = mustTrigger(t, s, tr.ID)
	is := func(commit string, err error) func(context.Context, *Trigger) (string, error) {
		return func(context.Context, *Trigger) (string, error) { return commit, err }
	}
	away := &source.FetchError{Kind: source.KindUnreachable, Message: "no answer"}
	if !s.pin(t.Context(), &tr, is("", away)) || mustTrigger(t, s, tr.ID).Outcome != OutcomePending {
		t.Error("a repository that gave no answer decided it")
	}
	late := tr // what somebody read before
	if !s.pin(t.Context(), &tr, is(found, nil)) {
		t.Error("it was not looked up")
	}
	got := mustTrigger(t, s, tr.ID)
	if got.Outcome != OutcomeWaiting || got.Commit != found || !strings.Contains(got.Reason, found[:12]) {
		t.Fatalf("it is %s at %q (%s)", got.Outcome, got.Commit, got.Reason)
	}
	gone := &source.FetchError{Kind: source.KindUnknownRef, Message: "no such ref"}
	s.pin(t.Context(), &late, is("", gone))
	if got := mustTrigger(t, s, tr.ID); got.Outcome != OutcomeWaiting {
		t.Errorf("a late answer made it %s", got.Outcome)
	}
	if s.pin(t.Context(), &got, is(tr.ID, nil)) {
		t.Error("what has its commit was looked up")
	}
	if _, err := s.Approve(t.Context(), tr.ID, found, "ada"); err != nil {
		t.Error(err)
	}
	if builds := s.planTriggers(t.Context()); len(builds) != 1 || builds[0].Commit != found || !builds[0].Fork {
		t.Errorf("approved, it makes %+v", builds)
	}

	tr = accept(t, s, forkRequest(""))
	s.pin(t.Context(), &tr, is("", gone))
	if got := mustTrigger(t, s, tr.ID); got.Outcome != OutcomeSkipped || !strings.Contains(got.Reason, "no such ref") {
		t.Errorf("without such a ref it is %s (%s)", got.Outcome, got.Reason)
	}
}

func mustTrigger(t *testing.T, s *Scheduler, id string) Trigger {
	t.Helper()
	tr, err := s.Trigger(id)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestCommentsWaitUnlessTheirAuthorBelongs(t *testing.T) {
	s := open(t, statePath(t))
	policy(t, s, "")
	own := forkRequest("c0ffee")
	own.Kind, own.Fork = KindComment, false
	tr := accept(t, s, own)
	if _, err := s.planTrigger(&tr); err != nil || tr.Outcome != OutcomeWaiting || !strings.Contains(tr.Reason, "in a comment on pull request #7 waits") {
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
