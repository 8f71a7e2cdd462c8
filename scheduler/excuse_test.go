package scheduler

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/tests/quarantine"
)

// held quarantines a Go test, a Python file and a pattern of tests.
var held = quarantine.List{
	{Test: "m/bad::TestBad", Owner: "ann", Until: "2099-01-01"},
	{Test: "tests/test_a.py", Owner: "bob", Until: "2099-01-01"},
	{Test: "m/worse::TestB*", Owner: "cy", Until: "2099-01-01"},
	{Test: "tests.test_b::test_x", Owner: "dee", Until: "2099-01-01"},
}

// TestWhichFailuresDoNotCount answers one batch of a shard that has all of a suite, and asks whether the call fails.
func TestWhichFailuresDoNotCount(t *testing.T) {
	names := []string{"bad", "good", "tests/test_a.py", "tests/test_b.py", "tests/test_b.py#test_x", "worse"}
	failed := func(item int, tests ...string) wire.TestResult {
		return wire.TestResult{Item: item, Outcome: "failed", Millis: 1, Tests: tests}
	}
	within := func(item int, tests ...string) wire.TestResult {
		return wire.TestResult{Item: item, Outcome: "failed", Millis: 1, Failed: tests}
	}
	for _, tt := range []struct {
		name    string
		exit    int
		strict  bool
		results []wire.TestResult // of what did not pass
		untold  int               // an item, from 1, without a result
		fails   bool
		why     string
	}{
		{"a quarantined test", 1, true, []wire.TestResult{failed(0, "m/bad::TestBad")}, 0, false, "bad failed only in quarantined tests (m/bad::TestBad, owned by ann, until 2099-01-01), so it does not count"},
		{"one that is not beside it", 1, true, []wire.TestResult{failed(0, "m/bad::TestBad", "m/bad::TestWorse")}, 0, true, ""},
		{"one that is not elsewhere", 1, true, []wire.TestResult{failed(0, "m/bad::TestBad"), failed(1, "m/good::Test")}, 0, true, "bad failed only"},
		{"no test", 1, true, []wire.TestResult{failed(0)}, 0, true, ""},
		{"by a pattern", 1, true, []wire.TestResult{failed(5, "m/worse::TestB1", "m/worse::TestB2")}, 0, false, "owned by cy"},
		{"a whole file", 1, false, []wire.TestResult{failed(2)}, 0, false, "tests/test_a.py failed, and does not count: it is in quarantine (owned by bob"},
		{"a whole file that a signal ended", 139, false, []wire.TestResult{failed(2)}, 0, true, ""},
		{"a whole file whose command stops early", 1, true, []wire.TestResult{failed(2)}, 0, true, ""},
		{"a whole file that could not be tried", 127, false, []wire.TestResult{{Item: 2, Outcome: "broken"}}, 0, true, ""},
		{"what did not compile", 1, true, []wire.TestResult{{Item: 0, Outcome: "broken", Tests: []string{"m/bad::TestBad"}}}, 0, true, ""},
		{"beside an item of which nothing is known", 1, true, []wire.TestResult{failed(0, "m/bad::TestBad")}, 2, true, "bad failed only"},
		{"a test by the name that its runner has for it", 1, false, []wire.TestResult{within(3, "test_x")}, 0, false, "tests/test_b.py failed only in quarantined tests (test_x, owned by dee"},
		{"one that is not beside it there", 1, false, []wire.TestResult{within(3, "test_x", "test_y")}, 0, true, ""},
		{"the same where the command stops early", 1, true, []wire.TestResult{within(3, "test_x")}, 0, true, ""},
		{"the same where the command broke", 2, false, []wire.TestResult{within(3, "test_x")}, 0, true, ""},
		{"a test that is an item by itself", 1, false, []wire.TestResult{failed(4)}, 0, false, "tests/test_b.py#test_x failed only in quarantined tests (test_x, owned by dee"},
		{"the same where it did not run", 1, false, []wire.TestResult{{Item: 4, Outcome: "failed"}}, 0, true, ""},
		{"what the agent calls so", 1, true, []wire.TestResult{{Item: 0, Outcome: "quarantined"}}, 0, true, ""},
	} {
		for _, strategy := range []string{wire.StrategyQueue, wire.StrategyTiming} {
			t.Run(tt.name+"/"+strategy, func(t *testing.T) {
				s := open(t, statePath(t))
				queued(t, s, fanout(1, false))
				sh := startShards(t, s, 1)[0]
				sh.tests.quarantine, sh.tests.retry = held.Matcher(), &testRetry{TestRetry: buildspec.TestRetry{Each: 0}}
				if strategy == wire.StrategyTiming {
					sh.tests.retry = nil
				}
				sh.join(strategy, names)
				why, fails := sh.answers(names, func(d *wire.TestsDone) {
					d.Exit, d.Strict = tt.exit, tt.strict
					for _, r := range tt.results {
						d.Results[slices.IndexFunc(d.Results, func(o wire.TestResult) bool { return o.Item == r.Item })] = r
					}
					d.Results = slices.DeleteFunc(d.Results, func(r wire.TestResult) bool { return r.Item == tt.untold-1 })
				})
				if fails != tt.fails || !strings.Contains(why, tt.why) || tt.why == "" && why != "" {
					t.Errorf("the call fails: %t, want %t; told %q, want %q", fails, tt.fails, why, tt.why)
				}
			})
		}
	}
}

