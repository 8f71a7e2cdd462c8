package history

import (
	"fmt"
	"time"

	"github.com/runner-ci/runner/tests"
)

// Build is which build a report is of.
type Build struct {
	Project string    `json:"project"`
	Number  int       `json:"number"`
	Commit  string    `json:"commit,omitempty"`
	Ref     string    `json:"ref,omitempty"`
	Trusted bool      `json:"trusted,omitempty"`
	Fork    bool      `json:"fork,omitempty"` // of a stranger's pull request: it counts for no history
	At      time.Time `json:"at"`
}

// ID is the build's name for people: "api#142".
func (b Build) ID() string { return fmt.Sprintf("%s#%d", b.Project, b.Number) }

// Group is one report group of a build, over all its jobs and attempts.
type Group struct {
	Name       string       `json:"name"`
	Format     string       `json:"format"`
	Files      int          `json:"files"`
	Discovered bool         `json:"discovered,omitempty"` // found by looking, not declared
	Totals     tests.Totals `json:"totals"`
	// Incomplete tells that some files could not be read to their end.
	Incomplete bool `json:"incomplete,omitempty"`
}

// Status is the group's, in CodeBuild's words. A group of which no job had files is incomplete; one job without may be a
// shard that was given no tests.
func (g *Group) Status() string {
	switch {
	case g.Incomplete, g.Files == 0:
		return "INCOMPLETE"
	case g.Totals.Failed+g.Totals.Error > 0:
		return "FAILED"
	}
	return "SUCCEEDED"
}

// Summary is what a build's tests came to, without the tests.
type Summary struct {
	Build  Build
	Groups []Group
	Totals tests.Totals
	// Shards, Duration and Serial are those of tests.Report, for the jobs that share a suite. Without any Shards is 1, and
	// both times are those of the job that took longest.
	Shards           int
	Duration, Serial time.Duration
	Line             string // in one line, for a commit status; empty where there are no tests
	Lines, Branches  tests.Count
	CoveredFiles     int
	Problems         []tests.Problem
	MoreProblems     int
	Final            bool // the build has ended, and nothing will be added
	Expired          bool // its tests were removed by retention
}

// row is what is stored of a build besides its blobs.
type row struct {
	Summary
	Taken    map[string]bool
	Clocks   []clock
	Cases    int   // that were taken in
	Bytes    int64 // that they took
	Runs     []uint64
	Merged   uint64 // outcomes by id
	Bad      uint64 // those of Merged that failed or are flaky
	Coverage uint64
	Unmerged bool // Runs have cases that Merged does not know
	// Broken are the suites and files that did not build in some run, which a later run may have mended.
	Broken map[string]bool
}

// clock is how long one run took.
type clock struct {
	Run   tests.Run
	Took  time.Duration
	Shard bool // of a job that shares its suite with others
}

// group is the place of a group in the row, which it makes.
func (r *row) group(name, format string) (int, bool) {
	for i := range r.Groups {
		if r.Groups[i].Name == name && r.Groups[i].Format == format {
			return i, true
		}
	}
	if len(r.Groups) == MaxGroups {
		return 0, false
	}
	r.Groups = append(r.Groups, Group{Name: name, Format: format})
	return len(r.Groups) - 1, true
}

// problem notes why the report is not complete.
func (r *row) problem(p tests.Problem) {
	if len(r.Problems) >= maxProblems {
		r.MoreProblems++
		return
	}
	p.Text = tests.Cut(p.Text, 1000)
	r.Problems = append(r.Problems, p)
}
