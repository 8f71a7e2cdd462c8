package client

import "strings"

// PastBuilds is how many builds of a project are looked at to tell since when one fails.
const PastBuilds = 100

// Failing tells when a build's failure began, by the builds of the same line of work before it.
type Failing struct {
	Ref    string
	First  *Build // the first of the unbroken row of failures that this build ends
	Self   bool   // that is this one
	Streak int    // how many are in the row
	Passed *Build // the newest one before the row that passed
	Good   int    // how many of those before the row passed
	Of     int
	Base   *Build // the newest ended one of the default branch, where the build is of another ref
	OnBase bool   // it fails there, too
}

// Failed tells whether a build came to a verdict, and that is not that it succeeded. One that was stopped has none.
func (b *Build) Failed() bool {
	return b.Status == "FAILED" || b.Status == "FAULT" || b.Status == "TIMED_OUT"
}

// FailingSince looks at the builds of a project, which come newest first. base is the default branch; "" where it is not known.
func FailingSince(b Build, builds []Build, base string) Failing {
	out := Failing{Ref: b.Ref, First: &b, Self: true, Streak: 1}
	over := false
	for i := range builds {
		p := &builds[i]
		if p.Number >= b.Number || !p.Failed() && p.Status != "SUCCEEDED" {
			continue
		}
		if out.Base == nil && base != "" && p.Ref == "refs/heads/"+base && b.Ref != p.Ref {
			out.Base, out.OnBase = p, p.Failed()
		}
		if !SameLine(b, *p) {
			continue
		}
		passed := p.Status == "SUCCEEDED"
		over = over || passed
		switch {
		case !over:
			out.First, out.Self = p, false
			out.Streak++
		default:
			out.Of++
			if passed {
				out.Good++
			}
			if passed && out.Passed == nil {
				out.Passed = p
			}
		}
	}
	return out
}

// Submits is where the trees lie that laptops send.
const Submits = "refs/runner/submit/"

// SameLine tells whether two builds are of one line of work: a branch, a pull request, or what one person submits.
func SameLine(a, b Build) bool {
	if strings.HasPrefix(a.Ref, Submits) {
		return strings.HasPrefix(b.Ref, Submits) && a.Author == b.Author
	}
	return a.Ref == b.Ref
}
