package web

import (
	"strings"

	"github.com/runner-ci/runner/client"
)

// pastBuilds is how many builds of a project are looked at to tell since when one fails.
const pastBuilds = 100

// since tells when a build's failure began, by the builds of the same ref before it.
type since struct {
	Ref    string
	First  *client.Build // the first of the unbroken row of failures that this build ends
	Self   bool          // that is this one
	Streak int           // how many are in the row
	Passed *client.Build // the newest one before the row that passed
	Good   int           // how many of those before the row passed
	Of     int
	Base   *client.Build // the newest ended one of the default branch, where the build is of another ref
	OnBase bool          // it fails there, too
}

// sinceWhen looks at the builds of a project, which come newest first. base is the default branch; "" where it is not known.
func sinceWhen(b client.Build, builds []client.Build, base string) since {
	out := since{Ref: b.Ref, First: &b, Self: true, Streak: 1}
	over := false
	for i := range builds {
		p := &builds[i]
		if p.Number >= b.Number || class(p.Status) != "no" && p.Status != "SUCCEEDED" {
			continue
		}
		if out.Base == nil && base != "" && p.Ref == "refs/heads/"+base && b.Ref != p.Ref {
			out.Base, out.OnBase = p, class(p.Status) == "no"
		}
		if !sameLine(b, *p) {
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

// submits is where the trees lie that laptops send.
const submits = "refs/runner/submit/"

// sameLine tells whether two builds are of one line of work: a branch, a pull request, or what one person submits.
func sameLine(a, b client.Build) bool {
	if strings.HasPrefix(a.Ref, submits) {
		return strings.HasPrefix(b.Ref, submits) && a.Author == b.Author
	}
	return a.Ref == b.Ref
}

// expected is how many seconds a build like this takes, by the median of those that passed; 0 where none did.
func expected(b client.Build, builds []client.Build) float64 {
	var took []float64
	for i := range builds {
		if p := &builds[i]; p.Number != b.Number && p.Status == "SUCCEEDED" && p.Seconds > 0 && len(took) < 9 {
			took = append(took, p.Seconds)
		}
	}
	return median(took)
}

// mended is the build before one that passed, where that had failed; nil otherwise. Builds come newest first.
func mended(b client.Build, builds []client.Build) *client.Build {
	if b.Status != "SUCCEEDED" {
		return nil
	}
	for i := range builds {
		p := &builds[i]
		if p.Number >= b.Number || !sameLine(b, *p) || class(p.Status) != "no" && p.Status != "SUCCEEDED" {
			continue
		}
		if class(p.Status) == "no" {
			return p
		}
		return nil
	}
	return nil
}
