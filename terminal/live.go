package terminal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

// liveView is the view for terminals: one row a job, redrawn in place. A single job's log scrolls above it; of
// several jobs the end of each failed one's does.
type liveView struct {
	screen screen
	began  time.Time
	build  client.Build
	at     time.Time // when build arrived, so that time can pass without asking the daemon
	header bool
	jobs   map[string]*jobView
}

// jobView is what the live view remembers of one job.
type jobView struct {
	buffer  lineBuffer
	tail    tail
	drained bool
	told    bool // its failure was shown
}

func (v *liveView) update(b client.Build) {
	v.build, v.at = b, time.Now()
	if !v.header && len(b.Jobs) > 0 {
		v.header = true
		v.screen.print(v.screen.o.fit(Header(b)) + "\n")
	}
	for _, job := range b.Jobs {
		v.tellFailure(job)
	}
	if lines := v.screen.o.firstFailing(b); len(lines) > 0 {
		v.tellFailing(lines)
	}
	v.tick()
}

// tellFailing shows the first failed test while the build goes on.
func (v *liveView) tellFailing(lines []string) {
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(v.screen.o.fit(line) + "\n")
	}
	v.screen.print(text.String())
}

func (v *liveView) job(id string) *jobView {
	if v.jobs == nil {
		v.jobs = map[string]*jobView{}
	}
	if v.jobs[id] == nil {
		v.jobs[id] = &jobView{}
	}
	return v.jobs[id]
}

func (v *liveView) several() bool { return len(v.build.Jobs) > 1 }

func (v *liveView) log(job client.Job, text []byte) {
	j := v.job(job.ID)
	var above strings.Builder
	j.buffer.add(text, func(line []byte) { v.line(j, line, &above) })
	if above.Len() > 0 {
		v.screen.print(above.String())
	}
}

// line keeps a line for the tail, or for the only job, shows it.
func (v *liveView) line(j *jobView, line []byte, above *strings.Builder) {
	text := string(line)
	if cut := strings.TrimRight(text, "\r"); strings.Contains(cut, "\r") {
		text = cut[strings.LastIndex(cut, "\r")+1:] // what a progress bar showed last
	}
	if v.several() {
		if telling(text) {
			j.tail.add(text)
		}
		return
	}
	_, _ = NewFilter(above).Write([]byte(strings.TrimRight(text, "\r")))
	if v.screen.o.color {
		above.WriteString("\x1b[0m") // a colour left on must not reach our own lines
	}
	above.WriteString("\n")
}

// telling is true of lines that explain a failure: what commands wrote, and of the agent's own account of phases
// only what went wrong.
func telling(line string) bool {
	return !strings.HasPrefix(line, "[Container] ") || strings.Contains(line, "did not exit successfully") || strings.Contains(line, "FAULT")
}

func (v *liveView) drained(job client.Job) {
	j := v.job(job.ID)
	var above strings.Builder
	j.buffer.flush(func(line []byte) { v.line(j, line, &above) })
	j.drained = true
	v.screen.print(above.String())
	for _, now := range v.build.Jobs {
		if now.ID == job.ID {
			v.tellFailure(now)
		}
	}
}

// tellFailure shows the end of a failed job's log, once, when both are known.
func (v *liveView) tellFailure(job client.Job) {
	j := v.job(job.ID)
	if !v.several() || j.told || !j.drained || job.State != "ended" || job.Status == succeeded || len(j.tail.lines) == 0 {
		return
	}
	j.told = true
	o := v.screen.o
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", o.sign(job.Status), o.paint(bold, "the end of the log of "+oneLine(job.Name)))
	for _, line := range j.tail.lines {
		b.WriteString(o.fit("  "+strings.ReplaceAll(plainText(line), "\t", "    ")) + "\n")
	}
	v.screen.print(b.String())
}

func (v *liveView) tick() {
	if v.build.ID == "" {
		return
	}
	v.screen.draw(v.rows())
}

// rows is the block: one row a job, or one for a build that has no plan yet.
func (v *liveView) rows() []string {
	o, passed := v.screen.o, time.Since(v.at)
	if v.build.Status != inProgress {
		passed = 0
	}
	t := Table{Right: map[int]bool{2: true}}
	if len(v.build.Jobs) == 0 {
		t.Row(o.sign(v.build.Status)+" "+v.build.ID, v.build.Phase, v.elapsed(v.build.Seconds, passed), oneLine(v.build.Message))
		return t.lines(o)
	}
	jobs := v.build.Jobs
	if most := o.rows(); len(jobs) > most {
		jobs = liveFirst(jobs) // what moves stays in sight
	}
	for _, job := range jobs {
		name := o.sign(signOf(job)) + " " + oneLine(job.Name)
		if !job.Paused.IsZero() {
			t.Row(name, steady("PAUSED"), v.elapsed(job.Seconds, passed), oneLine(job.Why))
			continue
		}
		switch job.State {
		case "ended":
			t.Row(name, steady(job.Status), v.elapsed(job.Seconds, 0), cause(job))
		case "leased":
			t.Row(name, steady(job.Phase), v.elapsed(job.Seconds, passed), o.paint(faint, oneLine(job.Command)))
		default:
			t.Row(name, steady(job.State), "", o.paint(faint, oneLine(job.Why)))
		}
	}
	return t.lines(o)
}

// liveFirst orders jobs for a screen that is too small for all: those that run, then those that failed, then the others.
func liveFirst(jobs []client.Job) []client.Job {
	rank := func(job client.Job) int {
		switch {
		case job.State == "leased":
			return 0
		case tells(job):
			return 1
		case job.State == "queued":
			return 2
		case job.State == "blocked":
			return 3
		}
		return 4
	}
	jobs = slices.Clone(jobs)
	slices.SortStableFunc(jobs, func(a, b client.Job) int { return cmp.Compare(rank(a), rank(b)) })
	return jobs
}

// steady gives phases, statuses and states one width, so that rows do not jump as a build goes on.
func steady(word string) string { return fmt.Sprintf("%-16s", word) }

func (v *liveView) elapsed(seconds float64, passed time.Duration) string {
	return Duration(time.Duration(seconds*float64(time.Second)) + passed)
}

// signOf is the status that a job's shape shows: one that has not begun has none.
func signOf(job client.Job) string {
	if job.State == "blocked" || job.State == "queued" {
		return ""
	}
	return job.Status
}

func (v *liveView) end() { v.screen.clear() }
