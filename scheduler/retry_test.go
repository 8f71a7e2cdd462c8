package scheduler

import (
	"cmp"
	"reflect"
	"slices"
	"testing"

	"github.com/runner-ci/runner/runner"
)

// retryOf accepts the retry of a build, and returns its trigger and its build, still without a plan.
func retryOf(t *testing.T, s *Scheduler, id string, failedOnly bool) (Trigger, Build) {
	t.Helper()
	tr := accept(t, s, Trigger{Kind: KindRetry, RetryOf: id, FailedOnly: failedOnly})
	builds, err := s.planTrigger(&tr)
	if err != nil || len(builds) != 1 {
		t.Fatalf("the retry made %v (%v), want one build", builds, err)
	}
	return tr, builds[0]
}

func TestABuildThatEndedWhileItWasPlannedLeavesNothingToTakeOver(t *testing.T) {
	plan := fanout(2, false)
	plan.Jobs[0].Image, plan.Jobs[1].Image = "golang", "node"
	tests := []struct {
		name    string
		failure planFailure
		images  map[string]runner.Image
	}{
		{"no image could be had", planFailure{status: Fault, reason: "image", message: "no such image"}, map[string]runner.Image{}},
		{"one of the images could be had", planFailure{status: Fault, reason: "image", message: "no such image"}, map[string]runner.Image{"golang": {ID: "sha256:1"}}},
		{"it was stopped", planFailure{status: Stopped, reason: "stopped", message: "stopped by ada"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, statePath(t))
			tr := accept(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee"})
			builds, err := s.planTrigger(&tr)
			if err != nil {
				t.Fatal(err)
			}
			b := builds[0]
			b.Plan, b.Images = &plan, tt.images
			if err := s.failBuild(b, &tt.failure); err != nil {
				t.Fatal(err)
			}
			if got := mustBuild(t, s, b.ID()); got.Plan != nil || len(got.Images) != 0 {
				t.Errorf("it keeps the plan %v and the images %v", got.Plan, got.Images)
			}
			again, fresh := retryOf(t, s, b.ID(), false)
			if jobs, ok := s.takeOver(&again, &fresh); ok || fresh.Plan != nil {
				t.Errorf("its retry takes over %d jobs", len(jobs))
			}
		})
	}
}

func TestAPlanIsTakenOverWithItsImagesOrNotAtAll(t *testing.T) {
	s := open(t, statePath(t))
	plan := fanout(1, false)
	plan.Jobs[0].Image = "golang"
	b := queued(t, s, plan) // without the image, as older versions stored a retry of a build that had failed at it
	e, l := take(t, s)
	if err := s.finish(e, l.attempt.Token, red); err != nil {
		t.Fatal(err)
	}
	again, fresh := retryOf(t, s, b.ID(), false)
	if _, ok := s.takeOver(&again, &fresh); ok {
		t.Error("a plan without its image was taken over")
	}
}

func TestARetryThatEndedWhileItWasPlannedPassesOnWhatItRetried(t *testing.T) {
	tests := []struct {
		name          string
		first, second bool // whether the failed jobs alone are wanted
		taken         int  // results
	}{
		{"all jobs of a retry of all jobs", false, false, 0},
		{"the failed jobs of a retry of all jobs, none of which ran", false, true, 0},
		{"all jobs of a retry of the failed ones", true, false, 0},
		{"the failed jobs of a retry of the failed ones", true, true, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, statePath(t))
			plan := fanout(2, false)
			plan.Jobs[0].Image, plan.Jobs[1].Image = "golang", "golang"
			b := queuedIn(t, s, plan, map[string]runner.Image{"golang": {Ref: "golang", ID: "sha256:1"}})
			for _, res := range []runner.Result{green, red} {
				e, l := take(t, s)
				if err := s.finish(e, l.attempt.Token, res); err != nil {
					t.Fatal(err)
				}
			}
			_, between := retryOf(t, s, b.ID(), tt.first)
			if err := s.failBuild(between, &planFailure{status: Fault, reason: "source", message: "no answer"}); err != nil {
				t.Fatal(err)
			}
			tr, last := retryOf(t, s, between.ID(), tt.second)
			jobs, ok := s.takeOver(&tr, &last)
			if !ok || last.Images["golang"].ID != "sha256:1" {
				t.Fatalf("it takes over %t, with the images %v; want those of %s", ok, last.Images, b.ID())
			}
			taken := 0
			for _, j := range jobs {
				if j.TakenFrom == b.ID() {
					taken++
				}
			}
			if taken != tt.taken {
				t.Errorf("it takes over %d results, want %d", taken, tt.taken)
			}
		})
	}
}

