package scheduler

import (
	"testing"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// TestReportsAreDueUntilTheyAreRead: across a restart, in the order of the results, with the end of the build last.
func TestReportsAreDueUntilTheyAreRead(t *testing.T) {
	path := statePath(t)
	s := open(t, path)
	b := queued(t, s, fanout(2, false))
	for range 2 {
		e, l := take(t, s)
		res := runner.Result{Status: wire.StatusSucceeded, Reports: &runner.Reports{Set: l.attempt.Set + "/.reports"}}
		if err := s.finish(e, l.attempt.Token, res); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	for i := range 3 {
		if due, err := s.ReportsDue(b.ID()); err != nil || !due {
			t.Fatalf("reports due: %t (%v), want some before step %d", due, err, i)
		}
		d, err := s.NextReports()
		if err != nil || d == nil || d.Build.ID() != b.ID() {
			t.Fatalf("step %d: %+v (%v)", i, d, err)
		}
		if (d.Attempt == nil) != (i == 2) || d.More != (i == 0) || i < 2 && (d.Index != i || d.Attempt.Reports == nil) {
			t.Errorf("step %d is of job %d, attempt %+v", i, d.Index, d.Attempt)
		}
		if err := s.ReportsRead(d); err != nil {
			t.Fatal(err)
		}
	}
	if d, err := s.NextReports(); d != nil || err != nil {
		t.Errorf("%+v (%v) is due after all was read", d, err)
	}
}
