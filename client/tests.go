package client

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// BuildTests is what the tests of a build came to. Flaky tests, which failed and then passed, are not among the passed,
// and quarantined ones, whose failures do not count, not among the failed.
type BuildTests struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Error   int `json:"error"`
	Skipped int `json:"skipped"`
	Unknown int `json:"unknown,omitempty"`
	Flaky   int `json:"flaky"`
	Total   int `json:"total"`

	Quarantined int `json:"quarantined"`

	Shards        int       `json:"shards"`               // that share a suite and told of tests; 1 where no jobs share one
	Seconds       float64   `json:"seconds"`              // of the shard that took longest; where no jobs share a suite, of the job
	SerialSeconds float64   `json:"serialSeconds"`        // of all shards together
	Summary       string    `json:"summary,omitempty"`    // in one line; empty when there are no tests
	Coverage      *Coverage `json:"coverage,omitempty"`   // none told of any
	Incomplete    bool      `json:"incomplete,omitempty"` // files are missing or could not be read; the report's problems say why
	Pending       bool      `json:"pending,omitempty"`    // report files of jobs that have ended are still being read

	// Failing tells that a test has failed, from the moment on at which a running job told of it. The counts above are
	// of jobs that have ended.
	Failing  bool          `json:"failing,omitempty"`
	Failures []TestFailure `json:"failures,omitempty"` // the first, explained; only where one build is asked for
}

// TestFailure explains one failed test: where it failed, since when it does, whether it fails elsewhere too, and how to
// run it alone.
type TestFailure struct {
	ID      string       `json:"id"`
	Suite   string       `json:"suite,omitempty"`
	Name    string       `json:"name"`
	Message string       `json:"message,omitempty"`
	File    string       `json:"file,omitempty"`
	Line    int          `json:"line,omitempty"`
	Build   bool         `json:"build,omitempty"` // no test: its code did not compile
	Shard   int          `json:"shard"`           // place of the job in the build, from 0
	Attempt int          `json:"attempt"`
	Early   bool         `json:"early,omitempty"`   // told while the job still ran
	Excerpt []SourceLine `json:"excerpt,omitempty"` // of the file, around the line

	New         bool        `json:"new"`        // it did not fail when it last ran before
	FirstBuild  string      `json:"firstBuild"` // since which the test fails
	FirstCommit string      `json:"firstCommit,omitempty"`
	Base        *TestResult `json:"base,omitempty"` // the newest result on the base branch, or the default one
	Flaky       int         `json:"flaky"`          // how often the test was flaky
	Runs        int         `json:"runs"`           // in so many earlier builds
	Command     string      `json:"command"`        // runs it alone, in a checkout
}

// SourceLine is one line of a file.
type SourceLine struct {
	Number int    `json:"number"`
	Text   string `json:"text"`
}

// Coverage is how much of the source ran, over all shards.
type Coverage struct {
	Percent       float64 `json:"percent"` // of lines
	Lines         int     `json:"lines"`   // that can run
	CoveredLines  int     `json:"coveredLines"`
	Branches      int     `json:"branches,omitempty"`
	CoveredBranch int     `json:"coveredBranches,omitempty"`
	Files         int     `json:"files"`
}

// TestReport is one page of a build's tests with the summary of all.
type TestReport struct {
	Build    string      `json:"build"`
	Summary  BuildTests  `json:"summary"`
	Groups   []TestGroup `json:"groups"`
	Problems []string    `json:"problems,omitempty"` // why the report may lack tests
	Expired  bool        `json:"expired,omitempty"`  // retention has removed the tests one by one
	Items    []TestCase  `json:"items"`              // by id
	Next     string      `json:"next,omitempty"`
}

// TestGroup is one report group of a build, over all its jobs.
type TestGroup struct {
	Name       string `json:"name"`
	Format     string `json:"format"`
	Status     string `json:"status"` // SUCCEEDED, FAILED, INCOMPLETE
	Files      int    `json:"files"`
	Discovered bool   `json:"discovered,omitempty"`
	Passed     int    `json:"passed"`
	Failed     int    `json:"failed"`
	Error      int    `json:"error"`
	Skipped    int    `json:"skipped"`
	Flaky      int    `json:"flaky"`
	Total      int    `json:"total"`

	Quarantined int `json:"quarantined"`
}