// failed makes the build of a trigger, and ends it before it has a plan.
func failed(t *testing.T, s *Scheduler, tr Trigger, at func(*Build)) Build {
	t.Helper()
	stored := accept(t, s, tr)
	builds, err := s.planTrigger(&stored)
	if err != nil || len(builds) != 1 {
		t.Fatalf("the trigger made %v (%v), want one build", builds, err)
	}
	b := builds[0]
	at(&b)
	if err := s.failBuild(b, &planFailure{status: Fault, reason: "image", message: "no such image"}); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestARetryIsAskedForWhatItsBuildWas(t *testing.T) {
	asked := Trigger{
		Kind: KindPullRequest, Projects: []string{"api"}, Ref: "refs/pull/7/head", Commit: "c0ffee", Before: "beef",
		BaseRef: "refs/heads/main", HeadRef: "refs/heads/topic", PullRequest: 7, Event: "PULL_REQUEST_UPDATED",
		Actor: "ada", ActorID: "42",
		Override: Override{Image: "golang", Buildspec: "ci.yml", Env: map[string]string{"WHO": "ada"}},
	}
	s := open(t, statePath(t))
	old := failed(t, s, asked, func(*Build) {})
	id := old.ID()
	for range 2 { // the retry of a retry, too
		tr, b := retryOf(t, s, id, false)
		if got, want := webhookVars(&tr), webhookVars(&asked); !slices.Equal(got, want) {
			t.Errorf("its webhook's variables are %v, want %v", got, want)
		}
		if got := sourceVersion(&b, &tr); got != "pr/7" {
			t.Errorf("its source version is %s, want pr/7", got)
		}
		if !reflect.DeepEqual(tr.Override, asked.Override) {
			t.Errorf("it overrides %+v, want %+v", tr.Override, asked.Override)
		}
		if err := s.failBuild(b, &planFailure{status: Fault, reason: "image", message: "no such image"}); err != nil {
			t.Fatal(err)
		}
		id = b.ID()
	}
}

func TestARetryIsTrustedAsItsBuildWas(t *testing.T) {
	push := Trigger{Kind: KindPush, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee"}
	request := Trigger{Kind: KindPullRequest, Projects: []string{"api"}, Ref: "refs/pull/7/head", Commit: "c0ffee", PullRequest: 7, Event: "PULL_REQUEST_CREATED"}
	judged := func(trusted bool) func(*Build) {
		return func(b *Build) { b.Tree, b.Trusted = "7ee", trusted }
	}
	unjudged := func(*Build) {}
	tests := []struct {
		name string
		asks Trigger
		at   func(*Build)
		want bool
	}{
		{"a trusted push", push, judged(true), true},
		{"a push that was not trusted then", push, judged(false), false},
		{"a push to the default branch whose source could not be had", push, unjudged, true},
		{"a submit whose source could not be had", Trigger{Kind: KindSubmit, Projects: []string{"api"}, Ref: "refs/heads/main", Commit: "c0ffee"}, unjudged, false},
		{"a pull request", request, judged(false), false},
		{"a pull request whose source could not be had", request, unjudged, false},
	}
	for _, tt := range tests {
		s := open(t, statePath(t))
		p, err := s.Project("api")
		if err != nil {
			t.Fatal(err)
		}
		old := failed(t, s, tt.asks, tt.at)
		tr, fresh := retryOf(t, s, old.ID(), false)
		if got := s.judgeTrust(&p, &tr, "main"); got != tt.want {
			t.Errorf("the retry of %s is trusted: %t, want %t", tt.name, got, tt.want)
		}
		// Whoever may not start a trusted build may not have this one started again.
		for _, id := range []string{old.ID(), fresh.ID()} {
			if may, err := s.MayBeTrusted(id); err != nil || may != tt.want {
				t.Errorf("%s, build %s, may be trusted: %t (%v), want %t", tt.name, id, may, err, tt.want)
			}
		}
	}
}

func TestARetryKeepsTheSourceVersionThatWasAskedFor(t *testing.T) {
	const commit = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff"
	resolved := func(b *Build) { b.Commit, b.Tree, b.Ref = commit, "7ee", cmp.Or(b.Ref, "refs/heads/main") }
	tests := []struct {
		asks Trigger
		want string
	}{
		{Trigger{Kind: KindManual, Ref: "refs/heads/topic"}, "topic"},
		{Trigger{Kind: KindManual, Ref: "refs/tags/v1"}, "v1"},
		{Trigger{Kind: KindManual}, "main"},
		{Trigger{Kind: KindManual, Commit: commit}, commit},
		{Trigger{Kind: KindPush, Ref: "refs/heads/main", Commit: commit}, commit},
		{Trigger{Kind: KindPullRequest, Ref: "refs/pull/7/head", Commit: commit, PullRequest: 7}, "pr/7"},
	}
	for _, tt := range tests {
		s := open(t, statePath(t))
		tt.asks.Projects = []string{"api"}
		first := failed(t, s, tt.asks, resolved)
		id := first.ID()
		for range 2 { // the retry of a retry, too
			tr, b := retryOf(t, s, id, false)
			if got := sourceVersion(&b, &tr); got != tt.want {
				t.Errorf("the retry of %s %q has the source version %s, want %s", tt.asks.Kind, tt.asks.Ref, got, tt.want)
			}
			if err := s.failBuild(b, &planFailure{status: Fault, reason: "image", message: "no such image"}); err != nil {
				t.Fatal(err)
			}
			id = b.ID()
		}
	}
}
