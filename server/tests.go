package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/tests"
	"github.com/runner-ci/runner/tests/history"
	"github.com/runner-ci/runner/tests/quarantine"
)

// Tests is what the server needs of package history.
type Tests interface {
	Summary(project string, n int) (history.Summary, error)
	Outcomes(project string, n int, which history.Which, cursor string, limit int) (page []history.Outcome, next string, err error)
	Coverage(project string, n int, cursor string, limit int) (page []tests.FileCoverage, next string, err error)
	Ranked(project string, order history.Order, skip, limit int) (page []history.Trend, more bool, err error)
	Test(project, id string) ([]history.Result, error)
	Failures(project string, n int) ([]history.Failure, error)
	Held(project string, list quarantine.List) ([]history.Held, error)
}

var _ Tests = (*history.Store)(nil)

type testsIn struct {
	BuildInput
	PageInput
	Status string `query:"status" enum:"failing,all,SUCCEEDED,FAILED,ERROR,SKIPPED,UNKNOWN" default:"failing" doc:"only these; failing is what failed, erred or is flaky"`
	Text   string `query:"q" maxLength:"1000" doc:"only with this in the id"`
	Group  string `query:"group" maxLength:"1000" doc:"only of the report group of this name"`
}

type coverageIn struct {
	BuildInput
	PageInput
}

type trendsIn struct {
	ProjectInput
	PageInput
	Sort   string `query:"sort" enum:"slowest,flaky,failing" default:"slowest" doc:"which come first; flaky and failing leave out all others"`
	Text   string `query:"q" maxLength:"1000" doc:"only with this in the id"`
	Recent int    `query:"recent" minimum:"0" maximum:"100" doc:"how many of the newest results of each are told, too"`
}

type historyIn struct {
	ProjectInput
	ID string `query:"id" required:"true" minLength:"1" maxLength:"20000" doc:"of the test, as the lists have it"`
}

// testHistory is all that is kept of one test.
type testHistory struct {
	ID    string              `json:"id"`
	Items []client.TestResult `json:"items"`
}

func (a *api) routeTests() {
	tags := []string{"tests"}
	const project = "/api/v1/projects/{name}/tests"
	add(a, huma.Operation{
		OperationID: "list-tests", Method: http.MethodGet, Path: buildPath + "/tests", Tags: tags,
		Summary: "What the tests of a build came to, and those that failed, by their ids",
	}, a.listTests)
	add(a, huma.Operation{
		OperationID: "list-coverage", Method: http.MethodGet, Path: buildPath + "/coverage", Tags: tags,
		Summary: "Which lines of which source files ran in a build, by path",
	}, a.listCoverage)
	add(a, huma.Operation{
		OperationID: "rank-tests", Method: http.MethodGet, Path: project, Tags: tags,
		Summary: "A project's slowest, flaky or failing tests, by their newest results",
	}, a.rankTests)
	add(a, huma.Operation{
		OperationID: "test-history", Method: http.MethodGet, Path: project + "/history", Tags: tags,
		Summary: "The newest results of one test, newest first",
	}, a.testHistory)
	add(a, huma.Operation{
		OperationID: "list-quarantine", Method: http.MethodGet, Path: project + "/quarantine", Tags: tags,
		Summary: "Which tests the default branch quarantines, and how they did lately",
	}, a.listQuarantine)
}

// testsTrouble turns what package history says into answers.
func testsTrouble(err error, hint string) error {
	switch {
	case errors.Is(err, history.ErrCursor):
		return problem(http.StatusBadRequest, err.Error(), "ask for the first page again, without a cursor")
	case errors.Is(err, history.ErrNotFound):
		return problem(http.StatusNotFound, err.Error(), hint)
	}
	return err
}

const noTests = "they are there once the reports of a job were read; a buildspec names report files under reports"

func (a *api) listTests(_ context.Context, in *testsIn) (*jsonOut[client.TestReport], error) {
	if _, err := a.Scheduler.Build(in.id()); err != nil {
		return nil, err
	}
	sum, err := a.Tests.Summary(in.Project, in.Number)
	if err != nil {
		return nil, testsTrouble(err, noTests)
	}
	out := client.TestReport{Build: in.id(), Summary: *a.showTests(&sum), Groups: []client.TestGroup{}, Problems: problems(&sum), Expired: sum.Expired, Items: []client.TestCase{}}
	for i := range sum.Groups {
		out.Groups = append(out.Groups, showGroup(&sum.Groups[i]))
	}
	which, err := in.which(&sum)
	if err != nil {
		return nil, err
	}
	page, next, err := a.Tests.Outcomes(in.Project, in.Number, which, in.Cursor, in.Limit)
	if err != nil {
		return nil, testsTrouble(err, noTests)
	}
	for i := range page {
		out.Items = append(out.Items, showTest(&page[i], sum.Groups))
	}
	out.Next = next
	return answer(out)
}

