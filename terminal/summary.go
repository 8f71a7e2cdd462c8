package terminal

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

// Header is the line that introduces a build: its id, what it builds, and of how many jobs it is.
func Header(b client.Build) string {
	parts := []string{}
	ref := shortRef(b.Ref)
	if ref == submitted {
		ref = "" // its title says more
	}
	for _, part := range []string{oneLine(b.Title), ref, short(b.Commit)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(b.Jobs) > 1 {
		parts = append(parts, Count(len(b.Jobs), "job", "jobs"))
	}
	return strings.TrimRight(fmt.Sprintf("%-8s  %s", b.ID, strings.Join(parts, " · ")), " ")
}

// Origin says where a build comes from: what started it, who, when, and whether it is trusted.
func Origin(b client.Build) string {
	kind := strings.ReplaceAll(b.Kind, "_", " ")
	if b.RetryOf != "" {
		kind += " of " + oneLine(b.RetryOf)
	}
	parts := []string{kind}
	if b.Author != "" {
		parts = append(parts, "by "+oneLine(b.Author))
	}
	parts = append(parts, b.Created.Local().Format("2006-01-02 15:04:05 MST"))
	if b.Fork {
		return strings.Join(append(parts, "from a fork, not trusted"), " · ")
	}
	if b.Trusted {
		return strings.Join(append(parts, "trusted"), " · ")
	}
	return strings.Join(append(parts, "not trusted"), " · ")
}

// Verdict is the last line of a build: "api#1 SUCCEEDED in 12.3 s".
func Verdict(b client.Build) string {
	if b.Status == inProgress {
		return fmt.Sprintf("%s %s for %s", b.ID, b.Status, Seconds(b.Seconds))
	}
	return fmt.Sprintf("%s %s in %s", b.ID, b.Status, Seconds(b.Seconds))
}

// Summary writes what a build came to: what went wrong first, then jobs, phases, exported variables, reports and
// artifacts with their durations and sizes. It writes neither the verdict nor Next.
func Summary(o *Output, b client.Build, sets []client.ArtifactSet) {
	for _, lines := range [][]string{causes(o, b), proofLines(o, b, time.Now()), jobTable(o, b), attemptTable(o, b), phaseTable(o, b), exportedTable(o, b), imageTable(o, b), reportTable(o, b), artifactTable(o, sets)} {
		if len(lines) > 0 {
			o.Lines(append(lines, "")...)
		}
	}
}

// causes explains everything that did not succeed, the build's own message first.
func causes(o *Output, b client.Build) []string {
	var lines []string
	switch message := strings.TrimSpace(plainText(b.Message)); {
	case message == "" || b.Status == succeeded:
	case strings.Contains(message, "\n"): // problems of the buildspec, with excerpts whose columns must stay
		lines = append(lines, message)
	default:
		lines = append(lines, o.sign(b.Status)+" "+message+reason(b.Reason))
	}
	if len(b.Jobs) == 1 && b.Status == inProgress && b.Jobs[0].Why != "" {
		lines = append(lines, waits(b.Jobs[0])+oneLine(b.Jobs[0].Why))
	}
	told := 0
	for _, job := range b.Jobs {
		if consequence(job) {
			continue // another job is the cause
		}
		if job.State != "ended" || job.Status == succeeded || (len(b.Jobs) == 1 && b.Message != "") {
			continue // of an only job, the build's message says it all
		}
		if told++; told > manyCauses {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s %s  %s", o.sign(job.Status), o.paint(bold, oneLine(job.Name)), cause(job)))
		if job.Command != "" {
			lines = append(lines, "  command   "+indent(job.Command))
		}
		if job.Message != "" && !strings.Contains(b.Message, job.Message) {
			lines = append(lines, "  "+indent(job.Message))
		}
	}
	if told > manyCauses {
		lines = append(lines, fmt.Sprintf("… and %s more that did not succeed", Number(told-manyCauses)))
	}
	for _, w := range b.Warnings {
		lines = append(lines, warning(w))
	}
	if b.Note != "" {
		lines = append(lines, "note: "+b.Note)
	}
	return append(lines, enteredLines(b)...)
}

// manyCauses is how many jobs are told of one by one as causes.
const manyCauses = 20

// consequence is true of jobs that ended because of another one.
func consequence(job client.Job) bool {
	return job.Reason == "dependency_failed" || job.Reason == "fast_fail"
}

// waits introduces what a job waits for; of one at a breakpoint the reason says it all.
func waits(job client.Job) string {
	if !job.Paused.IsZero() {
		return ""
	}
	return "waits: "
}

// warning is one of the buildspec's, which name their place and themselves, or another.
func warning(text string) string {
	text = strings.TrimSpace(plainText(text))
	if !strings.Contains(text, "warning: ") {
		return "warning: " + text
	}
	return text
}

// cause is a failed job in a few words: phase, exit status, reason.
func cause(job client.Job) string {
	if job.Status == succeeded {
		return ""
	}
	words := []string{job.Status}
	if phase := decided(job); phase != "" {
		words = append(words, "in "+phase)
	}
	if job.Exit != 0 {
		words = append(words, "with exit status "+strconv.Itoa(job.Exit))
	}
	return strings.Join(words, " ") + reason(job.Reason)
}

// decided is the phase that made a job fail, or in which it was ended.
func decided(job client.Job) string {
	for _, p := range job.Phases {
		if p.Status != succeeded && p.Name != "COMPLETED" {
			return p.Name
		}
	}
	if job.Phase == "COMPLETED" {
		return ""
	}
	return job.Phase
}

// jobVerdict is the plain view's line for a job that ended.
func jobVerdict(o *Output, job client.Job) string {
	if job.Status == succeeded {
		return fmt.Sprintf("%s %s in %s", o.sign(job.Status), job.Status, Seconds(job.Seconds))
	}
	return fmt.Sprintf("%s %s after %s", o.sign(job.Status), cause(job), Seconds(job.Seconds))
}

func reason(word string) string {
	if word == "" {
		return ""
	}
	return " (" + oneLine(strings.ReplaceAll(word, "_", " ")) + ")"
}

// indent makes a message of several lines hang below its first.
func indent(message string) string {
	return strings.ReplaceAll(strings.TrimSpace(plainText(message)), "\n", "\n            ")
}

// short cuts a commit's id to what people compare.
func short(commit string) string {
	if len(commit) > 7 {
		return commit[:7]
	}
	return commit
}

// submitted stands for the ref of a working tree that was sent.
const submitted = "working tree"

// shortRef is a ref as people write it. A submitted tree's own ref means nothing to them.
func shortRef(ref string) string {
	if strings.HasPrefix(ref, "refs/runner/") {
		return submitted
	}
	return oneLine(strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/tags/"))
}
