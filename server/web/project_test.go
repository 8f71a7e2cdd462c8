package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
)

func some(statuses ...string) (builds []client.Build) {
	for i, status := range statuses {
		builds = append(builds, client.Build{Number: len(statuses) - i, Status: status})
	}
	return builds
}

func numberIn(b *client.Build) int {
	if b == nil {
		return 0
	}
	return b.Number
}

func TestSinceWhenABranchIsBroken(t *testing.T) {
	for _, c := range []struct {
		statuses                               string // newest first
		newest, running, first, streak, passed int
	}{
		{"", 0, 0, 0, 0, 0},
		{"IN_PROGRESS", 0, 1, 0, 0, 0},
		{"SUCCEEDED FAILED", 2, 0, 0, 0, 0},
		{"FAILED SUCCEEDED", 2, 0, 2, 1, 1},
		{"STOPPED FAULT STOPPED TIMED_OUT SUCCEEDED FAILED", 5, 0, 3, 2, 2},
		{"IN_PROGRESS FAILED FAILED", 2, 3, 1, 2, 0},
		{"IN_PROGRESS IN_PROGRESS STOPPED", 0, 3, 0, 0, 0},
		{"FAILED IN_PROGRESS SUCCEEDED", 3, 0, 3, 1, 1},
	} {
		var v projectVerdict
		v.judge(some(strings.Fields(c.statuses)...))
		if numberIn(v.Newest) != c.newest || numberIn(v.Running) != c.running || numberIn(v.First) != c.first || v.Streak != c.streak || numberIn(v.Passed) != c.passed {
			t.Errorf("%s: newest %d, running %d, first %d of %d, passed %d; want %+v", c.statuses,
				numberIn(v.Newest), numberIn(v.Running), numberIn(v.First), v.Streak, numberIn(v.Passed), c)
		}
	}
}

func TestAFilterIsTheAddressOfItsPage(t *testing.T) {
	const at = "/projects/api?author=ada&cursor=b7&from=2026-03-01&q=a+%26b&ref=main&to=2026-03-02"
	f := readFilter(&visit{Request: httptest.NewRequest(http.MethodGet, at, nil)}, "/projects/api")
	if got := f.at("b7"); got != at {
		t.Errorf("the same page is at %s", got)
	}
	o, err := f.options("api")
	if err != nil || o.Project != "api" || o.Text != "a &b" || o.Ref != "main" || o.Author != "ada" || o.Cursor != "b7" || !f.Any() || !f.More() {
		t.Errorf("%+v is asked for as %+v, %v", f, o, err)
	}
	if o.Since.Format("0102") != "0301" || o.Until.Format("0102") != "0303" {
		t.Errorf("the days are %v to %v: the last is within", o.Since, o.Until)
	}
	f.From = "tuesday"
	if _, err := f.options("api"); !isStatus(err, http.StatusBadRequest) {
		t.Errorf("tuesday is %v", err)
	}
	if f := (buildFilter{Path: "/builds"}); f.Any() || f.at("") != "/builds" {
		t.Errorf("an empty filter is at %s", f.at(""))
	}
}

func TestChartsAreDrawnWithinTheirPlace(t *testing.T) {
	st := client.Stats{Days: make([]client.Day, 30)}
	for i := range st.Days {
		st.Days[i] = client.Day{Day: "2026-03-01", Succeeded: i * 7, Failed: i % 3, Stopped: i % 2, Running: 1, MedianSeconds: float64(i), SlowSeconds: float64(3 * i)}
	}
	results := []client.TestResult{{Build: "api#3", Status: "FAILED", Seconds: 2}, {Build: "api#2", Status: "SUCCEEDED", Flaky: true, Seconds: 0}, {Build: "api#1", Status: "SKIPPED"}}
	for name, c := range map[string]chart{"outcomes": outcomeChart(st), "durations": durationChart(st), "history": historyChart(results), "no days": outcomeChart(client.Stats{})} {
		last := -1
		for _, col := range c.Columns {
			if col.X <= last || col.X+col.Width > chartWidth {
				t.Errorf("%s: a column is at %d, %d wide, after one at %d", name, col.X, col.Width, last)
			}
			last = col.X
			for _, r := range col.Rects {
				if r.Y < 0 || r.Height < 0 || r.Y+r.Height > chartHeight {
					t.Errorf("%s: a rect is at %d, %d high", name, r.Y, r.Height)
				}
			}
		}
		if c.Label == "" && name != "no days" {
			t.Errorf("%s says nothing in words", name)
		}
	}
	if c := historyChart(results); c.Columns[2].Rects[1].Class != "no" || c.Columns[1].Rects[0].Class != "flk" || !strings.Contains(c.Columns[0].Title, "api#1") {
		t.Errorf("the oldest does not come first: %+v", c.Columns)
	}
	if got := markStrip(nil); len(got.Bars) != 0 || got.Width < 1 {
		t.Errorf("a strip of nothing is %+v", got)
	}
}

func TestATestsHistoryIsCounted(t *testing.T) {
	p := testHistory{ID: "it's", Results: []client.TestResult{
		{Build: "api#9", Status: "SKIPPED"}, {Build: "api#8", Status: "FAILED"}, {Build: "api#7", Status: "ERROR"}, {Build: "api#6", Status: "SUCCEEDED", Flaky: true}, {Build: "api#5", Status: "FAILED"},
	}}
	p.count()
	if p.Runs != 4 || p.Failed != 3 || p.Flaky != 1 || p.Failing != 2 || p.Since.Build != "api#7" || p.LastBad.Build != "api#8" {
		t.Errorf("%+v", p)
	}
	if got := p.QuarantineCommand(); !strings.Contains(got, `'it'\''s'`) {
		t.Errorf("the command is no shell's: %s", got)
	}
}
