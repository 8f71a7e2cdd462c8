package tests

import (
	"slices"
)

// Outcome is what one test came to in a build: the case that counts, and all that was told of it.
type Outcome struct {
	Case
	// Run is where the case that counts ran.
	Run Run `json:"run"`
	// Flaky tells that the test succeeded in the end and failed before, in this build.
	Flaky bool `json:"flaky,omitempty"`
	// Quarantined tells that the failures of the test do not count, as the caller knows.
	Quarantined bool `json:"quarantined,omitempty"`
	// Runs are all runs of the test, in the order of round, shard and attempt, when there was more than one.
	Runs []Told `json:"runs,omitempty"`
}

// Told is what one report file told of a test.
type Told struct {
	Run    Run    `json:"run"`
	Report string `json:"report"` // the file's name
	Try
}

// observation is a case with where it comes from.
type observation struct {
	*Case
	run    Run
	report string
}

// outcomes judges all tests of parts, which are ordered, and returns them in the order of their ids.
func outcomes(parts []*Part) []Outcome {
	seen := map[string][]observation{}
	var ids []string
	ran := suitesRan(parts)
	for _, p := range parts {
		for i := range p.Cases {
			c := &p.Cases[i]
			if c.Build && (mended(ran[c.Suite], p.Run) || c.File != "" && mended(ran[c.File], p.Run)) {
				continue
			}
			if seen[c.ID] == nil {
				ids = append(ids, c.ID)
			}
			seen[c.ID] = append(seen[c.ID], observation{c, p.Run, p.Name})
		}
	}
	slices.Sort(ids)
	out := make([]Outcome, 0, len(ids))
	for _, id := range ids {
		out = append(out, judge(seen[id]))
	}
	return out
}

// suitesRan are the runs in which code was tested, by all names that a case which stands for its build may have: the
// suite, the class, the module around the class, the file.
func suitesRan(parts []*Part) map[string][]Run {
	ran := map[string][]Run{}
	for _, p := range parts {
		for i := range p.Cases {
			c := &p.Cases[i]
			if c.Build {
				continue
			}
			for _, name := range c.CodeNames() {
				if runs := ran[name]; name != "" && (len(runs) == 0 || runs[len(runs)-1] != p.Run) {
					ran[name] = append(runs, p.Run)
				}
			}
		}
	}
	return ran
}

// mended tells whether a suite that did not build in one run had tests in a later one.
func mended(ran []Run, broken Run) bool {
	return slices.ContainsFunc(ran, func(r Run) bool { return r.later(broken) })
}

// judge is the outcome of one test.
func judge(all []observation) Outcome {
	var counts *observation
	before := false
	for i := range all {
		o := &all[i]
		for _, t := range o.Tries {
			before = before || t.Status.Bad()
		}
		if slices.ContainsFunc(all, func(other observation) bool { return other.run.later(o.run) }) {
			before = before || o.Status.Bad() && !o.Build
			continue
		}
		if counts == nil || o.Status.Worse(counts.Status) {
			counts = o
		}
	}
	out := Outcome{Case: *counts.Case, Run: counts.run, Flaky: before && counts.Status == Succeeded}
	if len(all) > 1 {
		for _, o := range all {
			out.Runs = append(out.Runs, Told{Run: o.run, Report: o.report, Try: o.try()})
		}
	}
	return out
}
