package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

const (
	// mostLanes is how many jobs have a lane of their own in a timeline; of more, those are shown that matter.
	mostLanes = 40
	// mostBars bounds the commands that have a bar of their own, of all jobs together. Each job has its share, and of that at least fewBars;
	// the commands that took longest have them.
	mostBars = 200
	fewBars  = 6
)

// timeline is what a build did when, on one axis.
type timeline struct {
	Lanes []jobRow
	Ticks []axisTick
	From  time.Time // where the axis begins
	Span  float64   // how many seconds it is long
	More  string    // what has no lane
	Crit  bool      // a critical path is marked
}

// jobRow is the lane of one job, or the build before there were any.
type jobRow struct {
	Name, Status, Note string
	Job                string // id; "" of the build itself
	Bars               []span
	Label              string // all that the bars show, in words
	Took               string
	Since              time.Time // of a job that runs: when it began
	Critical           bool
}

// span is one bar. X and Width are hundredths of the axis.
type span struct {
	X, Width   string
	Class      string
	Title      string
	Thin       bool // a phase, within which its commands are
	Grows      bool // it goes on
	From       time.Time
	Seconds    float64
	Phase, Cmd string
	Word       string
}

// axisTick is a time on the axis.
type axisTick struct{ X, Text, Anchor string }

// timelineOf lays out the lanes of a build as of now, with about as many commands as most. likely is how many seconds it will probably
// take, 0 where nobody knows.
func timelineOf(b client.Build, likely float64, now time.Time, most int) timeline {
	t := timeline{From: b.Created, Span: max(b.Seconds, 0.1)}
	if b.Ended.IsZero() {
		// The axis of a build that runs ends beyond now, and moves on in steps: bars grow, and nothing jumps.
		t.Span = roundUp(max(t.Span*1.1, likely, 10))
	}
	t.Ticks = axisTicks(t.Span)
	t.addSource(b, now)
	crit := criticalPath(b.Jobs)
	t.Crit = len(crit) > 0 && len(b.Jobs) > 1 && !b.Ended.IsZero() // before, nobody knows what the end will wait for
	shown := lanesOf(b.Jobs, crit)
	if left := len(b.Jobs) - len(shown); left > 0 {
		t.More = fmt.Sprintf("%s of %s have no lane here: they took less long, or wait", number(left), plural(len(b.Jobs), "job"))
	}
	for _, j := range shown {
		commands := longest(j.Commands, max(fewBars, most/len(shown)))
		t.Lanes = append(t.Lanes, t.jobLane(j, commands, t.Crit && crit[j.ID], b, now))
	}
	return t
}

// longest is the commands that took longest, and those that failed or run, in their order.
func longest(commands []client.Command, n int) []client.Command {
	if len(commands) <= n {
		return commands
	}
	weight := func(c client.Command) float64 {
		if c.Exit != 0 || c.Ended.IsZero() {
			return c.Seconds + 1e9
		}
		return c.Seconds
	}
	ranked := slices.Clone(commands)
	slices.SortStableFunc(ranked, func(a, b client.Command) int { return cmp.Compare(weight(b), weight(a)) })
	ranked = ranked[:n]
	slices.SortStableFunc(ranked, func(a, b client.Command) int { return a.Started.Compare(b.Started) })
	return ranked
}

// addSource adds the lane of what is done before there are jobs.
func (t *timeline) addSource(b client.Build, now time.Time) {
	l := jobRow{Name: "source", Status: "SUCCEEDED"}
	total := 0.0
	for _, p := range b.Phases {
		if p.Started.IsZero() || p.Name == "BUILD" || p.Name == "COMPLETED" || p.Name == "FINALIZING" {
			continue
		}
		s := t.span(p.Started, p.Seconds, class(p.Status))
		if p.Name == "QUEUED" || p.Name == "SUBMITTED" {
			s.Class = "wait"
		}
		s.Grows = p.Status == "IN_PROGRESS" && b.Ended.IsZero()
		l.add(s, p.Name, "", p.Status)
		if l.Status = p.Status; s.Class != "wait" {
			total += p.Seconds
		}
	}
	if len(l.Bars) > 0 {
		l.Took = took(total)
		t.Lanes = append(t.Lanes, l)
	}
}

