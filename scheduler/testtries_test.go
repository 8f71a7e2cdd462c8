package scheduler

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner/wire"
)

// budgeted is two shards, of a plan that has what fails tried again, which have joined with 20 tests.
func budgeted(t *testing.T, s *Scheduler, retry buildspec.TestRetry, strategy string) []*shard {
	t.Helper()
	plan := fanout(2, false)
	for i := range plan.Jobs {
		plan.Jobs[i].TestRetry = &retry
	}
	queued(t, s, plan)
	shards := startShards(t, s, 2)
	for _, sh := range shards {
		if a := sh.join(strategy, suite(20)); a.Strategy != wire.StrategyQueue || a.Refused != "" {
			t.Fatalf("joining was answered %+v", a)
		}
	}
	return shards
}

// failing makes tests fail in a number of tries, and notes the rounds and the shards of each test's tries.
func failing(shards []*shard, tries map[int]int) (rounds map[int][]uint64, on map[int][]int) {
	rounds, on = make(map[int][]uint64), make(map[int][]int)
	for n, sh := range shards {
		sh.fails = func(i int) bool {
			rounds[i], on[i] = append(rounds[i], sh.held.Round), append(on[i], n)
			return len(on[i]) <= tries[i]
		}
	}
	return rounds, on
}

// TestWhatFailsIsTriedAgainElsewhere: a test that fails once is tried once more on the other shard, in a later round, and
// fails no shard unless flaky tests are to.
func TestWhatFailsIsTriedAgainElsewhere(t *testing.T) {
	for name, flakyFails := range map[string]bool{"flaky passes": false, "flaky fails": true} {
		t.Run(name, func(t *testing.T) {
			s := open(t, statePath(t))
			shards := budgeted(t, s, buildspec.TestRetry{Each: 1, Tests: 10, FlakyFails: flakyFails}, wire.StrategyTiming)
			rounds, on := failing(shards, map[int]int{4: 1})
			last := work(t, shards)
			if len(on[4]) != 2 || on[4][0] == on[4][1] || rounds[4][0] != 0 || rounds[4][1] == 0 {
				t.Errorf("test 4 was tried on the shards %v in the rounds %v, want two shards, and a later round", on[4], rounds[4])
			}
			for i := range 20 {
				if i != 4 && len(on[i]) != 1 {
					t.Errorf("test %d, which did not fail, was tried %d times", i, len(on[i]))
				}
			}
			if fails := last[0].Fails || last[1].Fails; fails != flakyFails {
				t.Errorf("the call fails: %t, want %t", fails, flakyFails)
			}
			if !strings.Contains(last[0].Why, "flaky") || !strings.Contains(last[0].Why, "test/004.sh") {
				t.Errorf("in the end it is said that %q", last[0].Why)
			}
		})
	}
}

func TestTriesHaveABudget(t *testing.T) {
	for name, tt := range map[string]struct {
		retry   buildspec.TestRetry
		fails   map[int]int
		retried int
	}{
		"each":  {buildspec.TestRetry{Each: 2, Tests: 10}, map[int]int{4: 9}, 2},
		"tests": {buildspec.TestRetry{Each: 1, Tests: 2}, map[int]int{4: 1, 5: 1, 6: 1}, 2},
		"share": {buildspec.TestRetry{Each: 1, Tests: 10, Share: 0.01}, map[int]int{4: 1}, 0},
		"time":  {buildspec.TestRetry{Each: 1, Tests: 10, Time: 1}, map[int]int{4: 1}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, statePath(t))
			shards := budgeted(t, s, tt.retry, wire.StrategyQueue)
			_, on := failing(shards, tt.fails)
			last := work(t, shards)
			tries := 0
			for _, n := range on {
				tries += len(n)
			}
			if tries != 20+tt.retried || !last[0].Fails && !last[1].Fails {
				t.Errorf("there were %d further tries, and the calls fail: %t, %t; want %d, and one that fails", tries-20, last[0].Fails, last[1].Fails, tt.retried)
			}
		})
	}
}

