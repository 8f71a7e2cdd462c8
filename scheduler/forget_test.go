package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// ended makes a build of one job that has succeeded.
func ended(t *testing.T, s *Scheduler) Build {
	t.Helper()
	b := queued(t, s, fanout(1, false))
	e, l := take(t, s)
	if err := s.finish(e, l.attempt.Token, green); err != nil {
		t.Fatal(err)
	}
	if err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketSandboxes).Delete([]byte(l.attempt.Sandbox)) }); err != nil {
		t.Fatal(err)
	}
	return mustBuild(t, s, b.ID())
}

func stored(t *testing.T, s *Scheduler) (builds, triggers []string) {
	t.Helper()
	for _, project := range []string{"", "api"} {
		builds = nil
		for _, b := range pages(t, func(c string) ([]Build, string, error) { return s.Builds(Filter{Project: project}, c, 2) }) {
			builds = append(builds, b.ID())
		}
	}
	for _, tr := range pages(t, func(c string) ([]Trigger, string, error) { return s.Triggers("", c, 2) }) {
		triggers = append(triggers, tr.ID)
	}
	return builds, triggers
}

func forget(t *testing.T, s *Scheduler, k Keep, now time.Time) (dropped []string) {
	t.Helper()
	n, err := s.Forget(t.Context(), k, now, func(_ context.Context, b *Build, blobs []string) error {
		dropped = append(dropped, fmt.Sprintf("%s %d", b.ID(), len(blobs)))
		return nil
	})
	if err != nil || n != len(dropped) {
		t.Fatalf("it forgot %d builds of %v: %v", n, dropped, err)
	}
	return dropped
}

func TestOldBuildsAreForgottenOldestFirst(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	for range 3 {
		ended(t, s)
	}
	queued(t, s, fanout(1, false))
	take(t, s) // api#4 runs for ever
	for range 3 {
		ended(t, s)
	}
	retry := accept(t, s, Trigger{Kind: KindRetry, RetryOf: "api#2"})
	if _, err := s.planTrigger(&retry); err != nil { // api#8 waits for its plan, which is api#2's
		t.Fatal(err)
	}
	skipped := accept(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Skip: "branch deleted", Delivery: "github/1"})
	if got := forget(t, s, Keep{}, time.Now().Add(1000*time.Hour)); got != nil {
		t.Fatalf("without bounds it forgot %v", got)
	}

	if got, want := forget(t, s, Keep{Number: 5}, time.Now()), []string{"api#1 1", "api#3 1", "api#5 1"}; !slices.Equal(got, want) {
		t.Errorf("it forgot %v, want %v", got, want)
	}
	builds, triggers := stored(t, s)
	if want := []string{"api#8", "api#7", "api#6", "api#4", "api#2"}; !slices.Equal(builds, want) {
		t.Errorf("left are %v, want %v", builds, want)
	}
	if len(triggers) != 6 || triggers[0] != skipped.ID {
		t.Errorf("left are the triggers %v, want that of each build, and %s", triggers, skipped.ID)
	}
	_, err := s.Build("api#1")
	if _, jobs := s.Jobs("api#1"); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "retention.builds") || !errors.Is(jobs, ErrNotFound) {
		t.Errorf("a build that was forgotten: %v; its jobs: %v", err, jobs)
	}
	if _, err := s.Build("api#99"); !errors.Is(err, ErrNotFound) || strings.Contains(err.Error(), "retention") {
		t.Errorf("a build that never was: %v", err)
	}

	age := Keep{Age: time.Hour}
	if got := forget(t, s, age, time.Now().Add(30*time.Minute)); got != nil {
		t.Errorf("before its time it forgot %v", got)
	}
	if got, want := forget(t, s, age, time.Now().Add(2*time.Hour)), []string{"api#6 1", "api#7 1"}; !slices.Equal(got, want) {
		t.Errorf("it forgot %v, want %v", got, want)
	}
	builds, triggers = stored(t, s)
	if want := []string{"api#8", "api#4", "api#2"}; !slices.Equal(builds, want) || len(triggers) != 3 {
		t.Errorf("left are %v, triggers %v, want %v with theirs", builds, triggers, want)
	}
	if again := accept(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Skip: "x", Delivery: "github/1"}); again.ID == skipped.ID {
		t.Error("a delivery names a trigger that was forgotten")
	}
	if b := queued(t, s, fanout(1, false)); b.Number != 9 {
		t.Errorf("the next build is number %d, want 9", b.Number)
	}
	checkClean(t, s, path)
}