// which turns the request's words into a choice.
func (in *testsIn) which(sum *history.Summary) (w history.Which, err error) {
	w = history.Which{Bad: in.Status == "failing", Status: tests.Status(in.Status), Text: in.Text}
	if in.Status == "failing" || in.Status == "all" {
		w.Status = ""
	}
	if in.Group == "" {
		return w, nil
	}
	w.Group = 1 + slices.IndexFunc(sum.Groups, func(g history.Group) bool { return g.Name == in.Group })
	if w.Group == 0 {
		err = problem(http.StatusNotFound, fmt.Sprintf("build %s has no report group %q", in.id(), clip(in.Group, 80)), "groups in the answer without one names them")
	}
	return w, err
}

// kept is how reports are called that an earlier run of the tests left, and a later one wrote over.
var kept = regexp.MustCompile(`kept-[0-9]+/(run-[0-9]+(?:-retry-[0-9]+)?)/(.+?) as ([A-Z])`)

// problems say why a build's report may lack tests.
func problems(sum *history.Summary) (out []string) {
	for i := range sum.Groups {
		if g := &sum.Groups[i]; g.Files == 0 && sum.Final {
			out = append(out, fmt.Sprintf("the report group %s is empty: no job left files of it", g.Name))
		}
	}
	for _, p := range sum.Problems {
		text := kept.ReplaceAllString(p.Text, "$2 of $1 as $3")
		if p.Report != "" && !strings.Contains(p.Text, p.Report) {
			text = p.Report + ": " + text
		}
		out = append(out, text)
	}
	if sum.MoreProblems > 0 {
		out = append(out, fmt.Sprintf("and %d more", sum.MoreProblems))
	}
	return out
}

// buildTests is what a build shows of its tests, nil where there are none.
func (a *api) buildTests(b *scheduler.Build) *client.BuildTests {
	out := a.countedTests(b.Project, b.Number)
	failures, err := a.Tests.Failures(b.Project, b.Number)
	if err != nil {
		a.Logger.Warn("reading the failures of a build", "build", b.ID(), "error", err)
	}
	if len(failures) == 0 {
		return out
	}
	if out == nil {
		out = &client.BuildTests{}
	}
	out.Failing = true
	for i := range failures {
		out.Failures = append(out.Failures, showFailure(&failures[i], b))
	}
	return out
}

func showFailure(f *history.Failure, b *scheduler.Build) client.TestFailure {
	out := client.TestFailure{
		ID: f.ID, Suite: f.Suite, Name: f.Name, Message: f.Message, File: f.File, Line: f.Line, Build: f.Build, Shard: f.Job,
		Attempt: f.Attempt, Early: f.Early, New: f.First == nil, FirstBuild: b.ID(), FirstCommit: b.Commit, Flaky: f.Flaky, Runs: f.Runs, Command: f.Command,
	}
	if f.First != nil {
		out.FirstBuild, out.FirstCommit = f.First.Build.ID(), f.First.Build.Commit
	}
	if f.Base != nil {
		base := showResult(f.Base)
		out.Base = &base
	}
	for _, line := range f.Excerpt {
		out.Excerpt = append(out.Excerpt, client.SourceLine{Number: line.Number, Text: line.Text})
	}
	return out
}

// countedTests is what the reports of a build came to so far.
func (a *api) countedTests(project string, n int) *client.BuildTests {
	sum, err := a.Tests.Summary(project, n)
	if err == nil {
		return a.showTests(&sum)
	}
	if !errors.Is(err, history.ErrNotFound) {
		a.Logger.Warn("reading what the tests of a build came to", "build", fmt.Sprintf("%s#%d", project, n), "error", err)
	}
	due, err := a.Scheduler.ReportsDue(fmt.Sprintf("%s#%d", project, n))
	if err != nil || !due {
		return nil
	}
	return &client.BuildTests{Pending: true}
}

func (a *api) showTests(sum *history.Summary) *client.BuildTests {
	t := sum.Totals
	out := &client.BuildTests{
		Passed: t.Succeeded, Failed: t.Failed, Error: t.Error, Skipped: t.Skipped, Unknown: t.Unknown, Flaky: t.Flaky, Quarantined: t.Quarantined, Total: t.Total,
		Shards: sum.Shards, Seconds: sum.Duration.Seconds(), SerialSeconds: sum.Serial.Seconds(), Summary: sum.Line,
		Incomplete: len(sum.Problems) > 0,
	}
	for i := range sum.Groups {
		out.Incomplete = out.Incomplete || sum.Groups[i].Status() == "INCOMPLETE"
	}
	if sum.CoveredFiles > 0 {
		out.Coverage = &client.Coverage{
			Lines: sum.Lines.Total, CoveredLines: sum.Lines.Covered, Branches: sum.Branches.Total, CoveredBranch: sum.Branches.Covered,
			Files: sum.CoveredFiles,
		}
		if sum.Lines.Total > 0 {
			out.Coverage.Percent = 100 * float64(sum.Lines.Covered) / float64(sum.Lines.Total)
		}
	}
	if !sum.Final {
		out.Pending, _ = a.Scheduler.ReportsDue(sum.Build.ID())
	}
	return out
}

