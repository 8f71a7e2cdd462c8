package terminal

import (
	"cmp"
	"slices"
	"strings"

	"github.com/runner-ci/runner/client"
)

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
		case job.Proof != nil:
			note = "taken from " + oneLine(job.TakenFrom)
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
			if name == "PROVISIONING" && job.Warm {
				cell += " warm"
			}
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
