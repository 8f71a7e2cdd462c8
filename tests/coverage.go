package tests

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Arm is one way that a branch can take, by name: the same name in each run of the same source.
type Arm struct {
	Line int
	Name string
}

// MarshalText writes "12:name", so that an arm can be a key in JSON.
func (a Arm) MarshalText() ([]byte, error) {
	return []byte(strconv.Itoa(a.Line) + ":" + a.Name), nil
}

// UnmarshalText reads what MarshalText writes.
func (a *Arm) UnmarshalText(text []byte) error {
	line, name, ok := strings.Cut(string(text), ":")
	n, err := strconv.Atoi(line)
	if !ok || err != nil {
		return fmt.Errorf("reading a branch: found %q, expected a line, a colon and a name", text)
	}
	*a = Arm{Line: n, Name: name}
	return nil
}

// Count is how many of a line's branches were taken, where a format says no more.
type Count struct {
	Covered int `json:"covered"`
	Total   int `json:"total"`
}

// FileCoverage is what ran of one source file. Known are the lines that can run, Hit those that did.
//
// Arms are the branches of formats that name each (LCOV, Clover, SimpleCov), true when taken; Counts those of formats
// that only count (Cobertura, JaCoCo), by line. Two counts of the same line may mean the same branch or not; their
// union is at least the greater, and that is what is kept.
type FileCoverage struct {
	Path   string        `json:"path"`
	Known  Lines         `json:"known"`
	Hit    Lines         `json:"hit"`
	Arms   map[Arm]bool  `json:"arms,omitempty"`
	Counts map[int]Count `json:"counts,omitempty"`
}

// Line notes that a line can run, and whether it did.
func (f *FileCoverage) Line(line int, hit bool) {
	f.Known.Add(line)
	if hit {
		f.Hit.Add(line)
	}
}

// Branch notes one way of a branch, and whether it was taken.
func (f *FileCoverage) Branch(line int, name string, taken bool) {
	if f.Arms == nil {
		f.Arms = map[Arm]bool{}
	}
	arm := Arm{Line: line, Name: name}
	f.Arms[arm] = f.Arms[arm] || taken
}

// Counted notes how many branches of a line were taken.
func (f *FileCoverage) Counted(line int, c Count) {
	if c.Total <= 0 || c.Covered < 0 {
		return
	}
	if f.Counts == nil {
		f.Counts = map[int]Count{}
	}
	old := f.Counts[line]
	f.Counts[line] = Count{Covered: max(old.Covered, min(c.Covered, c.Total)), Total: max(old.Total, c.Total)}
}

// Join adds what other knows of the same file. It is the union, so order and repetition do not matter.
func (f *FileCoverage) Join(other *FileCoverage) {
	f.Known.Join(other.Known)
	f.Hit.Join(other.Hit)
	for arm, taken := range other.Arms {
		f.Branch(arm.Line, arm.Name, taken)
	}
	for line, c := range other.Counts {
		f.Counted(line, c)
	}
}

// LineTotals are how many lines ran of those that can.
func (f *FileCoverage) LineTotals() Count { return Count{f.Hit.Count(), f.Known.Count()} }

// BranchTotals are how many branches were taken of those there are. A line of which both arms and counts are known
// counts once, by the greater of the two.
func (f *FileCoverage) BranchTotals() Count {
	lines := map[int]Count{}
	for arm, taken := range f.Arms {
		c := lines[arm.Line]
		c.Total++
		if taken {
			c.Covered++
		}
		lines[arm.Line] = c
	}
	var sum Count
	for line, c := range f.Counts {
		old := lines[line]
		lines[line] = Count{max(old.Covered, c.Covered), max(old.Total, c.Total)}
	}
	for _, c := range lines {
		sum.Covered += c.Covered
		sum.Total += c.Total
	}
	return sum
}

// clone is a copy that shares nothing.
func (f *FileCoverage) clone() *FileCoverage {
	return &FileCoverage{
		Path: f.Path, Known: slices.Clone(f.Known), Hit: slices.Clone(f.Hit),
		Arms: maps.Clone(f.Arms), Counts: maps.Clone(f.Counts),
	}
}