// answers runs a shard's batches, all in one answer where it has them so, with what change makes of the first.
func (sh *shard) answers(names []string, change func(*wire.TestsDone)) (why string, fails bool) {
	sh.t.Helper()
	all := map[int]wire.TestResult{}
	var whole wire.TestsDone
	for i := range names {
		whole.Results = append(whole.Results, wire.TestResult{Item: i, Outcome: "passed", Millis: 1})
	}
	change(&whole)
	for _, r := range whole.Results {
		all[r.Item] = r
	}
	for {
		a := sh.take()
		if a.Over {
			return why, a.Fails
		}
		if alone := slices.Contains(a.Alone, 2); alone != slices.Contains(a.Items, 2) {
			sh.t.Errorf("of %v %v run alone, want the quarantined file", a.Items, a.Alone)
		}
		d := wire.TestsDone{Token: a.Token, Strict: whole.Strict, Millis: 10}
		for _, i := range a.Items {
			r, told := all[i]
			if told {
				d.Results = append(d.Results, r)
			}
			if !told || r.Outcome != "passed" {
				d.Exit = whole.Exit
			}
		}
		got, err := sh.tests.Done(sh.t.Context(), firstCall, d)
		if err != nil || got.Refused != "" {
			sh.t.Fatal(got, err)
		}
		why += got.Why
	}
}

// TestQuarantinedFailuresAreNotTriedAgain, neither alone nor with others, and a file in which something else failed before
// is flaky.
func TestQuarantinedFailuresAreNotTriedAgain(t *testing.T) {
	s := open(t, statePath(t))
	queued(t, s, fanout(1, false))
	sh := startShards(t, s, 1)[0]
	sh.tests.quarantine, sh.tests.retry = held.Matcher(), &testRetry{TestRetry: buildspec.TestRetry{Each: 1}}
	sh.join(wire.StrategyQueue, []string{"bad", "tests/test_b.py", "worse"})
	answers := map[int][]string{0: {"m/bad::TestBad"}, 1: {"test_x", "test_y"}, 2: {"m/worse::TestB1", "m/worse::TestOther"}}
	var again, flaky []int
	for {
		a := sh.take()
		if a.Over {
			if a.Fails {
				t.Error("the call fails")
			}
			break
		}
		for _, i := range a.Items {
			if len(a.Only) > 0 && !slices.Equal(a.Only[i], map[int][]string{1: {"test_y"}, 2: {"TestOther"}}[i]) {
				t.Errorf("of %d %v are tried again", i, a.Only[i])
			}
			r := wire.TestResult{Item: i, Outcome: "failed", Millis: 1, Failed: answers[i]}
			if i != 1 {
				r.Tests, r.Failed = answers[i], nil
				for _, id := range answers[i] {
					_, name, _ := strings.Cut(id, "::")
					r.Failed = append(r.Failed, name)
				}
			}
			d := wire.TestsDone{Token: a.Token, Exit: 1, Strict: i != 1, Results: []wire.TestResult{r}}
			answers[i] = answers[i][:1]
			got, err := sh.tests.Done(t.Context(), firstCall, d)
			if err != nil || got.Refused != "" || len(a.Items) != 1 {
				t.Fatal(a, got, err)
			}
			again, flaky = append(again, got.Again...), append(flaky, got.Flaky...)
		}
	}
	slices.Sort(again)
	slices.Sort(flaky)
	if !slices.Equal(again, []int{1, 2}) || !slices.Equal(flaky, again) {
		t.Errorf("%v are tried again and %v flaky, want those with another failure", again, flaky)
	}
	if sum := callOf(t, s).queue.Summary(); sum.Quarantined != 1 || sum.Flaky != 2 || sum.Retried != 2 {
		t.Errorf("the queue came to %+v", sum)
	}
}

// callOf reads the only call of the only build, as a restart does.
func callOf(t *testing.T, s *Scheduler) *testCall {
	t.Helper()
	s.tests.drop("api#1")
	b, err := s.tests.book("api#1", true)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.loadBook(b); err != nil {
		t.Fatal(err)
	}
	for _, c := range b.calls {
		if c.head.Parts == nil {
			return c
		}
	}
	t.Fatal("there is no call")
	return nil
}

func TestWarningsOfAQuarantine(t *testing.T) {
	b := Build{Created: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC), Quarantine: quarantine.List{
		{Test: "a", Owner: "ann", Until: "2026-11-25"}, {Test: "b", Owner: "bob", Until: "2026-11-24"}, {Test: "c", Owner: "cy", Until: "2027-12-01"},
	}}
	b.warnOfQuarantine()
	if w := b.Warnings; len(w) != 2 || !strings.HasPrefix(w[0], "the quarantine of b, owned by bob, ended on 2026-11-24") || !strings.Contains(w[1], "more than 90 days ahead") {
		t.Errorf("warned of %q", w)
	}
	b.Warnings, b.Quarantine = nil, slices.Repeat(b.Quarantine[1:2], maxTooOld+3)
	b.warnOfQuarantine()
	if w := b.Warnings; len(w) != maxTooOld+1 || !strings.HasPrefix(w[maxTooOld], "3 more entries") {
		t.Errorf("of many it warned %q", w)
	}
	if in := b.QuarantineInForce(); in != nil {
		t.Errorf("%v are in force", in)
	}
}

func TestTheNewestBuildOfABranch(t *testing.T) {
	s := open(t, statePath(t))
	refs := []string{"refs/heads/main"}
	queued(t, s, fanout(1, false))
	if b, err := s.NewestBuild("api", refs); b != nil || err != nil {
		t.Errorf("before it came to its jobs it is %v (%v)", b, err)
	}
	take(t, s)
	if b, err := s.NewestBuild("api", refs); b == nil || b.Number != 1 || err != nil {
		t.Errorf("the newest is %v (%v), want api#1", b, err)
	}
	if b, err := s.NewestBuild("api", []string{"refs/heads/other"}); b != nil || err != nil {
		t.Errorf("of another branch it is %v (%v)", b, err)
	}
}
