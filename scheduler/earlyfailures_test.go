package scheduler

import (
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/tests/quarantine"
)

// TestReportsExplainFailures answers one batch of two files, of which the reports that it wrote have told.
func TestReportsExplainFailures(t *testing.T) {
	const x, y = "a.py::test_a::test_x", "b.py::test_b::test_y"
	both := []wire.TestResult{{Item: 0, Outcome: "failed"}, {Item: 1, Outcome: "failed"}}
	for _, tt := range []struct {
		name    string
		told    []EarlyFailures
		exit    int
		each    bool
		strict  bool
		results []wire.TestResult
		fails   bool
	}{
		{"a quarantined test", []EarlyFailures{{Quarantined: []string{x}}}, 1, false, false, nil, false},
		{"told in two files", []EarlyFailures{{Quarantined: []string{x}}, {Quarantined: []string{y}}}, 1, false, false, nil, false},
		{"one that is not beside it", []EarlyFailures{{Quarantined: []string{x}}, {Others: true}}, 1, false, false, nil, true},
		{"nothing", nil, 1, false, false, nil, true},
		{"reports without failures", []EarlyFailures{{}}, 1, false, false, nil, true},
		{"a command that broke", []EarlyFailures{{Quarantined: []string{x}}}, 2, false, false, nil, true},
		{"a command that stops early", []EarlyFailures{{Quarantined: []string{x}}}, 1, false, true, nil, true},
		{"more than is remembered", []EarlyFailures{{Quarantined: slices.Repeat([]string{x}, maxEarlyFailures+1)}}, 1, false, false, nil, true},
		{"one file that failed", []EarlyFailures{{Quarantined: []string{x}}}, 1, true, false, []wire.TestResult{{Item: 0, Outcome: "failed"}, {Item: 1, Outcome: "passed"}}, false},
		{"both files, each by its own", []EarlyFailures{{Quarantined: []string{x, y}}}, 1, true, false, both, false},
		{"both files, of which one told nothing", []EarlyFailures{{Quarantined: []string{x}}}, 1, true, false, both, true},
		{"a file that could not be tried", []EarlyFailures{{Quarantined: []string{x}}}, 1, true, false, []wire.TestResult{{Item: 0, Outcome: "failed"}, {Item: 1, Outcome: "broken"}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, statePath(t))
			queued(t, s, fanout(1, false))
			sh := startShards(t, s, 1)[0]
			sh.tests.quarantine = quarantine.List{{Test: "*.py::*::test_?", Owner: "ann", Until: "2099-01-01"}}.Matcher()
			sh.join(wire.StrategyTiming, []string{"a.py", "b.py"})
			if b, err := s.tests.book("api#1", false); err != nil {
				t.Fatal(err)
			} else if tt.each {
				for _, c := range b.calls {
					c.head.Retry = &testRetry{} // so that files run one by one
				}
			}
			s.ToldEarly(sh.tests.worker, 0, EarlyFailures{Quarantined: []string{x, y}}) // before the batch: no part of it
			results := map[int]wire.TestResult{}
			for _, r := range tt.results {
				results[r.Item] = r
			}
			var why string
			for {
				a := sh.take()
				if a.Over {
					if a.Fails != tt.fails || strings.Contains(why, "failed only in quarantined tests") == tt.fails {
						t.Errorf("the call fails: %t, want %t; it told %q", a.Fails, tt.fails, why)
					}
					return
				}
				d := wire.TestsDone{Token: a.Token, Exit: tt.exit, Strict: tt.strict, From: 1, Millis: 10}
				for _, i := range a.Items {
					if r, ok := results[i]; ok {
						d.Results = append(d.Results, r)
					}
				}
				for i, f := range tt.told {
					s.ToldEarly(sh.tests.worker, 1+i, f)
				}
				got, err := sh.tests.Done(t.Context(), firstCall, d)
				if err != nil || got.Refused != "" {
					t.Fatal(got, err)
				}
				why += got.Why
			}
		})
	}
}