func (t *timeline) jobLane(j *client.Job, commands []client.Command, critical bool, b client.Build, now time.Time) jobRow {
	l := jobRow{Name: j.Name, Status: shape(j), Job: j.ID, Critical: critical}
	switch {
	case j.TakenFrom != "":
		l.Note = "taken from " + j.TakenFrom
	case j.Attempt > 1:
		l.Note = fmt.Sprintf("attempt %d", j.Attempt)
	case j.Warm:
		l.Note = "warm"
	}
	if j.TakenFrom != "" {
		l.Label = l.Note
		return l
	}
	from, until := j.Queued, j.Started
	if from.IsZero() {
		from = b.Started
	}
	waits := until.IsZero()
	if waits {
		until = cmp.Or(j.Ended, b.Ended, now)
	}
	if !from.IsZero() && until.After(from) {
		s := t.span(from, until.Sub(from).Seconds(), "wait")
		s.Grows = waits && j.Ended.IsZero() && b.Ended.IsZero()
		l.add(s, "waited", j.Why, "")
	}
	for _, p := range j.Phases {
		if p.Started.IsZero() || p.Name == "SUBMITTED" || p.Name == "QUEUED" || p.Name == "COMPLETED" {
			continue
		}
		s := t.span(p.Started, p.Seconds, class(p.Status))
		s.Grows = p.Status == "IN_PROGRESS" && j.Ended.IsZero()
		s.Thin = slices.ContainsFunc(commands, func(c client.Command) bool { return c.Phase == p.Name })
		l.add(s, p.Name, "", p.Status)
	}
	for _, c := range commands {
		s := t.span(c.Started, c.Seconds, "ok")
		status := "SUCCEEDED"
		switch runs := c.Ended.IsZero() && j.Ended.IsZero(); {
		case runs:
			s.Class, s.Grows, status = "run", true, "IN_PROGRESS"
		case c.Exit != 0 || c.Ended.IsZero():
			s.Class, status = "no", "FAILED"
		}
		l.add(s, c.Phase, firstLine(c.Text), status)
	}
	switch {
	case j.Started.IsZero():
		if l.Took = word(shape(j)); j.Reason == "dependency_failed" {
			l.Took, l.Note = "", "not started"
		}
	case j.Ended.IsZero():
		l.Since, l.Took = j.Started, took(j.Seconds)
	default:
		l.Took = took(j.Seconds)
	}
	return l
}

// add adds a bar with its words.
func (l *jobRow) add(s span, phase, command, status string) {
	s.Phase, s.Cmd, s.Word = phase, command, status
	s.Title = strings.TrimSuffix(phase+": "+clip(command, 120), ": ") + ", " + took(s.Seconds)
	if status != "" && status != "SUCCEEDED" {
		s.Title += ", " + word(status)
	}
	l.Bars = append(l.Bars, s)
	if !s.Thin && len(l.Label) < 500 {
		l.Label = strings.TrimPrefix(l.Label+"; "+s.Title, "; ")
	}
}

// span places a bar on the axis.
func (t *timeline) span(from time.Time, seconds float64, class string) span {
	x := min(max(from.Sub(t.From).Seconds()/t.Span, 0), 1)
	width := min(max(seconds/t.Span, 0.002), 1-x)
	return span{X: hundredths(x), Width: hundredths(max(width, 0.001)), Class: class, From: from, Seconds: seconds}
}

func hundredths(part float64) string { return fmt.Sprintf("%.2f%%", 100*part) }

// steps are the lengths of time that people divide an axis by, in seconds.
var steps = []float64{0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400}

