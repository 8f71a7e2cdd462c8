package scheduler

import (
	"slices"
	"testing"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// retried brings a retry of the failed jobs of a build to the point where the dispatcher takes over.
func retried(t *testing.T, s *Scheduler, of string) Build {
	t.Helper()
	tr := Trigger{Kind: KindRetry, RetryOf: of, FailedOnly: true}
	if err := s.fillRetry(&tr); err != nil {
		t.Fatal(err)
	}
	tr = accept(t, s, tr)
	builds, err := s.planTrigger(&tr)
	if err != nil || len(builds) != 1 {
		t.Fatalf("the retry made %v (%v)", builds, err)
	}
	b := builds[0]
	jobs, ok := s.takeOver(&tr, &b)
	if !ok {
		t.Fatal("the retry takes nothing over")
	}
	if err := s.queueBuild(t.Context(), b, jobs); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestARetryGivesAShardWhatItHad is the use of a recorded assignment: the order in which tests ran is part of a failure.
func TestARetryGivesAShardWhatItHad(t *testing.T) {
	for _, strategy := range []string{wire.StrategyQueue, wire.StrategyTiming} {
		t.Run(strategy, func(t *testing.T) {
			s := open(t, statePath(t))
			plan := fanout(2, false)
			plan.Jobs[0].Image, plan.Jobs[1].Image = "a", "a"
			b := queuedIn(t, s, plan, map[string]runner.Image{"a": {Ref: "a", ID: "a"}})
			shards := startShards(t, s, 2)
			for _, sh := range shards {
				sh.join(strategy, suite(40))
			}
			var had []int
			shards[1].fails = func(i int) bool { had = append(had, i); return i == had[0] }
			last := work(t, shards)
			shards[0].end(s, green)
			shards[1].end(s, red)
			if last[0].Fails || !last[1].Fails {
				t.Fatalf("the call fails so: %+v", last)
			}
			first := retried(t, s, b.ID())
			early := startShards(t, s, 1)
			early[0].end(s, red) // before it came to its tests
			retried(t, s, first.ID())
			again := startShards(t, s, 1)
			again[0].join(strategy, suite(40))
			var got []int
			again[0].fails = func(i int) bool { got = append(got, i); return false }
			if last := work(t, again); last[0].Fails {
				t.Error("the retry fails although all passed")
			}
			if !slices.Equal(got, had) {
				t.Errorf("the retry ran %v, want %v", got, had)
			}
		})
	}
}

// TestOnFailureRetryRunsTheShardsTestsAgain: the other shards' are not run again, and do not fail for it.
func TestOnFailureRetryRunsTheShardsTestsAgain(t *testing.T) {
	for _, strategy := range []string{wire.StrategyQueue, wire.StrategyTiming} {
		t.Run(strategy, func(t *testing.T) {
			path := statePath(t)
			s := open(t, path)
			plan := fanout(2, false)
			for i := range plan.Jobs {
				plan.Jobs[i].Phases = []buildspec.Phase{{Name: "BUILD", OnFailure: "RETRY", Retry: &buildspec.Retry{Count: 2, Pattern: ".*"}}}
			}
			b := queued(t, s, plan)
			shards := startShards(t, s, 2)
			for _, sh := range shards {
				sh.join(strategy, suite(40))
			}
			var had, got []int
			shards[1].fails = func(i int) bool { had = append(had, i); return i == had[0] }
			work(t, shards)
			shards[0].end(s, green)
			retry := red
			retry.Retry = true
			shards[1].end(s, retry)

			again := startShards(t, s, 1)
			again[0].join(strategy, suite(40))
			again[0].fails = func(i int) bool { got = append(got, i); return false }
			again[0].take()
			s.tests.drop(b.ID()) // as a restart would
			again[0].done()
			if last := work(t, again); last[0].Fails {
				t.Error("the second attempt fails although all passed")
			}
			if !slices.Equal(got, had) {
				t.Errorf("the second attempt ran %v, want %v", got, had)
			}
		})
	}
}
