package tests

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// told makes a part of "name STATUS" pairs.
func told(run Run, report string, pairs ...string) *Part {
	p := NewPart(run, report)
	for i := 0; i < len(pairs); i += 2 {
		p.Case(&Case{Suite: "s", Class: "c", Name: pairs[i], Status: Status(pairs[i+1]), Duration: time.Second})
	}
	return p
}

func merged(parts ...*Part) Report {
	m := NewMerger()
	for _, p := range parts {
		m.Add(p)
	}
	return m.Report()
}

func TestRulesOfMerging(t *testing.T) {
	broken := NewPart(Run{}, "a")
	broken.Case(&Case{Suite: "s", Name: "[build failed]", Status: Error, Build: true})
	flaky := NewPart(Run{}, "a")
	flaky.Case(&Case{Name: "a", Status: Succeeded, Tries: []Try{{Status: Failed}}})
	again := NewPart(Run{}, "a")
	again.Case(&Case{Name: "a", Status: Failed, Unique: true})
	again.Case(&Case{Name: "a", Status: Succeeded, Unique: true})
	for _, c := range []struct {
		what  string
		parts []*Part
		want  Totals
	}{
		{"two shards", []*Part{told(Run{Shard: 0}, "a", "x", "SUCCEEDED"), told(Run{Shard: 1}, "a", "y", "FAILED")}, Totals{Total: 2, Succeeded: 1, Failed: 1}},
		{"a namesake in one file", []*Part{told(Run{}, "a", "x", "SUCCEEDED", "x", "FAILED")}, Totals{Total: 2, Succeeded: 1, Failed: 1}},
		{"two files of one run", []*Part{told(Run{}, "a", "x", "SUCCEEDED"), told(Run{}, "b", "x", "FAILED")}, Totals{Total: 1, Failed: 1}},
		{"the same file twice", []*Part{told(Run{}, "a", "x", "SUCCEEDED"), told(Run{}, "a", "x", "SUCCEEDED")}, Totals{Total: 1, Succeeded: 1}},
		{"the same test on two shards", []*Part{told(Run{Shard: 0}, "a", "x", "ERROR"), told(Run{Shard: 1}, "a", "x", "SUCCEEDED")}, Totals{Total: 1, Error: 1}},
		{"a later attempt", []*Part{told(Run{Attempt: 1}, "a", "x", "FAILED", "y", "SUCCEEDED"), told(Run{Attempt: 2}, "a", "x", "SUCCEEDED")}, Totals{Total: 2, Succeeded: 1, Flaky: 1}},
		{"a later attempt that fails", []*Part{told(Run{Attempt: 1}, "a", "x", "SUCCEEDED"), told(Run{Attempt: 2}, "a", "x", "FAILED")}, Totals{Total: 1, Failed: 1}},
		{"another shard's attempt replaces nothing", []*Part{told(Run{Shard: 1, Attempt: 1}, "a", "x", "FAILED"), told(Run{Shard: 2, Attempt: 2}, "a", "x", "SUCCEEDED")}, Totals{Total: 1, Failed: 1}},
		{"a round on another shard", []*Part{told(Run{Shard: 1}, "a", "x", "FAILED"), told(Run{Shard: 2, Round: 1}, "a", "x", "SUCCEEDED")}, Totals{Total: 1, Flaky: 1}},
		{"skipped at first is no flake", []*Part{told(Run{Attempt: 1}, "a", "x", "SKIPPED"), told(Run{Attempt: 2}, "a", "x", "SUCCEEDED")}, Totals{Total: 1, Succeeded: 1}},
		{"a build that was mended", []*Part{broken, told(Run{Attempt: 1}, "a", "x", "SUCCEEDED")}, Totals{Total: 1, Succeeded: 1}},
		{"a build that stays broken", []*Part{broken, told(Run{Shard: 1}, "a", "x", "SUCCEEDED")}, Totals{Total: 2, Succeeded: 1, Error: 1}},
		{"tries in the file", []*Part{flaky}, Totals{Total: 1, Flaky: 1}},
		{"a unique name again", []*Part{again}, Totals{Total: 1, Flaky: 1}},
		{"nothing", nil, Totals{}},
	} {
		t.Run(c.what, func(t *testing.T) {
			if got := merged(c.parts...).Totals; got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// randomParts are parts over few tests, so that all rules meet.
func randomParts(r *rand.Rand) []*Part {
	statuses := []Status{Succeeded, Failed, Error, Skipped, Unknown}
	var parts []*Part
	for range r.IntN(12) {
		run := Run{Shard: r.IntN(3), Attempt: r.IntN(3), Round: r.IntN(2)}
		p := NewPart(run, fmt.Sprint("report", r.IntN(2)))
		for range r.IntN(8) {
			p.Case(&Case{
				Suite: fmt.Sprint("s", r.IntN(2)), Name: fmt.Sprint("t", r.IntN(5)), Status: statuses[r.IntN(len(statuses))],
				Build: r.IntN(8) == 0, Unique: r.IntN(4) == 0, Duration: time.Duration(r.IntN(1000)),
			})
		}
		f := &FileCoverage{Path: fmt.Sprint("f", r.IntN(3))}
		for range r.IntN(10) {
			line := 1 + r.IntN(200)
			f.Line(line, r.IntN(2) == 0)
			f.Branch(line, fmt.Sprint(r.IntN(2)), r.IntN(2) == 0)
			f.Counted(line, Count{r.IntN(4), r.IntN(4)})
		}
		p.File(f)
		parts = append(parts, p)
	}
	return parts
}

// Whatever comes in whichever order, grouped or twice, gives the same report; no test is lost, none counted twice.
func TestMergingIsASet(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		parts := randomParts(r)
		want := merged(parts...)
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		left, right := NewMerger(), NewMerger()
		for i, p := range parts {
			if i%2 == 0 {
				left.Add(p)
			} else {
				right.Add(p)
			}
			if r.IntN(3) == 0 {
				right.Add(p)
			}
		}
		right.Join(left)
		right.Join(right)
		if got := right.Report(); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: the order changes the report:\n%+v\n%+v", seed, got, want)
		}
		checkNothingLost(t, seed, parts, want)
	}
}

func checkNothingLost(t *testing.T, seed uint64, parts []*Part, r Report) {
	t.Helper()
	seen := map[string]bool{}
	for _, o := range r.Outcomes {
		if seen[o.ID] {
			t.Fatalf("seed %d: %s is counted twice", seed, o.ID)
		}
		seen[o.ID] = true
	}
	if r.Totals.Total != len(r.Outcomes) {
		t.Fatalf("seed %d: total %d of %d outcomes", seed, r.Totals.Total, len(r.Outcomes))
	}
	m := NewMerger()
	for _, p := range parts {
		m.Add(p)
	}
	for _, p := range m.parts {
		for _, c := range p.Cases {
			if !c.Build && !seen[c.ID] {
				t.Fatalf("seed %d: %s is lost", seed, c.ID)
			}
		}
	}
}

func TestCoverageIsTheUnion(t *testing.T) {
	a, b := NewPart(Run{Shard: 0}, "a"), NewPart(Run{Shard: 1}, "a")
	for line := 1; line <= 10; line++ {
		for i, p := range []*Part{a, b} {
			f := &FileCoverage{Path: "x.go"}
			f.Line(line, line%3 == i)
			f.Branch(4, fmt.Sprint(i), true)
			f.Branch(4, fmt.Sprint(1-i), false)
			f.Counted(7, Count{1 + i, 4})
			p.File(f)
		}
	}
	got := merged(a, b)
	if want := (Count{7, 10}); got.Coverage.Lines != want {
		t.Errorf("lines %+v, want %+v: all but 2, 5, 8", got.Coverage.Lines, want)
	}
	if want := (Count{4, 6}); got.Coverage.Branches != want {
		t.Errorf("branches %+v, want %+v: both arms of line 4, the better count of line 7", got.Coverage.Branches, want)
	}
	if got.Kind != KindCoverage {
		t.Errorf("kind %s, want coverage", got.Kind)
	}
}
