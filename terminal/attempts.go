package terminal

import (
	"strconv"

	"github.com/runner-ci/runner/client"
)

// manyAttempts is how many attempts are listed one by one.
const manyAttempts = 60

// attemptTable lists the attempts at jobs that had more than one, with what each came to: the log of each can be read.
func attemptTable(o *Output, b client.Build) []string {
	t := Table{Head: []string{"attempts", "", "status", ""}, Right: map[int]bool{1: true}}
	rows := 0
	for _, job := range b.Jobs {
		for _, a := range job.Attempts {
			if rows++; rows <= manyAttempts {
				t.Row(oneLine(job.Name), strconv.Itoa(a.Number), a.Status+reason(a.Reason), firstLine(a.Message))
			}
		}
	}
	if rows == 0 {
		return nil
	}
	lines := t.lines(o)
	if rows > manyAttempts {
		lines = append(lines, "… and "+Number(rows-manyAttempts)+" more")
	}
	return lines
}
