package tests

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Kind is what a report is about.
type Kind string

// The two kinds of reports.
const (
	KindTest     Kind = "test"
	KindCoverage Kind = "coverage"
)

// Report is what all shards, attempts and rounds of a build came to, for one group.
type Report struct {
	// Group and Format are the caller's to fill in: the files do not know them.
	Group    string    `json:"group"`
	Format   string    `json:"format"`
	Kind     Kind      `json:"kind"`
	Outcomes []Outcome `json:"outcomes,omitempty"` // by id
	Totals   Totals    `json:"totals"`
	Coverage *Coverage `json:"coverage,omitempty"`
	// Shards is how many shards told something. Duration is the longest shard's, all its attempts and rounds together;
	// Serial is the sum over the shards: what one shard would have taken. Nanoseconds in JSON.
	Shards   int           `json:"shards"`
	Duration time.Duration `json:"duration"`
	Serial   time.Duration `json:"serial"`
	// Problems are files or pieces of them that could not be read: the report may lack tests.
	Problems []Problem `json:"problems,omitempty"`
}

// Problem is why a report file is not complete.
type Problem struct {
	Run    Run    `json:"run"`
	Report string `json:"report"`
	Text   string `json:"text"`
}

// Totals count each test once. Flaky tests are not among the succeeded, so that all add up to Total.
type Totals struct {
	Total     int `json:"total"`
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	Error     int `json:"error"`
	Skipped   int `json:"skipped"`
	Unknown   int `json:"unknown"`
	Flaky     int `json:"flaky"`
	// Quarantined failed, which does not count; they are not among the failed.
	Quarantined int `json:"quarantined,omitempty"`
}

// Coverage is the union of what ran, by source file.
type Coverage struct {
	Files    []*FileCoverage `json:"files,omitempty"` // by path
	Lines    Count           `json:"lines"`
	Branches Count           `json:"branches"`
}

// Report is what has been added so far came to. It shares memory with the parts; change neither.
func (m *Merger) Report() Report {
	parts := m.ordered()
	r := Report{Kind: KindTest, Outcomes: outcomes(parts)}
	for i := range r.Outcomes {
		r.Totals.count(&r.Outcomes[i])
	}
	for _, p := range parts {
		for _, text := range p.Problems {
			r.Problems = append(r.Problems, Problem{Run: p.Run, Report: p.Name, Text: text})
		}
	}
	r.times(parts)
	if len(m.files) > 0 {
		r.Coverage = coverage(m.files)
		if len(r.Outcomes) == 0 {
			r.Kind = KindCoverage
		}
	}
	return r
}

func (t *Totals) count(o *Outcome) {
	t.Total++
	switch {
	case o.Flaky:
		t.Flaky++
	case o.Quarantined && o.Status.Bad():
		t.Quarantined++
	case o.Status == Succeeded:
		t.Succeeded++
	case o.Status == Failed:
		t.Failed++
	case o.Status == Error:
		t.Error++
	case o.Status == Skipped:
		t.Skipped++
	default:
		t.Unknown++
	}
}

// times measures each run by its own clock or, failing that, by its cases, and adds the runs of a shard up.
func (r *Report) times(parts []*Part) {
	clock, cases := map[Run]time.Duration{}, map[Run]time.Duration{}
	for _, p := range parts {
		clock[p.Run] = max(clock[p.Run], p.Took)
		for i := range p.Cases {
			cases[p.Run] += p.Cases[i].Duration
		}
	}
	shards := map[int]time.Duration{}
	for run, took := range clock {
		shards[run.Shard] += cmp.Or(took, cases[run])
	}
	r.Shards = len(shards)
	for _, took := range shards {
		r.Duration = max(r.Duration, took)
		r.Serial += took
	}
}

func coverage(files map[string]*FileCoverage) *Coverage {
	c := &Coverage{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name].clone()
		c.Files = append(c.Files, f)
		lines, branches := f.LineTotals(), f.BranchTotals()
		c.Lines = Count{c.Lines.Covered + lines.Covered, c.Lines.Total + lines.Total}
		c.Branches = Count{c.Branches.Covered + branches.Covered, c.Branches.Total + branches.Total}
	}
	return c
}
