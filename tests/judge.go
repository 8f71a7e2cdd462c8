package tests

import (
	"cmp"
	"slices"
	"strings"
)

// Observation is one case, with the run and the report file that told of it.
type Observation struct {
	Case   *Case
	Run    Run
	Report string
}

// Judge is what one test came to, by the rules of a Merger, for those who keep the cases of a build elsewhere than in
// memory. All observations are of the same id; there is at least one. Cases that stand for a build are the caller's to
// forget: see CodeNames and Later.
func Judge(all []Observation) Outcome {
	own := make([]observation, len(all))
	for i, o := range all {
		own[i] = observation{o.Case, o.Run, o.Report}
	}
	slices.SortStableFunc(own, func(a, b observation) int {
		return cmp.Or(compareRuns(a.run, b.run), cmp.Compare(a.report, b.report))
	})
	return judge(own)
}

// Count adds one outcome to the totals.
func (t *Totals) Count(o *Outcome) { t.count(o) }

// Later tells whether what a run says replaces what another says of the same test.
func (a Run) Later(b Run) bool { return a.later(b) }

// Again makes a later case of the same test the one that counts within its file, and keeps this one as a try.
func (c *Case) Again(later Case) {
	tries := later.Tries
	later.ID, later.Tries = c.ID, c.Tries
	later.AddTry(c.try())
	for _, t := range tries {
		later.AddTry(t)
	}
	*c = later
}

// CodeNames are the names that a case which stands for a build of the same code may have as its suite or its file: the
// suite, the class, the module around the class, the file. Some may be empty.
func (c *Case) CodeNames() [4]string {
	module := c.Class[:max(0, strings.LastIndexByte(c.Class, '.'))]
	return [4]string{c.Suite, c.Class, module, c.File}
}
