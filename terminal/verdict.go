package terminal

import (
	"io"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/buildspec/tree"
)

// Verdicts writes what was found of each file, as a compiler would. Files that could not be judged are left to the
// error that says so.
func Verdicts(o *Output, verdicts []tree.Verdict) {
	valid := 0
	for i, v := range verdicts {
		if v.Valid {
			valid++
		}
		if i > 0 && (len(v.Problems) > 0 || len(verdicts[i-1].Problems) > 0) {
			o.Lines("")
		}
		Problems(o, v.Problems)
		if v.Valid {
			o.Lines(oneLine(v.File) + " is valid" + jobCount(v))
		}
	}
	if len(verdicts) > 1 {
		o.Lines("", Number(valid)+" of "+Count(len(verdicts), "file is valid", "files are valid"))
	}
}

func jobCount(v tree.Verdict) string {
	if len(v.Jobs) == 0 {
		return ""
	}
	return ": " + Count(len(v.Jobs), "job", "jobs")
}

// Problems writes problems with a blank line between them.
func Problems(o *Output, problems []buildspec.Problem) {
	for i, p := range problems {
		if i > 0 {
			o.Lines("")
		}
		o.Lines(plainText(p.String()))
	}
}

// VerdictsJSON writes the verdicts as one object, the same for one file and for many.
func VerdictsJSON(w io.Writer, verdicts []tree.Verdict) error {
	valid := true
	for _, v := range verdicts {
		valid = valid && v.Valid
	}
	return JSON(w, struct {
		Valid bool           `json:"valid"`
		Files []tree.Verdict `json:"files"`
	}{valid, verdicts})
}
