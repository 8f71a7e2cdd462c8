package server

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/tests"
	"github.com/runner-ci/runner/tests/history"
	"github.com/runner-ci/runner/tests/quarantine"
)

// testedDaemon has a build of one job with 30 tests, of which the first 3 failed and one is flaky, and coverage.
func testedDaemon(t *testing.T) *daemon {
	t.Helper()
	p := config.Project{Name: "api", URL: "https://example.com/api.git"}
	p.Fill()
	d := newDaemon(t, p)
	d.state.put(over(running(), scheduler.Failed), job("linux", scheduler.JobEnded, scheduler.Failed, scheduler.Failed, scheduler.Failed))
	for attempt := 1; attempt <= 2; attempt++ {
		in, err := d.tests.Begin(history.Build{Project: "api", Number: 1, Commit: "c0ffee"}, history.Attempt{Run: tests.Run{Attempt: attempt}, Took: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		group := in.Group("unit", "JUNITXML", 1, false)
		for i := range 30 {
			c := tests.Case{Class: "a", Name: fmt.Sprintf("t%02d", i), File: "a_test.go", Line: 7, Status: tests.Succeeded, Duration: time.Duration(i) * time.Millisecond}
			if i < 3 || i == 9 && attempt == 1 {
				c.Status, c.Message = tests.Failed, "expected 4"
			}
			if err := in.Case(group, "a.xml", &c); err != nil {
				t.Fatal(err)
			}
		}
		f := &tests.FileCoverage{Path: "a.go"}
		f.Line(1, true)
		f.Line(2, attempt == 3)
		if err := in.File(f); err != nil {
			t.Fatal(err)
		}
		in.Problem("b.xml", errors.New("it ends too early"))
		if err := in.Commit(false); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.tests.Finish("api", 1); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTheTestsOfABuild(t *testing.T) {
	d := testedDaemon(t)
	c := d.client()
	b, err := c.Build(t.Context(), "api#1")
	if err != nil || b.Tests == nil || b.Tests.Passed != 26 || b.Tests.Failed != 3 || b.Tests.Flaky != 1 || b.Tests.Pending || !b.Tests.Incomplete ||
		b.Tests.Coverage == nil || b.Tests.Coverage.Percent != 50 {
		t.Errorf("the build shows %+v (%v)", b.Tests, err)
	}
	report, err := c.Tests(t.Context(), "api#1", client.TestOptions{})
	if err != nil || len(report.Items) != 4 || len(report.Groups) != 1 || len(report.Problems) != 2 || report.Next != "" {
		t.Fatalf("failing tests: %+v (%v)", report, err)
	}
	first := report.Items[0]
	if first.Status != "FAILED" || first.Message != "expected 4" || first.File != "a_test.go" || first.Line != 7 || first.Attempt != 2 || len(first.Tries) != 2 || first.Groups[0] != "unit" {
		t.Errorf("the first failure is %+v", first)
	}
	seen, cursor := map[string]bool{}, ""
	for {
		page, err := c.Tests(t.Context(), "api#1", client.TestOptions{Status: "all", Cursor: cursor, Limit: 7})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			seen[item.ID] = true
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(seen) != 30 {
		t.Errorf("the pages have %d tests, want 30", len(seen))
	}
	for name, o := range map[string]client.TestOptions{
		"text": {Status: "all", Text: "::T1"}, "group": {Status: "all", Group: "unit", Text: "t1"}, "text of failing ones": {Text: "t09"},
	} {
		page, err := c.Tests(t.Context(), "api#1", o)
		want := map[bool]int{true: 10, false: 1}[o.Status == "all"]
		if err != nil || len(page.Items) != want {
			t.Errorf("%s: %d tests, want %d (%v)", name, len(page.Items), want, err)
		}
	}
	files, err := c.Coverage(t.Context(), "api#1")
	if err != nil || len(files) != 1 || files[0].Known != "1-2" || files[0].Hit != "1" {
		t.Errorf("coverage: %+v (%v)", files, err)
	}
	for path, want := range map[string]int{
		"builds/api/1/tests?cursor=x": http.StatusBadRequest, "builds/api/1/tests?cursor=1.0.0": http.StatusBadRequest,
		"builds/api/1/tests?status=GREEN": http.StatusUnprocessableEntity, "builds/api/2/tests": http.StatusNotFound,
		"builds/api/1/tests?group=none": http.StatusNotFound, "projects/api/tests?recent=101": http.StatusUnprocessableEntity,
		"projects/api/tests?cursor=-1": http.StatusBadRequest, "projects/none/tests": http.StatusNotFound, "projects/none/tests/quarantine": http.StatusNotFound,
		"projects/api/tests/history?id=none": http.StatusNotFound, "projects/api/tests/history": http.StatusUnprocessableEntity,
	} {
		if resp, body := d.do(http.MethodGet, "/api/v1/"+path, nil, nil); resp.StatusCode != want {
			t.Errorf("GET %s: %d, want %d\n%s", path, resp.StatusCode, want, body)
		}
	}
}

func TestTheTestsOfAProject(t *testing.T) {
	d := testedDaemon(t)
	c := d.client()
	slow, err := c.TestTrends(t.Context(), "api", client.TrendOptions{Sort: "slowest", Limit: 3, Recent: 2})
	if err != nil || len(slow.Items) != 3 || slow.Items[0].ID != "a_test.go::a::t29" || slow.Next == "" || len(slow.Items[0].Recent) != 1 || slow.Items[0].Recent[0].Number != 1 {
		t.Fatalf("slowest: %+v (%v)", slow, err)
	}
	next, err := c.TestTrends(t.Context(), "api", client.TrendOptions{Sort: "slowest", Cursor: slow.Next, Limit: 3})
	if err != nil || len(next.Items) != 3 || next.Items[0].ID != "a_test.go::a::t26" {
		t.Errorf("the second page: %+v (%v)", next, err)
	}
	if flaky, err := c.TestTrends(t.Context(), "api", client.TrendOptions{Sort: "flaky"}); err != nil || len(flaky.Items) != 1 || flaky.Items[0].ID != "a_test.go::a::t09" {
		t.Errorf("flaky: %+v (%v)", flaky, err)
	}
	if one, err := c.TestTrends(t.Context(), "api", client.TrendOptions{Text: "::T09"}); err != nil || len(one.Items) != 1 || one.Items[0].Recent != nil {
		t.Errorf("a search: %+v (%v)", one, err)
	}
	results, err := c.TestHistory(t.Context(), "api", "a_test.go::a::t09")
	if err != nil || len(results) != 1 || !results[0].Flaky || results[0].Commit != "c0ffee" || results[0].Build != "api#1" {
		t.Errorf("history: %+v (%v)", results, err)
	}
}

// TestTheQuarantineOfTheDefaultBranch is that of its newest build that came to its jobs.
func TestTheQuarantineOfTheDefaultBranch(t *testing.T) {
	d := testedDaemon(t)
	c := d.client()
	if q, err := c.Quarantine(t.Context(), "api"); err != nil || q.Build != "" || len(q.Items) != 0 {
		t.Errorf("without a build of the branch there is %+v (%v)", q, err)
	}
	b := over(running(), scheduler.Failed)
	b.Ref, b.Started = "refs/heads/main", time.Now()
	b.Quarantine = quarantine.List{
		{Test: "a_test.go::a::t00", Owner: "ann", Until: time.Now().UTC().Format(time.DateOnly), Reason: "slow", Line: 1},
		{Test: "b", Owner: "bob", Until: "2020-01-01", Line: 4},
	}
	d.state.newest = &b
	q, err := c.Quarantine(t.Context(), "api")
	if err != nil || q.Build != b.ID() || len(q.Items) != 2 {
		t.Fatalf("there is %+v (%v)", q, err)
	}
	if e := q.Items[0]; e.State != "in_force" || e.Owner != "ann" || e.Reason != "slow" || e.Tests != 1 || e.Failed != 1 || e.Runs != 1 || e.Ready || e.Last == nil || e.Last.Build != "api#1" {
		t.Errorf("the first is %+v", e)
	}
	if e := q.Items[1]; e.State != "expired" || e.Tests != 0 || e.Line != 4 || e.Last != nil {
		t.Errorf("the second is %+v", e)
	}
	b.Warnings = []string{"no quarantine is in force, because"}
	if q, err = c.Quarantine(t.Context(), "api"); err != nil || q.Problem != b.Warnings[0] {
		t.Errorf("a broken file is %+v (%v)", q, err)
	}
}

// TestProblemsSayWhatIsMissing, and of which run of the tests a report is.
func TestProblemsSayWhatIsMissing(t *testing.T) {
	sum := history.Summary{
		Final: true, Groups: []history.Group{{Name: "unit", Files: 2}, {Name: "e2e"}},
		Problems: []tests.Problem{
			{Report: "a.xml", Text: "it ends too early"},
			{Report: "kept-327268987/run-1-retry-9/r/b.tap", Text: "reading kept-327268987/run-1-retry-9/r/b.tap as TAP: it was cut off"},
		},
	}
	want := []string{"the report group e2e is empty: no job left files of it", "a.xml: it ends too early", "reading r/b.tap of run-1-retry-9 as TAP: it was cut off"}
	if got := problems(&sum); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	sum.Final = false
	if got := problems(&sum); len(got) != 2 {
		t.Errorf("while jobs run it told %q", got)
	}
}