// TestCase is one test in a build.
type TestCase struct {
	ID      string    `json:"id"`
	Suite   string    `json:"suite,omitempty"`
	Name    string    `json:"name"`
	File    string    `json:"file,omitempty"`
	Line    int       `json:"line,omitempty"`
	Status  string    `json:"status"` // SUCCEEDED, FAILED, ERROR, SKIPPED, UNKNOWN
	Flaky   bool      `json:"flaky,omitempty"`
	Build   bool      `json:"build,omitempty"` // no test: its code did not compile
	Seconds float64   `json:"seconds"`
	Message string    `json:"message,omitempty"`
	Details string    `json:"details,omitempty"`
	Output  string    `json:"output,omitempty"`
	Groups  []string  `json:"groups,omitempty"`
	Shard   int       `json:"shard"` // place of the job in the build, from 0
	Attempt int       `json:"attempt"`
	Tries   []TestTry `json:"tries,omitempty"` // all that was told of it, when there was more than one

	Quarantine *TestQuarantine `json:"quarantine,omitempty"` // why its failure does not count
}

// TestTry is one of several results of a test in a build.
type TestTry struct {
	Shard   int     `json:"shard"`
	Attempt int     `json:"attempt"`
	Status  string  `json:"status"`
	Seconds float64 `json:"seconds"`
	Message string  `json:"message,omitempty"`
}

// CoveredFile is one source file: which of its lines can run, and which did, like "1-3,7".
type CoveredFile struct {
	Path    string `json:"path"`
	Lines   int    `json:"lines"`
	Covered int    `json:"covered"`
	Known   string `json:"known"`
	Hit     string `json:"hit"`
}

// TestTrend is the history of one test in short: of its newest results, at most 100.
type TestTrend struct {
	ID          string      `json:"id"`
	Runs        int         `json:"runs"` // without skips
	Failed      int         `json:"failed"`
	Flaky       int         `json:"flaky"`
	MeanSeconds float64     `json:"meanSeconds"`
	Last        TestResult  `json:"last"`
	Since       *TestResult `json:"since,omitempty"`  // the first of the failures that it has not recovered from
	Recent      []TestMark  `json:"recent,omitempty"` // newest first, as many as were asked for
}

// TestMark is how a test ended in one build, in short.
type TestMark struct {
	Number  int     `json:"number"` // of the build
	Status  string  `json:"status"`
	Flaky   bool    `json:"flaky,omitempty"`
	Seconds float64 `json:"seconds"`
}

// TestResult is how a test ended in one build.
type TestResult struct {
	Build   string    `json:"build"`
	Commit  string    `json:"commit,omitempty"`
	Ref     string    `json:"ref,omitempty"`
	Trusted bool      `json:"trusted"`
	At      time.Time `json:"at,omitzero"`
	Status  string    `json:"status"`
	Flaky   bool      `json:"flaky,omitempty"`
	Seconds float64   `json:"seconds"`

	Quarantined bool `json:"quarantined,omitempty"` // it failed, and that did not count
}

// TestOptions narrow the tests of a build. The zero value is the first page of those that failed or are flaky.
type TestOptions struct {
	Status string // "failing" (also when empty), "all", or one like SKIPPED
	Text   string // only with this in the id
	Group  string // only of this report group
	Cursor string
	Limit  int
}

// Tests returns a page of a build's tests.
func (c *Client) Tests(ctx context.Context, id string, o TestOptions) (TestReport, error) {
	var out TestReport
	q := ListOptions{Status: o.Status, Text: o.Text, Cursor: o.Cursor, Limit: o.Limit}.query()
	if o.Group != "" {
		q.Set("group", o.Group)
	}
	path, err := buildPath(id, "/tests")
	if err == nil {
		err = c.get(ctx, path, q, &out)
	}
	return out, err
}

// Coverage lists the source files of which a build's reports told.
func (c *Client) Coverage(ctx context.Context, id string) ([]CoveredFile, error) {
	path, err := buildPath(id, "/coverage")
	if err != nil {
		return nil, err
	}
	return all[CoveredFile](ctx, c, path)
}

// TrendOptions choose and order a project's tests. The zero value is the first page, the slowest first.
type TrendOptions struct {
	Sort   string // slowest, flaky or failing
	Text   string // only with this in the id
	Recent int    // how many of the newest results of each are told, too
	Cursor string
	Limit  int
}

// TestTrends returns a page of a project's tests, the first by a rank.
func (c *Client) TestTrends(ctx context.Context, project string, o TrendOptions) (Page[TestTrend], error) {
	var out Page[TestTrend]
	q := ListOptions{Text: o.Text, Cursor: o.Cursor, Limit: o.Limit}.query()
	if o.Sort != "" {
		q.Set("sort", o.Sort)
	}
	if o.Recent > 0 {
		q.Set("recent", strconv.Itoa(o.Recent))
	}
	err := c.get(ctx, projectPath(project, "/tests"), q, &out)
	return out, err
}

// TestHistory returns the newest results of one test, newest first.
func (c *Client) TestHistory(ctx context.Context, project, id string) ([]TestResult, error) {
	var out struct {
		Items []TestResult `json:"items"`
	}
	err := c.get(ctx, projectPath(project, "/tests/history"), url.Values{"id": {id}}, &out)
	return out.Items, err
}
