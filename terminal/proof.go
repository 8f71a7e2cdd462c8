package terminal

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

// proofLines say which jobs of a build were not run because those of an earlier build of the same tree had.
func proofLines(o *Output, b client.Build, now time.Time) (lines []string) {
	var from []client.Proof
	jobs := make(map[client.Proof][]string)
	for _, job := range b.Jobs {
		if p := job.Proof; p != nil {
			key := client.Proof{Build: p.Build, Kind: p.Kind, By: p.By} // their jobs ended at different times
			if len(jobs[key]) == 0 {
				from = append(from, key)
			}
			jobs[key] = append(jobs[key], oneLine(job.Name))
		}
	}
	for _, p := range from {
		names := jobs[p]
		if more := len(names) - manyNames; more > 0 {
			names = append(slices.Clone(names[:manyNames]), fmt.Sprintf("%d more", more))
		}
		lines = append(lines, fmt.Sprintf("%s %s taken from %s, %s %s", o.sign(succeeded), strings.Join(names, ", "), oneLine(p.Build), startedBy(p), Ago(newestOf(b, p), now)))
	}
	return lines
}

// pushLine says of a submitted tree what a push of it will come to; "" where that is not known before.
func pushLine(g *client.PushProof) string {
	if g == nil {
		return ""
	}
	where := ""
	if !g.Trusted {
		where = " to a branch that is not protected"
	}
	return fmt.Sprintf("a push of this tree%s will be green at once, until %s", where, g.Until.Local().Format("2006-01-02 15:04 MST"))
}

// manyNames is how many jobs are named that were taken from one build.
const manyNames = 10

// newestOf is when the last of the results was had that were taken from a build.
func newestOf(b client.Build, of client.Proof) (at time.Time) {
	for _, job := range b.Jobs {
		if p := job.Proof; p != nil && p.Build == of.Build && p.At.After(at) {
			at = p.At
		}
	}
	return at
}

// startedBy says who made the build that a result is of.
func startedBy(p client.Proof) string {
	did := map[string]string{"submit": "submitted", "push": "pushed", "pull_request": "pushed", "tag": "tagged", "retry": "retried"}[p.Kind]
	if did == "" {
		did = "started"
	}
	if p.By == "" {
		return did
	}
	return did + " by " + oneLine(p.By)
}
