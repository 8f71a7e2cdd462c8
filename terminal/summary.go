package terminal

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	for _, lines := range [][]string{causes(o, b), jobTable(o, b), phaseTable(o, b), exportedTable(o, b), reportTable(o, b), artifactTable(o, sets)} {
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
	return lines
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

// jobTable lists the jobs of a build that has several.
func jobTable(o *Output, b client.Build) []string {
	if len(b.Jobs) < 2 {
		return nil
	}
	t := Table{Head: []string{"jobs", "status", "time", ""}, Right: map[int]bool{2: true}}
	jobs, left := tableJobs(b.Jobs)
	for _, job := range jobs {
		status, note := job.Status, ""
		switch {
		case !job.Paused.IsZero():
			status, note = "PAUSED", oneLine(job.Why)
		case job.State == "leased":
			status, note = job.Phase, oneLine(job.Command)
		case job.State != "ended":
			status, note = job.State, oneLine(job.Why)
		case job.TakenFrom != "":
			note = "taken over from " + oneLine(job.TakenFrom)
		case job.Attempt > 1:
			note = Count(job.Attempt, "attempt", "attempts")
		}
		if job.Ignored && job.State == "ended" && job.Status != succeeded {
			note = strings.TrimPrefix(note+", its failure is ignored", ", ")
		}
		t.Row(o.sign(signOf(job))+" "+oneLine(job.Name), status, Seconds(job.Seconds), note)
	}
	lines := t.lines(o)
	if left != "" {
		lines = append(lines, left)
	}
	return lines
}

// manyJobs is how many jobs are listed one by one. Of more, the first that say something are, and the others are counted.
const manyJobs = 60

// tableJobs chooses the jobs that are listed, in the plan's order: those that failed, run or wait for a person before
// those that succeeded or have not begun. The line counts the others by what became of them.
func tableJobs(jobs []client.Job) (some []client.Job, left string) {
	if len(jobs) <= manyJobs {
		return jobs, ""
	}
	telling := 0
	for _, job := range jobs {
		if tells(job) {
			telling++
		}
	}
	quiet := max(0, manyJobs-telling)
	counts, words := map[string]int{}, []string{}
	for _, job := range jobs {
		if tells(job) && len(some) < manyJobs {
			some = append(some, job)
			continue
		}
		if !tells(job) && quiet > 0 {
			quiet--
			some = append(some, job)
			continue
		}
		word := job.State
		if word == "ended" {
			word = job.Status
		}
		if counts[word] == 0 {
			words = append(words, word)
		}
		counts[word]++
	}
	for i, word := range words {
		words[i] = Number(counts[word]) + " " + word
	}
	return some, "… and " + strings.Join(words, ", ")
}

// tells is true of jobs that somebody looks for in a long list.
func tells(job client.Job) bool {
	return job.State == "leased" || (job.State == "ended" && job.Status != succeeded && !consequence(job))
}

// wideJobs is how many jobs' phases stand side by side; of more, only the slowest of each phase is shown.
const wideJobs = 6

// phaseTable lists the phases with their durations: those of the build as a whole, then those of its jobs side by
// side.
func phaseTable(o *Output, b client.Build) []string {
	head, right := []string{"phases"}, map[int]bool{}
	wide := len(b.Jobs) <= wideJobs
	for i, job := range b.Jobs {
		if wide {
			head, right[i+1] = append(head, columnName(b, job)), true
		}
	}
	if !wide {
		head, right[1] = append(head, "slowest", ""), true
	}
	t := Table{Head: head, Right: right}
	for _, p := range b.Phases {
		t.Row(o.phaseName(p), Seconds(p.Seconds))
	}
	for _, name := range phaseNames(b.Jobs) {
		if name == "COMPLETED" {
			continue // a moment, not a stretch of time
		}
		if wide {
			t.Row(o.phaseRow(name, b.Jobs)...)
		} else {
			t.Row(o.slowestRow(name, b.Jobs)...)
		}
	}
	if t.Len() == 0 {
		return nil
	}
	if len(b.Jobs) < 2 {
		t.Head, t.Right = []string{"phases", ""}, map[int]bool{1: true}
	}
	return t.lines(o)
}

func columnName(b client.Build, job client.Job) string {
	if len(b.Jobs) == 1 {
		return ""
	}
	return oneLine(job.Name)
}

func (o *Output) phaseName(p client.Phase) string { return o.sign(p.Status) + " " + p.Name }

// phaseNames lists the jobs' phases in the order in which they come.
func phaseNames(jobs []client.Job) []string {
	var names []string
	for _, job := range jobs {
		for _, p := range job.Phases {
			if !slices.Contains(names, p.Name) {
				names = append(names, p.Name)
			}
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(phaseOrder(a), phaseOrder(b)) })
	return names
}

var phases = []string{
	"SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE", "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD",
	"UPLOAD_ARTIFACTS", "FINALIZING", "COMPLETED",
}

func phaseOrder(name string) int {
	if i := slices.Index(phases, name); i >= 0 {
		return i
	}
	return len(phases)
}

// phaseRow is one phase of all jobs: its shape is that of the worst.
func (o *Output) phaseRow(name string, jobs []client.Job) []string {
	row, status := []string{""}, succeeded
	for _, job := range jobs {
		cell := ""
		for _, p := range job.Phases {
			if p.Name != name {
				continue
			}
			cell = Seconds(p.Seconds)
			if p.Status != succeeded {
				status = p.Status
				cell = o.paint(second(mark(p.Status)), cell)
			}
		}
		row = append(row, cell)
	}
	row[0] = o.sign(status) + " " + name
	return row
}

func second(_, color string) string { return color }

func (o *Output) slowestRow(name string, jobs []client.Job) []string {
	var slowest client.Phase
	who, status := "", succeeded
	for _, job := range jobs {
		for _, p := range job.Phases {
			if p.Name == name && (who == "" || p.Seconds > slowest.Seconds) {
				slowest, who = p, oneLine(job.Name)
			}
			if p.Name == name && p.Status != succeeded {
				status = p.Status
			}
		}
	}
	return []string{o.sign(status) + " " + name, Seconds(slowest.Seconds), who}
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