func TestAPullRequestThatWaitsIsForgottenByItsAgeAlone(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	for range 3 {
		tr := accept(t, s, Trigger{Kind: KindPush, Projects: []string{"api"}, Commit: "c0ffee", Ref: "refs/pull/1/head", Fork: true, PullRequest: 1})
		tr.Outcome, tr.Builds = OutcomeWaiting, nil
		if err := s.db.Update(func(tx *bbolt.Tx) error { return putTrigger(tx, &tr) }); err != nil {
			t.Fatal(err)
		}
	}
	waiting := func() int {
		page, _, err := s.Triggers(OutcomeWaiting, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(page)
	}
	forget(t, s, Keep{Number: 1}, time.Now())
	if waiting() != 3 {
		t.Errorf("%d pull requests wait, want 3", waiting())
	}
	forget(t, s, Keep{Age: time.Hour}, time.Now().Add(2*time.Hour))
	if waiting() != 0 {
		t.Errorf("%d pull requests wait, want 0", waiting())
	}
}

// TestABuildThatCouldNotBeDroppedStays: rows go last, so that the next daemon finds what is left by them.
func TestABuildThatCouldNotBeDroppedStays(t *testing.T) {
	s := open(t, statePath(t))
	ended(t, s)
	ended(t, s)
	full := errors.New("disk full")
	_, err := s.Forget(t.Context(), Keep{Number: 1}, time.Now(), func(context.Context, *Build, []string) error { return full })
	if builds, _ := stored(t, s); !errors.Is(err, full) || len(builds) != 2 {
		t.Fatalf("%v, left are %v", err, builds)
	}
	if got := forget(t, s, Keep{Number: 1}, time.Now()); len(got) != 1 {
		t.Errorf("then it forgot %v, want api#1", got)
	}
}

// TestALargeBuildIsForgottenInParts looks at the state between two of the transactions, in which a daemon may die.
func TestALargeBuildIsForgottenInParts(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	large := queued(t, s, fanout(forgetRows+100, false))
	if _, err := s.Stop(t.Context(), large.ID(), "ada"); err != nil {
		t.Fatal(err)
	}
	due, err := s.forgettable(OutcomeBuilt, Keep{Age: time.Hour}, time.Now().Add(2*time.Hour))
	if err != nil || len(due) != 1 {
		t.Fatalf("due are %v, %v", due, err)
	}
	more := false
	err = s.db.Update(func(tx *bbolt.Tx) (err error) { _, more, err = dropTriggers(tx, due); return err })
	if err != nil || !more {
		t.Fatalf("one transaction removed all (%v)", err)
	}
	checkClean(t, s, path)
	s = open(t, path)
	if got := forget(t, s, Keep{Age: time.Hour}, time.Now().Add(2*time.Hour)); len(got) != 1 {
		t.Errorf("then it forgot %v", got)
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		for _, bucket := range [][]byte{bucketBuilds, bucketJobs, bucketPlans, bucketOrder, bucketEnded, bucketEndedOf, bucketRefs, bucketTriggers, bucketOutcomes, bucketTestQueues} {
			if k, _ := tx.Bucket(bucket).Cursor().First(); k != nil {
				t.Errorf("bucket %s still has %q", bucket, k)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
