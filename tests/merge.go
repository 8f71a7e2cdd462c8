package tests

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
)

// Merger joins the parts of a build, from all shards, attempts and rounds. It is not safe for concurrent use.
type Merger struct {
	parts map[partKey]*Part
	files map[string]*FileCoverage
}

// partKey is what makes a part one part: told twice, it counts once.
type partKey struct {
	run  Run
	name string
}

// NewMerger begins with nothing.
func NewMerger() *Merger {
	return &Merger{parts: map[partKey]*Part{}, files: map[string]*FileCoverage{}}
}

// Add takes a part in, which must not change afterwards. Of two parts of the same run and name the fuller one counts,
// as a file may have been read while it was still written.
func (m *Merger) Add(p *Part) {
	key := partKey{p.Run, p.Name}
	if old := m.parts[key]; old == nil || fuller(p, old) {
		m.parts[key] = p
	}
	for _, f := range p.Files {
		m.cover(f)
	}
}

// Join takes in all that another merger has.
func (m *Merger) Join(other *Merger) {
	for _, p := range other.parts {
		m.Add(p)
	}
	for _, f := range other.files {
		m.cover(f)
	}
}

func (m *Merger) cover(f *FileCoverage) {
	if old := m.files[f.Path]; old != nil {
		old.Join(f)
		return
	}
	m.files[f.Path] = f.clone()
}

// fuller is a total order on parts with the same key, so that the choice does not depend on who came first.
func fuller(a, b *Part) bool {
	if c := cmp.Or(cmp.Compare(len(a.Cases), len(b.Cases)), cmp.Compare(len(b.Problems), len(a.Problems)), cmp.Compare(a.Took, b.Took)); c != 0 {
		return c > 0
	}
	if a == b {
		return false
	}
	// Of cases only strings and numbers are encoded, which cannot fail.
	left, _ := json.Marshal([]any{a.Cases, a.Problems})
	right, _ := json.Marshal([]any{b.Cases, b.Problems})
	return string(left) > string(right)
}

// ordered are the parts in an order that depends on nothing but their keys.
func (m *Merger) ordered() []*Part {
	return slices.SortedFunc(maps.Values(m.parts), func(a, b *Part) int {
		return cmp.Or(compareRuns(a.Run, b.Run), cmp.Compare(a.Name, b.Name))
	})
}

func compareRuns(a, b Run) int {
	return cmp.Or(cmp.Compare(a.Round, b.Round), cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Attempt, b.Attempt))
}

// later tells whether what a says replaces what b says of the same test.
func (a Run) later(b Run) bool {
	return a.Round > b.Round || a.Round == b.Round && a.Shard == b.Shard && a.Attempt > b.Attempt
}
