package scheduler

import (
	"errors"
	"strings"
	"testing"

	"github.com/runner-ci/runner/config"
)

// forkRequest is what a webhook tells of a stranger's pull request.
func forkRequest(commit string) Trigger {
	return Trigger{
		Kind: KindPullRequest, Projects: []string{"api"}, Ref: "refs/pull/7/head", Commit: commit, PullRequest: 7, Fork: true,
		Event: "PULL_REQUEST_CREATED",
	}
}

// policy gives project api an approval policy, as a reload of the configuration does.
func policy(t *testing.T, s *Scheduler, approval string) {
	t.Helper()
	cfg := *s.config()
	cfg.Projects = append([]config.Project{}, cfg.Projects...)
	cfg.Projects[0].Approval = approval
	if err := s.Configure(&cfg); err != nil {
		t.Fatal(err)
	}
}

func TestWhichPullRequestsWait(t *testing.T) {
	own := forkRequest("c0ffee")
	own.Fork = false
	push := Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee"}
	tests := []struct {
		policy string
		name   string
		asks   Trigger
		waits  bool
	}{
		{"", "a fork's", forkRequest("c0ffee"), true},
		{config.ApproveForks, "a fork's", forkRequest("c0ffee"), true},
		{config.ApproveForks, "an own one", own, false},
		{config.ApproveAll, "an own one", own, true},
		{config.ApproveAll, "a push", push, false},
		{config.ApproveNone, "a fork's", forkRequest("c0ffee"), false},
	}
	for _, tt := range tests {
		s := open(t, statePath(t))
		policy(t, s, tt.policy)
		tr := accept(t, s, tt.asks)
		builds, err := s.planTrigger(&tr)
		if err != nil {
			t.Fatal(err)
		}
		if (tr.Outcome == OutcomeWaiting) != tt.waits || (len(builds) == 0) != tt.waits {
			t.Errorf("approval %q: %s is %s with %d builds; it should wait: %t", tt.policy, tt.name, tr.Outcome, len(builds), tt.waits)
		}
		for _, b := range builds {
			if b.Fork != tt.asks.Fork {
				t.Errorf("approval %q: the build of %s is a fork's: %t", tt.policy, tt.name, b.Fork)
			}
		}
	}
}

func TestOfSeveralProjectsTheStrictestDecides(t *testing.T) {
	s := open(t, statePath(t))
	policy(t, s, config.ApproveNone)
	web := config.Project{Name: "web", URL: "https://example.com/web.git"}
	if err := s.PutProject(t.Context(), web); err != nil {
		t.Fatal(err)
	}
	asks := forkRequest("c0ffee")
	asks.Projects = []string{"api", "web"}
	tr := accept(t, s, asks)
	if builds, err := s.planTrigger(&tr); err != nil || len(builds) != 0 || tr.Outcome != OutcomeWaiting {
		t.Errorf("it is %s with %d builds, %v", tr.Outcome, len(builds), err)
	}
}

func TestAnApprovalIsForOneCommitAndOneTime(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	tr := accept(t, s, forkRequest("c0ffee"))
	var conflict *ConflictError
	if _, err := s.Approve(t.Context(), tr.ID, "", "ada"); !errors.As(err, &conflict) {
		t.Errorf("approving what is pending was answered %v", err)
	}
	if _, err := s.planTrigger(&tr); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(tr.Reason, "runner approve "+tr.ID) {
		t.Errorf("the reason does not say how it goes on: %s", tr.Reason)
	}
	if page, _, err := s.Triggers(OutcomeWaiting, "", 5); err != nil || len(page) != 1 {
		t.Errorf("%d triggers wait, %v", len(page), err)
	}
	if _, err := s.Approve(t.Context(), tr.ID, "beef", "ada"); !errors.As(err, &conflict) {
		t.Errorf("approving another commit was answered %v", err)
	}
	approved, err := s.Approve(t.Context(), tr.ID, "c0ffee", "ada")
	if err != nil || approved.Outcome != OutcomePending || approved.Approved.By != "ada" || approved.Approved.At.IsZero() || approved.Approved.Commit != "c0ffee" {
		t.Fatalf("the approved trigger is %+v, %v", approved, err)
	}
	if _, err := s.Approve(t.Context(), tr.ID, "", "bob"); !errors.As(err, &conflict) || !strings.Contains(err.Error(), "approved by ada") {
		t.Errorf("approving twice was answered %v", err)
	}
	// The daemon dies before it has planned: the approval is in the state.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	builds := s.planTriggers(t.Context())
	if len(builds) != 1 || !builds[0].Fork || builds[0].Commit != "c0ffee" {
		t.Fatalf("the approved trigger made %+v", builds)
	}
	later := accept(t, s, forkRequest("beef"))
	if made, err := s.planTrigger(&later); err != nil || len(made) != 0 {
		t.Errorf("a later push made %v, %v; it should wait again", made, err)
	}
	if _, err := s.Approve(t.Context(), "t0000009999", "", "ada"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such trigger: %v", err)
	}
}

