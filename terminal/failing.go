package terminal

import (
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

// FailingSince writes with which build a failure began, and which one passed before it; nothing of a build that has no
// predecessors.
func FailingSince(o *Output, f client.Failing, now time.Time) {
	if f.Passed == nil && f.Streak < 2 {
		return
	}
	first := []string{"since     " + f.First.ID}
	for _, part := range []string{short(f.First.Commit), oneLine(f.First.Title)} {
		if part != "" {
			first = append(first, part)
		}
	}
	if f.First.Author != "" {
		first = append(first, "by "+oneLine(f.First.Author))
	}
	if f.Streak > 1 {
		first = append(first, Number(f.Streak)+" builds in a row")
	}
	passed := "no earlier build here passed"
	if f.Passed != nil {
		passed = f.Passed.ID + " passed " + Ago(f.Passed.Created, now)
	}
	o.Lines(o.fit(strings.Join(first, " · ")), "          "+passed, "")
}
