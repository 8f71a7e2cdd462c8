package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

func (s *Site) routeTests() {
	s.page("GET /projects/{project}/tests", s.testsPage)
	s.page("GET /projects/{project}/tests/history", s.historyPage)
	s.page("GET /projects/{project}/tests/quarantine", s.quarantinePage)
	s.page("GET /projects/{project}/builds/{number}/tests", s.buildTestsPage)
}

// testsPage is a ranking of a project's tests.
type testsPage struct {
	projectHead
	Sort, Text string
	Tests      []client.TestTrend
	Next       string // path of the next page
	First      string // path of the first page, from another one
}

// Sorts are the rankings.
func (p testsPage) Sorts() []string { return []string{"slowest", "flaky", "failing"} }

// at is the path of a ranking's page.
func (p testsPage) at(sort, cursor string) string {
	q := url.Values{"sort": {sort}}
	if p.Text != "" {
		q.Set("q", p.Text)
	}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	return projectPath(p.Name) + "/tests?" + q.Encode()
}

// SortPath is the path of another ranking of the same tests.
func (p testsPage) SortPath(sort string) string { return p.at(sort, "") }

func (s *Site) testsPage(v *visit) (*view, error) {
	h, err := s.head(v, "tests")
	if err != nil {
		return nil, err
	}
	q := v.URL.Query()
	p := testsPage{projectHead: h, Sort: q.Get("sort"), Text: strings.TrimSpace(q.Get("q"))}
	if p.Sort == "" {
		p.Sort = "slowest"
	}
	page, err := s.Client.TestTrends(v.Context(), h.Name, client.TrendOptions{Sort: p.Sort, Text: p.Text, Recent: stripBars, Cursor: q.Get("cursor"), Limit: 50})
	if err != nil {
		return nil, err
	}
	p.Tests = page.Items
	if page.Next != "" {
		p.Next = p.at(p.Sort, page.Next)
	}
	if q.Get("cursor") != "" {
		p.First = p.at(p.Sort, "")
	}
	return &view{Template: "tests", Title: "Tests of " + h.Name, Crumbs: h.crumbs("tests"), Data: p}, nil
}

// historyOf is the path of one test's page.
func historyOf(project, id string) string {
	return projectPath(project) + "/tests/history?" + url.Values{"id": {id}}.Encode()
}

// testHistory is what is known of one test.
type testHistory struct {
	projectHead
	ID                  string
	Results             []client.TestResult
	Chart               chart
	Runs, Failed, Flaky int
	Since               *client.TestResult // the first of the failures that it has not recovered from
	Failing             int                // how many those are
	LastBad             *client.TestResult
	Said                *client.TestCase    // what it said then, while that is kept
	Why                 *client.TestFailure // the same, explained
}

func (s *Site) historyPage(v *visit) (*view, error) {
	h, err := s.head(v, "tests")
	if err != nil {
		return nil, err
	}
	p := testHistory{projectHead: h, ID: v.URL.Query().Get("id")}
	if p.Results, err = s.Client.TestHistory(v.Context(), h.Name, p.ID); err != nil {
		return nil, err
	}
	p.count()
	if len(p.Results) > 0 {
		p.Chart = historyChart(p.Results)
	}
	if p.LastBad != nil {
		if err := s.lastWords(v, &p); err != nil {
			return nil, err
		}
	}
	return &view{Template: "testhistory", Title: p.ID, Crumbs: h.within("history"), Data: p}, nil
}

// count goes through the results, which come newest first.
func (p *testHistory) count() {
	recovered := false
	for i := range p.Results {
		r := &p.Results[i]
		failed := class(r.Status) == "no"
		if failed || r.Status == "SUCCEEDED" {
			p.Runs++
		}
		if r.Flaky {
			p.Flaky++
		}
		if r.Status == "SUCCEEDED" {
			recovered = true
		}
		if !failed {
			continue
		}
		p.Failed++
		if p.LastBad == nil {
			p.LastBad = r
		}
		if !recovered {
			p.Since = r
			p.Failing++
		}
	}
}

// QuarantineCommand puts the test into quarantine for two weeks.
func (p testHistory) QuarantineCommand() string {
	return "runner tests quarantine add " + shellQuoted(p.ID) + " --owner OWNER --until " + inTwoWeeks()
}

// inTwoWeeks is the day until which a quarantine is proposed.
func inTwoWeeks() string { return time.Now().UTC().AddDate(0, 0, 14).Format(time.DateOnly) }

// shellQuoted is a text as one word of a shell.
func shellQuoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// lastWords asks what the test said when it failed last. Retention may have removed that.
func (s *Site) lastWords(v *visit, p *testHistory) error {
	b, err := s.Client.Build(v.Context(), p.LastBad.Build)
	if untold(err) || isStatus(err, http.StatusGone) {
		return nil
	}
	if err != nil {
		return err
	}
	if b.Tests != nil {
		for i := range b.Tests.Failures {
			if f := &b.Tests.Failures[i]; f.ID == p.ID {
				p.Why = f
			}
		}
	}
	report, err := s.Client.Tests(v.Context(), p.LastBad.Build, client.TestOptions{Text: p.ID, Limit: 20})
	if untold(err) {
		return nil
	}
	for i := range report.Items {
		if t := &report.Items[i]; t.ID == p.ID {
			p.Said = t
		}
	}
	return err
}

// quarantinePage is which tests are quarantined.
type quarantinePage struct {
	projectHead
	client.Quarantine
}

// Example is an entry of the file.
func (p quarantinePage) Example() string {
	return "- test: tests/test_mail_*.py\n  owner: '@ann'\n  until: " + inTwoWeeks() + "\n  reason: fails on slow disks"
}

func (s *Site) quarantinePage(v *visit) (*view, error) {
	h, err := s.head(v, "tests")
	if err != nil {
		return nil, err
	}
	q, err := s.Client.Quarantine(v.Context(), h.Name)
	if err != nil {
		return nil, err
	}
	return &view{Template: "quarantine", Title: "Quarantine of " + h.Name, Crumbs: h.within("quarantine"), Data: quarantinePage{h, q}}, nil
}

// within are the crumbs of a page below that of the project's tests.
func (h projectHead) within(page string) []crumb {
	return []crumb{{h.Name, projectPath(h.Name)}, {"tests", projectPath(h.Name) + "/tests"}, {Text: page}}
}