func TestARetryOfAForksBuildNeitherWaitsNorIsTrusted(t *testing.T) {
	s := open(t, statePath(t))
	tr := accept(t, s, forkRequest("c0ffee"))
	if _, err := s.planTrigger(&tr); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Approve(t.Context(), tr.ID, "", "ada"); err != nil {
		t.Fatal(err)
	}
	b := s.planTriggers(t.Context())[0]
	if _, _, err := s.Accept(t.Context(), Trigger{Kind: KindRetry, RetryOf: b.ID()}); !errors.As(err, new(*ConflictError)) {
		t.Errorf("retrying what runs was answered %v", err)
	}
	if err := s.failBuild(b, &planFailure{status: Fault, reason: "image", message: "no such image"}); err != nil {
		t.Fatal(err)
	}
	p, err := s.Project("api")
	if err != nil {
		t.Fatal(err)
	}
	for id, n := b.ID(), 0; n < 2; n++ { // the retry of a retry, too
		again, fresh := retryOf(t, s, id, false)
		if !fresh.Fork || !subject(&fresh).Fork || s.judgeTrust(&p, &again, "refs/heads/main") {
			t.Errorf("the retry is a fork's: %t, trusted: %t", fresh.Fork, s.judgeTrust(&p, &again, "refs/heads/main"))
		}
		if err := s.failBuild(fresh, &planFailure{status: Fault, reason: "image", message: "no such image"}); err != nil {
			t.Fatal(err)
		}
		id = fresh.ID()
	}
}

// TestACommitByHandIsJudgedOnceItsSourceIsHad: a build that ended before that leaves the judgement to its retries.
func TestACommitByHandIsJudgedOnceItsSourceIsHad(t *testing.T) {
	for _, tree := range []string{"", "7ree"} {
		s := open(t, statePath(t))
		tr := accept(t, s, Trigger{Kind: KindManual, Projects: []string{"api"}, Commit: "c0ffee"})
		builds, err := s.planTrigger(&tr)
		if err != nil || len(builds) != 1 || !s.commitByHand(&tr) {
			t.Fatal(builds, err)
		}
		b := &builds[0]
		b.Tree, b.Fork = tree, tree != ""
		if err := s.failBuild(*b, &planFailure{status: Fault, reason: "source", message: "no network"}); err != nil {
			t.Fatal(err)
		}
		again, fresh := retryOf(t, s, b.ID(), false)
		if s.commitByHand(&again) == b.Fork || fresh.Fork != b.Fork {
			t.Errorf("with the tree %q it is judged again: %t, and a stranger's: %t", tree, s.commitByHand(&again), fresh.Fork)
		}
	}
}

func TestAPullRequestStartedByHandCountsAsAForks(t *testing.T) {
	for ref, want := range map[string]bool{
		"": false, "refs/heads/main": false, "refs/tags/v1": false, "refs/pull/7/head": true, "refs/merge-requests/7/head": true,
		"refs/runner/submit/2026-01-01/x": true,
	} {
		s := open(t, statePath(t))
		tr := accept(t, s, Trigger{Kind: KindManual, Projects: []string{"api"}, Ref: ref})
		builds, err := s.planTrigger(&tr)
		if err != nil || len(builds) != 1 {
			t.Fatal(builds, err)
		}
		p, _ := s.Project("api")
		if trust := s.judgeTrust(&p, &tr, "refs/heads/main"); builds[0].Fork != want || trust == want {
			t.Errorf("started at %q it is a fork's: %t, trusted: %t", ref, builds[0].Fork, trust)
		}
	}
}
