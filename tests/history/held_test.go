package history

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/runner-ci/runner/tests"
	"github.com/runner-ci/runner/tests/quarantine"
)

// finished takes in a build in which tests ended so.
func finished(t *testing.T, s *Store, b Build, ended map[string]tests.Status) {
	t.Helper()
	in, err := s.Begin(b, Attempt{Run: tests.Run{Attempt: 1}})
	if err != nil {
		t.Fatal(err)
	}
	group := in.Group("unit", "JUNITXML", 1, false)
	for id, status := range ended {
		c := &tests.Case{ID: id, Suite: "s", Name: id, Status: status, Build: id == "code"}
		if err := in.Case(group, "a.xml", c); err != nil {
			t.Fatal(err)
		}
	}
	if err := in.Commit(false); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(b.Project, b.Number); err != nil {
		t.Fatal(err)
	}
}

func TestQuarantinedTestsAreCountedApart(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "tests.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	list := quarantine.List{{Test: "a.py", Owner: "ann"}, {Test: "b.py::x", Owner: "bob"}, {Test: "code", Owner: "cy"}}
	b := Build{Project: "api", Number: 1, Ref: "refs/heads/main", At: time.Now(), Quarantine: list}
	if _, err := s.Explain("api", 1, fails(0, 1, false, "a.py::x", "b.py::y")); err != nil {
		t.Fatal(err)
	}
	finished(t, s, b, map[string]tests.Status{
		"a.py::x": tests.Failed, "a.py::y": tests.Error, "b.py::x": tests.Succeeded, "b.py::y": tests.Failed, "code": tests.Error,
	})
	sum, err := s.Summary("api", 1)
	want := tests.Totals{Total: 5, Succeeded: 1, Failed: 1, Error: 1, Quarantined: 2}
	if err != nil || sum.Totals != want || sum.Groups[0].Totals != want || sum.Line != "1 passed, 2 failed, 2 quarantined, 0s" {
		t.Errorf("counted %+v, %q (%v), want %+v", sum.Totals, sum.Line, err, want)
	}
	bad, _, err := s.Outcomes("api", 1, Which{Bad: true}, "", 10)
	got := ""
	for _, o := range bad {
		got += fmt.Sprint(o.ID, " ", o.Quarantine != nil && o.Quarantine.Owner == "ann", o.Quarantined, "; ")
	}
	if want := "a.py::x true true; a.py::y true true; b.py::y false false; code false false; "; err != nil || got != want {
		t.Errorf("the failures are %q (%v), want %q", got, err, want)
	}
	if failing, err := s.Failures("api", 1); err != nil || len(failing) != 1 || failing[0].ID != "b.py::y" {
		t.Errorf("the build is failing for %+v (%v)", failing, err)
	}
	results, err := s.Test("api", "a.py::x")
	if err != nil || len(results) != 1 || !results[0].Held || results[0].Status != tests.Failed || results[0].Build.Quarantine != nil {
		t.Errorf("the history is %+v (%v)", results, err)
	}
	if rank, _, err := s.Ranked("api", Order{By: Failing}, 0, 10); err != nil || len(rank) != 3 || rank[0].Last.Held == (rank[0].ID == "b.py::y") {
		t.Errorf("failing are %+v (%v)", rank, err)
	}
}

func TestHowQuarantinedTestsDidLately(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "tests.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	status := func(bad bool) tests.Status {
		if bad {
			return tests.Failed
		}
		return tests.Succeeded
	}
	const builds = 2 + CleanRuns
	for n := 1; n <= builds; n++ {
		finished(t, s, Build{Project: "api", Number: n, At: time.Now()}, map[string]tests.Status{
			"a.py::x": status(n <= 2), "a.py::y": status(n == 3), "b.py::x": status(n <= 2), "c.py::x": tests.Skipped, "d.py::x": tests.Failed,
		})
	}
	held, err := s.Held("api", quarantine.List{{Test: "a.py"}, {Test: "b.py::x"}, {Test: "c.py"}, {Test: "nothing"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []Held{
		{Tests: 2, Runs: 2 * builds, Bad: 3, Clean: CleanRuns - 1}, {Tests: 1, Runs: builds, Bad: 2, Clean: CleanRuns},
		{Tests: 1}, {},
	}
	for i := range held {
		last := held[i].Last
		if held[i].Last = nil; held[i] != want[i] || (last != nil) != (want[i].Tests > 0) || last != nil && last.Build.Number != builds || held[i].Ready() != (i == 1) {
			t.Errorf("entry %d did %+v, last %+v, ready %t; want %+v", i, held[i], last, held[i].Ready(), want[i])
		}
	}
	if none, err := s.Held("other", nil); err != nil || len(none) != 0 {
		t.Errorf("of nothing there is %v (%v)", none, err)
	}
}