// step is the shortest of them that divides an axis into at most four parts.
func step(span float64) float64 {
	for _, s := range steps {
		if span/s <= 4 {
			return s
		}
	}
	return span / 4
}

// roundUp is the end of an axis: a whole number of steps.
func roundUp(span float64) float64 {
	s := step(span)
	return s * float64(int(span/s)+1)
}

func axisTicks(span float64) (out []axisTick) {
	s := step(span)
	for at := 0.0; at <= span*1.001; at += s {
		anchor := "middle"
		if at == 0 {
			anchor = "start"
		} else if at > span*0.95 {
			anchor = "end"
		}
		out = append(out, axisTick{hundredths(min(at/span, 1)), axisText(at), anchor})
	}
	return out
}

// axisText is a time on an axis: 0, 30s, 1m30.
func axisText(s float64) string {
	switch {
	case s == 0:
		return "0"
	case s < 10 && s != float64(int(s)):
		return fmt.Sprintf("%.1fs", s)
	case s < 60:
		return fmt.Sprintf("%.0fs", s)
	case s < 3600 && int(s)%60 == 0:
		return fmt.Sprintf("%dm", int(s)/60)
	case s < 3600:
		return fmt.Sprintf("%dm%02d", int(s)/60, int(s)%60)
	case int(s)%3600 == 0:
		return fmt.Sprintf("%dh", int(s)/3600)
	}
	return fmt.Sprintf("%dh%02d", int(s)/3600, int(s)/60%60)
}

// lanesOf chooses the jobs that have a lane, in their order: of many, those that failed or run, those of the critical path, and then
// those that took longest.
func lanesOf(jobs []client.Job, crit map[string]bool) (out []*client.Job) {
	for i := range jobs {
		out = append(out, &jobs[i])
	}
	if len(out) <= mostLanes {
		return out
	}
	weight := func(j *client.Job) float64 {
		switch {
		case bad(j):
			return 3e9
		case crit[j.ID]:
			return 2e9
		case j.State == "leased":
			return 1e9
		}
		return j.Seconds
	}
	ranked := slices.Clone(out)
	slices.SortStableFunc(ranked, func(a, b *client.Job) int { return cmp.Compare(weight(b), weight(a)) })
	kept := map[string]bool{}
	for _, j := range ranked[:mostLanes] {
		kept[j.ID] = true
	}
	return slices.DeleteFunc(out, func(j *client.Job) bool { return !kept[j.ID] })
}

// criticalPath is the jobs that a build's end waited for: the last to end, and before each the last that it depended on.
func criticalPath(jobs []client.Job) map[string]bool {
	byID := map[string]*client.Job{}
	var last *client.Job
	later := func(a, b *client.Job) bool {
		return b == nil || b.Ended.IsZero() == a.Ended.IsZero() && a.Ended.After(b.Ended) || a.Ended.IsZero() && !b.Ended.IsZero()
	}
	for i := range jobs {
		j := &jobs[i]
		if byID[j.ID] = j; !j.Started.IsZero() && later(j, last) {
			last = j
		}
	}
	path := map[string]bool{}
	for last != nil && !path[last.ID] {
		path[last.ID] = true
		var before *client.Job
		for _, id := range last.DependsOn {
			if d := byID[id]; d != nil && !d.Started.IsZero() && later(d, before) {
				before = d
			}
		}
		last = before
	}
	return path
}

// Warm tells whether some lane is of a job whose container was made ahead.
func (t timeline) Warm() bool {
	return slices.ContainsFunc(t.Lanes, func(l jobRow) bool { return l.Note == "warm" })
}

// Waits tells whether some lane shows that its job waited.
func (t timeline) Waits() bool {
	return slices.ContainsFunc(t.Lanes, func(l jobRow) bool {
		return slices.ContainsFunc(l.Bars, func(s span) bool { return s.Class == "wait" })
	})
}
