package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

var firstCall = wire.TestCall{Phase: wire.PhaseBuild}

// suite is n test files. Test i takes i+1 times ten milliseconds.
func suite(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("test/%03d.sh", i))
	}
	return names
}

// shard is an attempt as its agent acts.
type shard struct {
	t     *testing.T
	entry *entry
	lease leased
	tests *attemptTests
	next  uint64
	held  wire.TestsAnswer
	ran   map[int]int // how often each test was answered for by anybody
	fails func(item int) bool
}

func startShards(t *testing.T, s *Scheduler, n int) (shards []*shard) {
	t.Helper()
	ran := make(map[int]int)
	for range n {
		e, l := take(t, s)
		shards = append(shards, &shard{t: t, entry: e, lease: l, tests: s.testsOf(l), ran: ran, fails: func(int) bool { return false }})
	}
	return shards
}

func (sh *shard) join(strategy string, names []string) wire.TestsAnswer {
	sh.t.Helper()
	a, err := sh.tests.Join(sh.t.Context(), firstCall, strategy, names)
	if err != nil {
		sh.t.Fatal(err)
	}
	return a
}

func (sh *shard) take() wire.TestsAnswer {
	sh.t.Helper()
	sh.next++
	a, err := sh.tests.Take(sh.t.Context(), firstCall, sh.next)
	if err != nil || a.Refused != "" {
		sh.t.Fatalf("%s was answered %+v, %v", sh.tests.worker, a, err)
	}
	sh.held = a
	return a
}

func (sh *shard) done() wire.TestsAnswer {
	sh.t.Helper()
	d := wire.TestsDone{Token: sh.held.Token}
	for _, i := range sh.held.Items {
		r := wire.TestResult{Item: i, Outcome: "passed", Millis: int64(i+1) * 10}
		if sh.fails(i) {
			r.Outcome, d.Exit = "failed", 1
		}
		d.Results, d.Millis = append(d.Results, r), d.Millis+r.Millis
		sh.ran[i]++
	}
	a, err := sh.tests.Done(sh.t.Context(), firstCall, d)
	if err != nil {
		sh.t.Fatal(err)
	}
	return a
}

// work runs shards in turn until all are told that it is over, and returns their last answers.
func work(t *testing.T, shards []*shard) (last []wire.TestsAnswer) {
	t.Helper()
	last = make([]wire.TestsAnswer, len(shards))
	for range 1000 {
		over := 0
		for i, sh := range shards {
			if last[i].Over {
				over++
				continue
			}
			if last[i] = sh.take(); last[i].Token != 0 {
				sh.done()
			}
		}
		if over == len(shards) {
			return last
		}
	}
	t.Fatal("the tests do not come to an end")
	return nil
}

func (sh *shard) end(s *Scheduler, res runner.Result) {
	sh.t.Helper()
	if err := s.finish(sh.entry, sh.lease.attempt.Token, res); err != nil {
		sh.t.Fatal(err)
	}
}

// eachOnce checks that every test was counted, and how often each was run.
func eachOnce(t *testing.T, ran map[int]int, n int) {
	t.Helper()
	for i := range n {
		if ran[i] != 1 {
			t.Errorf("test %d ran %d times, want once", i, ran[i])
		}
	}
}

func TestShardsShareTheirTests(t *testing.T) {
	for _, strategy := range []string{wire.StrategyQueue, wire.StrategyTiming} {
		t.Run(strategy, func(t *testing.T) {
			s := open(t, statePath(t))
			queued(t, s, fanout(2, false))
			shards := startShards(t, s, 2)
			for _, sh := range shards {
				if a := sh.join(strategy, suite(40)); a.Strategy != strategy || a.Refused != "" {
					t.Fatalf("joining was answered %+v", a)
				}
			}
			shards[1].fails = func(i int) bool { return i == shards[1].held.Items[0] }
			last := work(t, shards)
			eachOnce(t, shards[0].ran, 40)
			if last[0].Fails || !last[1].Fails {
				t.Errorf("the call fails in shard 1: %t, in shard 2: %t; want it where a test failed", last[0].Fails, last[1].Fails)
			}
		})
	}
}

