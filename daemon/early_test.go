package daemon

import (
	"archive/tar"
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/tests"
	"github.com/runner-ci/runner/tests/history"
)

// fewBuilds are builds of one job, which runs pytest, with as many attempts as a test wants.
type fewBuilds struct{ changes int }

func (f *fewBuilds) Build(id string) (b scheduler.Build, err error) {
	_, err = fmt.Sscanf(id, "api#%d", &b.Number)
	b.Project, b.Commit, b.Ref = "api", strings.Repeat("a", 40), "refs/heads/topic"
	b.Plan = &buildspec.Plan{Jobs: []buildspec.Job{{Phases: []buildspec.Phase{{Commands: []buildspec.Command{{Text: "pytest"}}}}}}}
	return b, err
}

func (f *fewBuilds) Jobs(string) ([]scheduler.Job, error) {
	return []scheduler.Job{{ID: "build", Attempts: []scheduler.Attempt{{Number: 1}, {Number: 2}}}}, nil
}

func (f *fewBuilds) Project(string) (scheduler.Project, error) {
	return scheduler.Project{Project: config.Project{Name: "api", Branch: "main"}}, nil
}

func (f *fewBuilds) Trigger(string) (scheduler.Trigger, error) {
	return scheduler.Trigger{}, scheduler.ErrNotFound
}
func (f *fewBuilds) TestsChanged(string) { f.changes++ }

var unit = []wire.ReportGroup{{Name: "unit", Format: "JUNITXML", Files: 1}}

const oneFails = `<testsuite name="s"><testcase name="a" classname="test_a" file="test_a.py" line="3"><failure message="no">…</failure></testcase><testcase name="b" classname="test_a" file="test_a.py"/></testsuite>`

func tarOf(t *testing.T, names ...string) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range names {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(oneFails))}); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(oneFails))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &out
}

func failuresOf(t *testing.T, r *reportReader, n int) []history.Failure {
	t.Helper()
	all, err := r.history.Failures("api", n)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAFailedTestIsExplainedWhileTheJobRuns(t *testing.T) {
	r := reading(t)
	for range 2 { // a daemon that died over it is told again
		if err := r.early(t.Context(), "api#1/build@1", unit, tarOf(t, "0/a.xml", "7/b.xml", "../c.xml")); err != nil {
			t.Fatal(err)
		}
	}
	all := failuresOf(t, r, 1)
	if len(all) != 1 {
		t.Fatalf("there are %d failures, want 1: %+v", len(all), all)
	}
	f := all[0]
	if !f.Early || f.Message != "no" || f.Command != "pytest test_a.py::a" || len(f.Excerpt) != 6 || f.Excerpt[2].Text != "three[2J" || f.Runs != 0 {
		t.Errorf("the failure is %+v", f)
	}
	if changes := r.explain.builds.(*fewBuilds).changes; changes != 1 {
		t.Errorf("watchers were told %d times, want once", changes)
	}
	if _, err := r.history.Summary("api", 1); err == nil {
		t.Error("early reports count as the build's")
	}
}

func TestTheReportsAtTheEndReplaceTheEarlyOnes(t *testing.T) {
	for name, c := range map[string]struct {
		report string
		want   int
	}{
		"it failed":                {oneFails, 1},
		"it passed after all":      {strings.Replace(oneFails, `<failure message="no">…</failure>`, "", 1), 0},
		"it is not in the reports": {`<testsuite name="s"><testcase name="other"/></testsuite>`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := reading(t)
			if err := r.early(t.Context(), "api#1/build@1", unit, tarOf(t, "0/a.xml")); err != nil {
				t.Fatal(err)
			}
			size, write := text(c.report)
			sum := readAll(t, r, left(t, r, 0, "JUNITXML", size, write), &scheduler.DueReports{Build: scheduler.Build{Project: "api", Number: 1}})
			if got := failuresOf(t, r, 1); len(got) != c.want || sum.Totals.Failed != c.want {
				t.Errorf("%d failures are explained and %d counted, want %d", len(got), sum.Totals.Failed, c.want)
			}
		})
	}
}

func TestAFailureIsComparedWithWhatWas(t *testing.T) {
	bad, good := tests.Failed, tests.Succeeded
	at := func(n int, ref string, status tests.Status, flaky bool) history.Result {
		return history.Result{Build: history.Build{Project: "api", Number: n, Ref: "refs/heads/" + ref}, Status: status, Flaky: flaky}
	}
	var f history.Failure
	compare(&f, []history.Result{
		at(9, "topic", bad, false), at(7, "topic", bad, false), at(6, "main", bad, false), at(5, "topic", tests.Skipped, false),
		at(4, "topic", good, true), at(3, "main", bad, false),
	}, 8, []string{"refs/heads/main"})
	if f.First == nil || f.First.Build.Number != 6 || f.Base == nil || f.Base.Build.Number != 6 || f.Flaky != 1 || f.Runs != 4 {
		t.Errorf("the failure is %+v, want it to fail since build 6, on main too, and flaky once in 4", f)
	}
}

// TestOnlyWhatFailedIsRememberedToPass: the names of a million tests that pass are nobody's business.
func TestOnlyWhatFailedIsRememberedToPass(t *testing.T) {
	r := reading(t)
	if err := r.early(t.Context(), "api#1/build@1", unit, tarOf(t, "0/a.xml")); err != nil {
		t.Fatal(err)
	}
	failed := failuresOf(t, r, 1)
	if len(failed) != 1 {
		t.Fatalf("there are %d failures, want 1", len(failed))
	}
	told, err := r.explain.telling(&scheduler.Build{Project: "api", Number: 1}, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		told.see(&tests.Case{ID: fmt.Sprint(i), Status: tests.Succeeded})
	}
	told.see(&tests.Case{ID: failed[0].ID, Status: tests.Succeeded})
	if len(told.Passed) != 1 || !told.Passed[failed[0].ID] {
		t.Errorf("it remembers %d tests that passed, want %s alone", len(told.Passed), failed[0].ID)
	}
}