// TestWhatDidNotCompileIsNotTriedAgain: neither a test that says so, nor a command that could not be run.
func TestWhatDidNotCompileIsNotTriedAgain(t *testing.T) {
	s := open(t, statePath(t))
	shards := budgeted(t, s, buildspec.TestRetry{Each: 1, Tests: 10}, wire.StrategyQueue)
	first, second := shards[0].take(), shards[1].take()
	a, err := shards[0].tests.Done(t.Context(), firstCall, wire.TestsDone{Token: first.Token, Exit: 2, Results: []wire.TestResult{{Item: first.Items[0], Outcome: "broken"}}})
	if err != nil || slices.Contains(a.Again, first.Items[0]) {
		t.Errorf("what did not compile is answered %+v (%v)", a, err)
	}
	a, err = shards[1].tests.Done(t.Context(), firstCall, wire.TestsDone{Token: second.Token, Exit: 127})
	if err != nil || len(a.Again) > 0 {
		t.Errorf("a command that is not found is answered %+v (%v)", a, err)
	}
}

// TestTriesOutliveTheDaemon: the budget and what it was spent on are those of the build, whichever daemon runs.
func TestTriesOutliveTheDaemon(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	shards := budgeted(t, s, buildspec.TestRetry{Each: 1, Tests: 1}, wire.StrategyQueue)
	shards[0].take()
	bad := shards[0].held.Items[0]
	_, on := failing(shards, map[int]int{bad: 2})
	if a := shards[0].done(); !slices.Equal(a.Again, []int{bad}) {
		t.Fatalf("the failure is answered %+v", a)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	if _, err := s.recover(); err != nil {
		t.Fatal(err)
	}
	for _, sh := range shards {
		sh.tests = s.testsOf(sh.lease)
	}
	last := work(t, shards)
	if len(on[bad]) != 2 || !last[0].Fails && !last[1].Fails {
		t.Errorf("the test was tried %d times, and the calls fail: %t, %t; want 2, and one that fails", len(on[bad]), last[0].Fails, last[1].Fails)
	}
}

// TestOnlyTheFailedTestsOfAFileAreTriedAgain, and how long they take says nothing of the file.
func TestOnlyTheFailedTestsOfAFileAreTriedAgain(t *testing.T) {
	s := open(t, statePath(t))
	shards := budgeted(t, s, buildspec.TestRetry{Each: 1, Tests: 10}, wire.StrategyQueue)
	a := shards[0].take()
	item := a.Items[0]
	d := wire.TestsDone{Token: a.Token, Exit: 1, Millis: 9000}
	for _, i := range a.Items {
		r := wire.TestResult{Item: i, Outcome: "passed", Millis: 1000}
		if i == item {
			r.Outcome, r.Failed = "failed", []string{"TestA[b c]"}
		}
		d.Results = append(d.Results, r)
	}
	answer, err := shards[0].tests.Done(t.Context(), firstCall, d)
	if err != nil || !slices.Equal(answer.Again, []int{item}) {
		t.Fatalf("answered %+v, %v", answer, err)
	}
	before := timeOf(s, suite(20)[item])
	s.tests.drop(shards[0].lease.build.ID()) // as a restart does
	again := shards[1].take()
	if !slices.Contains(again.Items, item) || !slices.Equal(again.Only[item], []string{"TestA[b c]"}) || len(again.Only) != 1 {
		t.Fatalf("the other shard was given %+v, want the failed test of item %d", again, item)
	}
	if answer := shards[1].done(); !slices.Equal(answer.Flaky, []int{item}) {
		t.Errorf("answered %+v, want it flaky", answer)
	}
	if after := timeOf(s, suite(20)[item]); before == 0 || after != before {
		t.Errorf("the file took %s and takes %s since one of its tests ran alone", before, after)
	}
}

// timeOf is how long a test of the project takes, as far as is known.
func timeOf(s *Scheduler, name string) (took time.Duration) {
	_ = s.db.View(func(tx *bbolt.Tx) error {
		took = timesOf(tx, "api", []string{name})[name]
		return nil
	})
	return took
}