// TestATestQueueOutlivesTheDaemon is a daemon killed in the middle of a suite: what was handed out is handed out again,
// what was answered is not, and a question that is repeated has the answer that it had.
func TestATestQueueOutlivesTheDaemon(t *testing.T) {
	for _, strategy := range []string{wire.StrategyQueue, wire.StrategyTiming} {
		t.Run(strategy, func(t *testing.T) {
			path := statePath(t)
			s := open(t, path)
			queued(t, s, fanout(2, false))
			shards := startShards(t, s, 2)
			for _, sh := range shards {
				sh.join(strategy, suite(40))
				sh.take()
			}
			shards[0].done()
			held := shards[1].held
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
			shards[1].next-- // the same question
			if again := shards[1].take(); !slices.Equal(again.Items, held.Items) || again.Token != held.Token {
				t.Errorf("after the restart the shard is given %+v, want %+v", again, held)
			}
			shards[1].done()
			if a := shards[1].join(strategy, suite(40)); a.Refused != "" {
				t.Errorf("joining again is refused: %s", a.Refused)
			}
			work(t, shards)
			eachOnce(t, shards[0].ran, 40)
			checkClean(t, s, path)
		})
	}
}

func TestWhatALostShardHeldGoesToAnother(t *testing.T) {
	s := open(t, statePath(t))
	queued(t, s, fanout(2, false))
	shards := startShards(t, s, 2)
	for _, sh := range shards {
		sh.join(wire.StrategyQueue, suite(40))
	}
	lost := shards[1].take().Items
	shards[1].end(s, runner.Result{Status: wire.StatusFault, Reason: "sandbox_lost", Message: "gone"})
	last := work(t, shards[:1])
	eachOnce(t, shards[0].ran, 40)
	if len(lost) == 0 || last[0].Fails {
		t.Errorf("%v was lost, and the call fails: %t", lost, last[0].Fails)
	}
	if a, err := shards[1].tests.Take(t.Context(), firstCall, 99); err != nil || !strings.Contains(a.Refused, "given up") {
		t.Errorf("a shard that was given up is answered %+v, %v", a, err)
	}
}

// TestAnEndThatWasNotPassedOn: the daemon dies between the commit of an attempt's end and that of its tests' loss.
func TestAnEndThatWasNotPassedOn(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	b := queued(t, s, fanout(2, false))
	shards := startShards(t, s, 2)
	for _, sh := range shards {
		sh.join(wire.StrategyQueue, suite(10))
		sh.take()
	}
	s.tests.drop(b.ID())
	shards[1].end(s, runner.Result{Status: wire.StatusFault, Reason: "sandbox_lost", Message: "gone"})
	shards[0].done()
	work(t, shards[:1])
	eachOnce(t, shards[0].ran, 10)
}

func TestASilentShardIsGivenUp(t *testing.T) {
	s := open(t, statePath(t))
	queued(t, s, fanout(2, false))
	shards := startShards(t, s, 2)
	for _, sh := range shards {
		sh.join(wire.StrategyQueue, suite(2))
		sh.take()
	}
	shards[0].done()
	if a := shards[0].take(); a.WaitMillis == 0 {
		t.Fatalf("the shard is answered %+v, want to wait for the other", a)
	}
	s.sweepTests(time.Now().Add(20 * time.Second))
	if a := shards[0].take(); a.WaitMillis == 0 {
		t.Fatalf("the other is given up after 20 s: %+v", a)
	}
	s.sweepTests(time.Now().Add(40 * time.Second))
	if a := shards[0].take(); !slices.Equal(a.Items, shards[1].held.Items) {
		t.Errorf("the shard is given %+v, want what the silent one held: %v", a, shards[1].held.Items)
	}
	shards[1].tests.Alive(firstCall, shards[1].held.Token)
	shards[1].done() // it was not dead, and answers first
	shards[0].done()
	last := work(t, shards)
	if last[0].Fails || last[1].Fails {
		t.Errorf("the call fails: %+v", last)
	}
}

func TestAShardThatFindsOtherTestsIsRefused(t *testing.T) {
	for _, strategy := range []string{wire.StrategyQueue, wire.StrategyTiming} {
		s := open(t, statePath(t))
		queued(t, s, fanout(2, false))
		shards := startShards(t, s, 2)
		shards[0].join(strategy, suite(3))
		a := shards[1].join(strategy, []string{"test/000.sh", "test/001.sh", "test/other.sh"})
		for _, want := range []string{"api#1/BuildFanoutShard2@1 found 3 tests", "missing here: test/002.sh", "only here: test/other.sh"} {
			if !strings.Contains(a.Refused, want) {
				t.Errorf("%s: it is refused with %q, want %q in it", strategy, a.Refused, want)
			}
		}
	}
}

