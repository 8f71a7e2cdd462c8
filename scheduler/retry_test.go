package scheduler

import (
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
		{"no image could be had", planFailure{Fault, "image", "no such image"}, map[string]runner.Image{}},
		{"one of the images could be had", planFailure{Fault, "image", "no such image"}, map[string]runner.Image{"golang": {ID: "sha256:1"}}},
		{"it was stopped", planFailure{Stopped, "stopped", "stopped by ada"}, nil},
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
