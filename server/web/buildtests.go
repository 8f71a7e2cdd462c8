package web

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/runner-ci/runner/client"
)

// buildTests is the tests of one build, one page of those that are looked for.
type buildTests struct {
	client.TestReport
	Project             string
	Number              int
	Status, Text, Group string
	NextPage, First     string
	Files               []missed // those first that miss most lines
	MoreFiles           int
}

// shownFiles is how many files of the coverage are listed.
const shownFiles = 200

// Statuses are those that can be chosen, with how many tests have each.
func (p buildTests) Statuses() []statusCount {
	t := p.Summary
	return []statusCount{
		{"failing", "failed or flaky", t.Failed + t.Error + t.Flaky}, {"all", "all", t.Total}, {"SUCCEEDED", "passed", t.Passed + t.Flaky},
		{"FAILED", "failed", t.Failed + t.Quarantined}, {"ERROR", "broken", t.Error}, {"SKIPPED", "skipped", t.Skipped}, {"UNKNOWN", "unknown", t.Unknown},
	}
}

// statusCount is a status that tests can be chosen by. The counts are of the summary, in which flaky and quarantined tests stand apart.
type statusCount struct {
	Status, Word string
	Count        int
}

// at is the path of the page with one thing changed.
func (p buildTests) at(status, group, cursor string) string {
	q := url.Values{}
	for name, value := range map[string]string{"status": status, "q": p.Text, "group": group, "cursor": cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return buildPath(p.Build) + "/tests?" + q.Encode()
}

// StatusPath and GroupPath are those of the same page with another choice.
func (p buildTests) StatusPath(status string) string { return p.at(status, p.Group, "") }

// GroupPath is that of one report group; "" is all.
func (p buildTests) GroupPath(group string) string { return p.at(p.Status, group, "") }

func (s *Site) buildTestsPage(v *visit) (*view, error) {
	id, err := buildID(v)
	if err != nil {
		return nil, err
	}
	q := v.URL.Query()
	p := buildTests{Project: v.PathValue("project"), Status: q.Get("status"), Text: strings.TrimSpace(q.Get("q")), Group: q.Get("group")}
	p.Number, _ = strconv.Atoi(v.PathValue("number")) // buildID has read it
	if p.Status == "" {
		p.Status = "all"
	}
	if p.TestReport, err = s.Client.Tests(v.Context(), id, client.TestOptions{Status: p.Status, Text: p.Text, Group: p.Group, Cursor: q.Get("cursor"), Limit: 100}); err != nil {
		return nil, err
	}
	if p.Next != "" {
		p.NextPage = p.at(p.Status, p.Group, p.Next)
	}
	if q.Get("cursor") != "" {
		p.First = p.at(p.Status, p.Group, "")
	}
	if p.Summary.Coverage != nil {
		if err := s.coveredFiles(v, id, &p); err != nil {
			return nil, err
		}
	}
	return &view{Template: "buildtests", Title: "Tests of " + id, Crumbs: []crumb{
		{p.Project, projectPath(p.Project)}, {"#" + strconv.Itoa(p.Number), buildPath(id)}, {Text: "tests"},
	}, Data: p}, nil
}

// missed is a source file with the lines that did not run.
type missed struct{ client.CoveredFile }

// Missed is how many those are.
func (m missed) Missed() int { return m.Lines - m.Covered }

// Percent is how many of a hundred lines ran.
func (m missed) Percent() float64 { return 100 * float64(m.Covered) / float64(max(1, m.Lines)) }

// coveredFiles lists the source files, those first that miss most lines.
func (s *Site) coveredFiles(v *visit, id string, p *buildTests) error {
	files, err := s.Client.Coverage(v.Context(), id)
	if untold(err) {
		return nil
	}
	slices.SortStableFunc(files, func(a, b client.CoveredFile) int {
		return cmp.Compare(b.Lines-b.Covered, a.Lines-a.Covered)
	})
	for _, f := range files[:min(len(files), shownFiles)] {
		p.Files = append(p.Files, missed{f})
	}
	p.MoreFiles = len(files) - len(p.Files)
	return err
}