func TestQuestionsThatNoAgentAsks(t *testing.T) {
	s := open(t, statePath(t))
	queued(t, s, fanout(2, false))
	sh := startShards(t, s, 1)[0]
	ctx := t.Context()
	for name, c := range map[string]struct {
		ask  func() (wire.TestsAnswer, error)
		want string
	}{
		"a phase": {func() (wire.TestsAnswer, error) {
			return sh.tests.Join(ctx, wire.TestCall{Phase: "x"}, "queue", suite(1))
		}, "no call 0"},
		"a strategy": {func() (wire.TestsAnswer, error) { return sh.tests.Join(ctx, firstCall, "luck", suite(1)) }, "luck"},
		"no tests":   {func() (wire.TestsAnswer, error) { return sh.tests.Join(ctx, firstCall, "queue", nil) }, "no test"},
		"no order": {func() (wire.TestsAnswer, error) {
			return sh.tests.Join(ctx, firstCall, "queue", []string{"b", "a"})
		}, "not sorted"},
		"a long name": {func() (wire.TestsAnswer, error) {
			return sh.tests.Join(ctx, firstCall, "queue", []string{strings.Repeat("x", 5000)})
		}, "5000 bytes"},
		"unasked": {func() (wire.TestsAnswer, error) { return sh.tests.Take(ctx, firstCall, 1) }, "no list"},
	} {
		if a, err := c.ask(); err != nil || !strings.Contains(a.Refused, c.want) {
			t.Errorf("%s is answered %+v, %v, want %q", name, a, err, c.want)
		}
	}
	sh.join(wire.StrategyQueue, suite(3))
	sh.take()
	for _, d := range []wire.TestsDone{
		{Token: 77},
		{Token: sh.held.Token, Results: []wire.TestResult{{Item: 9, Outcome: "passed"}}},
		{Token: sh.held.Token, Results: []wire.TestResult{{Item: sh.held.Items[0], Outcome: "great"}}},
	} {
		if a, err := sh.tests.Done(ctx, firstCall, d); err != nil || a.Refused == "" {
			t.Errorf("%+v is answered %+v, %v, want a refusal", d, a, err)
		}
	}
	work(t, []*shard{sh})
	eachOnce(t, sh.ran, 3)
}

func TestJobsThatAreNoShardsKeepTheirTests(t *testing.T) {
	s := open(t, statePath(t))
	queued(t, s, buildspec.Plan{Jobs: []buildspec.Job{{ID: "unit", Name: "unit"}, {ID: "e2e", Name: "e2e"}}})
	jobs := startShards(t, s, 2)
	for i, sh := range jobs {
		sh.ran = make(map[int]int)
		if a := sh.join(wire.StrategyQueue, suite(3+i)); a.Refused != "" {
			t.Fatal(a.Refused)
		}
	}
	work(t, jobs)
	eachOnce(t, jobs[0].ran, 3)
	eachOnce(t, jobs[1].ran, 4)
}

// TestACommandThatFailsForNoTestFailsAll: coverage that is too low, say. Nothing else would make the build red.
func TestACommandThatFailsForNoTestFailsAll(t *testing.T) {
	for _, strategy := range []string{wire.StrategyQueue, wire.StrategyTiming} {
		s := open(t, statePath(t))
		queued(t, s, fanout(2, false))
		sh := startShards(t, s, 1)[0]
		sh.join(strategy, suite(4))
		for {
			a := sh.take()
			if a.Over {
				if !a.Fails {
					t.Errorf("%s: the call passes", strategy)
				}
				break
			}
			d := wire.TestsDone{Token: a.Token, Exit: 1, Millis: 100}
			for _, i := range a.Items {
				d.Results = append(d.Results, wire.TestResult{Item: i, Outcome: "passed", Millis: 10})
			}
			if got, err := sh.tests.Done(t.Context(), firstCall, d); err != nil || got.Refused != "" {
				t.Fatal(got, err)
			}
		}
	}
}

// TestWaitingIsNoTimeOfTests: what a shard waited for another one stands with its attempt.
func TestWaitingIsNoTimeOfTests(t *testing.T) {
	s := open(t, statePath(t))
	b := queued(t, s, fanout(2, false))
	shards := startShards(t, s, 2)
	for _, sh := range shards {
		sh.join(wire.StrategyQueue, suite(2))
	}
	for _, sh := range shards {
		sh.take()
	}
	shards[0].done()
	time.Sleep(50 * time.Millisecond)
	shards[1].done()
	work(t, shards)
	for _, sh := range shards {
		sh.end(s, green)
	}
	jobs, err := s.Jobs(b.ID())
	if err != nil {
		t.Fatal(err)
	}
	first, last := jobs[0].Attempts[0].Waited, jobs[1].Attempts[0].Waited
	if first < 50*time.Millisecond || last >= 50*time.Millisecond {
		t.Errorf("the shard that waited did so for %s, and the one that it waited for %s; want 50ms of the first", first, last)
	}
}