func showGroup(g *history.Group) client.TestGroup {
	t := g.Totals
	return client.TestGroup{
		Name: g.Name, Format: g.Format, Status: g.Status(), Files: g.Files, Discovered: g.Discovered,
		Passed: t.Succeeded, Failed: t.Failed, Error: t.Error, Skipped: t.Skipped, Flaky: t.Flaky, Quarantined: t.Quarantined, Total: t.Total,
	}
}

func showTest(o *history.Outcome, groups []history.Group) client.TestCase {
	out := client.TestCase{
		ID: o.ID, Suite: o.Suite, Name: o.Name, File: o.File, Line: o.Line, Status: string(o.Status), Flaky: o.Flaky, Build: o.Build,
		Seconds: o.Duration.Seconds(), Message: o.Message, Details: o.Details, Output: o.Output, Shard: o.Run.Shard, Attempt: o.Run.Attempt,
	}
	if o.Quarantine != nil {
		held := showEntry(o.Quarantine)
		out.Quarantine = &held
	}
	for _, g := range o.Groups {
		if g < len(groups) {
			out.Groups = append(out.Groups, groups[g].Name)
		}
	}
	for _, t := range o.Runs {
		out.Tries = append(out.Tries, client.TestTry{
			Shard: t.Run.Shard, Attempt: t.Run.Attempt, Status: string(t.Status), Seconds: t.Duration.Seconds(), Message: t.Message,
		})
	}
	return out
}

func (a *api) listCoverage(_ context.Context, in *coverageIn) (*jsonOut[client.Page[client.CoveredFile]], error) {
	rows, next, err := a.Tests.Coverage(in.Project, in.Number, in.Cursor, in.Limit)
	if err != nil {
		return nil, testsTrouble(err, noTests)
	}
	page := client.Page[client.CoveredFile]{Items: make([]client.CoveredFile, len(rows)), Next: next}
	for i := range rows {
		f := &rows[i]
		known, err := f.Known.MarshalText()
		if err != nil {
			return nil, err
		}
		hit, err := f.Hit.MarshalText()
		if err != nil {
			return nil, err
		}
		lines := f.LineTotals()
		page.Items[i] = client.CoveredFile{Path: f.Path, Lines: lines.Total, Covered: lines.Covered, Known: string(known), Hit: string(hit)}
	}
	return answer(page)
}

// rankTests pages by place in the ranking, which is the cursor.
func (a *api) rankTests(_ context.Context, in *trendsIn) (*jsonOut[client.Page[client.TestTrend]], error) {
	if err := a.knownProject(in.Name); err != nil {
		return nil, err
	}
	skip := 0
	if in.Cursor != "" {
		var err error
		if skip, err = strconv.Atoi(in.Cursor); err != nil || skip < 0 || skip > history.MaxTests {
			return nil, testsTrouble(history.ErrCursor, "")
		}
	}
	rows, more, err := a.Tests.Ranked(in.Name, history.Order{By: history.Rank(in.Sort), Text: in.Text, Recent: in.Recent}, skip, in.Limit)
	if err != nil {
		return nil, err
	}
	page := client.Page[client.TestTrend]{Items: make([]client.TestTrend, len(rows))}
	for i := range rows {
		t := &rows[i]
		page.Items[i] = client.TestTrend{
			ID: t.ID, Runs: t.Runs, Failed: t.Bad, Flaky: t.Flaky, MeanSeconds: t.Mean.Seconds(), Last: showResult(&t.Last),
		}
		if t.Failing != nil {
			since := showResult(t.Failing)
			page.Items[i].Since = &since
		}
		for _, m := range t.Recent {
			page.Items[i].Recent = append(page.Items[i].Recent, client.TestMark{Number: m.Build, Status: string(m.Status), Flaky: m.Flaky, Seconds: m.Duration.Seconds()})
		}
	}
	if more {
		page.Next = strconv.Itoa(skip + len(rows))
	}
	return answer(page)
}

// knownProject refuses a name that is no project's, so that a typing mistake is no empty list.
func (a *api) knownProject(name string) error {
	_, err := a.Scheduler.Project(name)
	return err
}

func showResult(r *history.Result) client.TestResult {
	return client.TestResult{
		Build: r.Build.ID(), Commit: r.Build.Commit, Ref: r.Build.Ref, Trusted: r.Build.Trusted, At: r.Build.At,
		Status: string(r.Status), Flaky: r.Flaky, Quarantined: r.Held, Seconds: r.Duration.Seconds(),
	}
}

func (a *api) testHistory(_ context.Context, in *historyIn) (*jsonOut[testHistory], error) {
	if err := a.knownProject(in.Name); err != nil {
		return nil, err
	}
	rows, err := a.Tests.Test(in.Name, in.ID)
	if err != nil {
		return nil, testsTrouble(err, "runner tests slowest lists the tests of a project by their ids")
	}
	out := testHistory{ID: in.ID, Items: make([]client.TestResult, len(rows))}
	for i := range rows {
		out.Items[i] = showResult(&rows[i])
	}
	return answer(out)
}
