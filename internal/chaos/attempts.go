package main

import (
	"fmt"
	"strings"

	"github.com/runner-ci/runner/client"
)

// faults are the attempts of a job before its last that ended by the machine's fault, after which it was tried again.
func faults(job client.Job) (all []client.Attempt) {
	for _, a := range job.Attempts {
		if a.Status == "FAULT" && a.Number < job.Attempt {
			all = append(all, a)
		}
	}
	return all
}

// tried judges the attempts of a job: each fault is one that what was done can make, and there are as many others as were
// known.
func (j *judge) tried(r *request, job client.Job, excuse excuse) (ok bool) {
	before := faults(job)
	for _, a := range before {
		if a.Reason == "" || a.Message == "" {
			j.violation(lost, "attempt %d of %s %s ended FAULT without saying why (%q: %q)", a.Number, r.build, job.Name, a.Reason, a.Message)
		}
		if !excuse.covers(a.Reason) && !j.stray() {
			j.violation(lost, "attempt %d of %s %s ended FAULT (%s: %s), and was tried again; what was done to it: %s", a.Number, r.build, job.Name, a.Reason, a.Message, excuse)
		}
	}
	if len(before) > 0 {
		j.again(len(before))
		j.w.say("again", "%s %s: %s in attempt %d of %d; %s", r.build, job.Name, before[0].Reason, before[0].Number, job.Attempt, excuse)
	}
	want := r.kind.attempts + len(before)
	if job.Exit == r.kind.exit && job.Status == r.kind.status && job.Attempt == want {
		return true
	}
	if !excuse.disk() {
		j.violation(lost, "%s %s ended %s with exit status %d in attempt %d (%s: %s), want %s with %d in attempt %d", r.build, job.Name, job.Status, job.Exit, job.Attempt, job.Reason, job.Message, r.kind.status, r.kind.exit, want)
	}
	return false
}

// preface is the line with which the log of an attempt begins that follows a fault; "" for any other.
func preface(job client.Job) string {
	before := faults(job)
	if len(before) == 0 || before[len(before)-1].Number != job.Attempt-1 {
		return ""
	}
	last := before[len(before)-1]
	first, _, _ := strings.Cut(last.Message, "\n")
	return fmt.Sprintf("Attempt %d: attempt %d ended by the machine's fault (%s): %s\n", job.Attempt, last.Number, last.Reason, first)
}
