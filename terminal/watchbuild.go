package terminal

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/runner-ci/runner/client"
)

// buildPane is one build on the screen: its jobs as bars on one time axis, its failed tests, and the end of a job's log.
type buildPane struct {
	o      *Output
	build  client.Build
	at     time.Time // when build arrived
	job    string    // id of the chosen one; "": the pane chooses what runs
	logOn  bool
	log    logTail
	showed string // the address, once it was asked for
}

// now is the build's time: that of the daemon when its state arrived, and what has passed since, by this machine's clock.
func (p *buildPane) now(local time.Time) time.Time {
	end := p.build.Created.Add(time.Duration(p.build.Seconds * float64(time.Second)))
	if p.build.Status != inProgress {
		return end
	}
	return end.Add(max(0, local.Sub(p.at)))
}

// chosen is the place of the job whose log is shown; -1 where there is none. Until somebody chooses it is the first that
// runs, else the first that failed.
func (p *buildPane) chosen() int {
	jobs := p.build.Jobs
	if i := slices.IndexFunc(jobs, func(j client.Job) bool { return j.ID == p.job }); i >= 0 {
		return i
	}
	if i := slices.IndexFunc(jobs, func(j client.Job) bool { return j.State == "leased" }); i >= 0 {
		return i
	}
	if i := slices.IndexFunc(jobs, tells); i >= 0 {
		return i
	}
	return min(0, len(jobs)-1)
}

// choose moves the choice.
func (p *buildPane) choose(by int) {
	if len(p.build.Jobs) > 0 {
		p.job = p.build.Jobs[min(max(p.chosen()+by, 0), len(p.build.Jobs)-1)].ID
	}
}

// followed is the job whose log the pane wants to have; "" is none.
func (p *buildPane) followed() string {
	i := p.chosen()
	if !p.logOn || i < 0 || p.build.Jobs[i].Attempt == 0 || p.build.Jobs[i].TakenFrom != "" {
		return ""
	}
	return p.build.Jobs[i].ID
}

// lines are the pane, no more than height of them, the last one what keys there are.
func (p *buildPane) lines(width, height int, local time.Time, keys string) []string {
	b, now := p.build, p.now(local)
	lines := []string{p.o.sign(b.Status) + " " + p.o.paint(bold, Header(b)), p.state(now)}
	if p.showed != "" {
		lines = append(lines, p.showed)
	}
	lines = append(lines, "")
	room := max(height-len(lines)-2, 1) // axis and keys
	failing := p.failing(max(0, min(room/3, 6)))
	rows := min(len(b.Jobs)+1, max(3, room-len(failing)))
	if p.logOn {
		rows = min(rows, max(3, (room-len(failing))/2))
	}
	lines = append(lines, p.rows(width, rows, now)...)
	lines = append(lines, failing...)
	if left := height - 1 - len(lines); p.logOn && left > 1 {
		lines = append(lines, p.logLines(left)...)
	}
	if room := width - ansi.StringWidth(keys) - 3; room >= ansi.StringWidth(legend) {
		keys += "   " + legend
	}
	return filled(lines, height, p.o.paint(faint, keys))
}

// filled makes lines as many as a screen has, with the keys in the last one, so that they stay where they are.
func filled(lines []string, height int, keys string) []string {
	if len(lines) > height-1 {
		lines = lines[:max(height-1, 0)]
	}
	for len(lines) < height-1 {
		lines = append(lines, "")
	}
	return append(lines, keys)
}

// state is the build's second line.
func (p *buildPane) state(now time.Time) string {
	b := p.build
	word := b.Status
	if b.Status == inProgress {
		word = b.Phase
	}
	parts := []string{word + " " + Duration(now.Sub(b.Created))}
	if t := b.Tests; t != nil {
		if t.Failing && b.Status == inProgress {
			parts = append(parts, p.o.paint(red, "tests are failing"))
		}
		if t.Summary != "" {
			parts = append(parts, oneLine(t.Summary))
		}
	}
	if b.Message != "" && b.Status != succeeded {
		parts = append(parts, oneLine(b.Message))
	}
	return strings.Join(parts, " · ")
}

// nameCells is what the names of jobs have of a row.
const nameCells = 22

// sideCells is what stands beside the bars: what a job does.
func sideCells(width int) int { return min(max(width/3, 24), 60) }

// rows are the jobs as bars, as many as there is room for around the chosen one, and the axis.
func (p *buildPane) rows(width, most int, now time.Time) []string {
	x := axis{from: p.build.Created, to: now, cells: max(width-nameCells-sideCells(width)-4, 10)}
	if x.to.Sub(x.from) < time.Second {
		x.to = x.from.Add(time.Second)
	}
	all := []string{p.row("  ", p.o.sign(sourceStatus(p.build))+" source", x.bar(sourceStretches(p.build, now)), "", "")}
	chosen := p.chosen()
	for i, job := range p.build.Jobs {
		cursor := "  "
		if i == chosen {
			cursor = "> "
		}
		_, color := mark(signOf(job))
		side := p.side(job, now)
		all = append(all, p.row(cursor, p.o.sign(signOf(job))+" "+oneLine(job.Name), x.bar(stretchesOf(job, now)), color, side))
	}
	first := 0
	if len(all) > most {
		first = min(max(chosen+1-most/2, 0), len(all)-most)
		all = all[first : first+most]
	}
	return append(all, p.o.paint(faint, strings.Repeat(" ", nameCells+1)+x.scale()))
}

func (p *buildPane) row(cursor, name, bar, color, side string) string {
	name = ansi.Truncate(name, nameCells-3, "…")
	pad := strings.Repeat(" ", max(0, nameCells-2-ansi.StringWidth(name)))
	return cursor + name + pad + " " + p.o.paint(color, bar) + "  " + side
}

// side is what a job does, at the end of its row.
func (p *buildPane) side(job client.Job, now time.Time) string {
	switch {
	case !job.Paused.IsZero():
		return "PAUSED  " + oneLine(job.Why)
	case job.TakenFrom != "":
		return "taken from " + oneLine(job.TakenFrom)
	case job.State == "ended" && job.Status == succeeded:
		return Seconds(job.Seconds)
	case job.State == "ended":
		return strings.TrimSpace(Seconds(job.Seconds) + "  " + cause(job))
	case job.State == "leased":
		return Duration(now.Sub(job.Started)) + "  " + job.Phase + "  " + p.o.paint(faint, oneLine(job.Command))
	}
	return p.o.paint(faint, oneLine(job.Why))
}

// sourceStatus is how the fetching and planning of a build went.
func sourceStatus(b client.Build) string {
	for _, ph := range b.Phases {
		if ph.Name == "DOWNLOAD_SOURCE" {
			return ph.Status
		}
	}
	return ""
}

func sourceStretches(b client.Build, now time.Time) (out []stretch) {
	for _, ph := range phasesBegun(b.Phases) {
		if ph.Name == "QUEUED" {
			continue // its jobs show that they wait
		}
		end := ph.Started.Add(time.Duration(ph.Seconds * float64(time.Second)))
		if ph.Status == inProgress {
			end = now
		}
		out = append(out, stretch{ph.Started, end, shadeOf(ph.Name)})
	}
	return out
}

// failing are the first failed tests, each with its message.
func (p *buildPane) failing(most int) (lines []string) {
	if p.build.Tests == nil {
		return nil
	}
	for i := range p.build.Tests.Failures {
		f := &p.build.Tests.Failures[i]
		c := client.TestCase{ID: f.ID, Name: f.Name, File: f.File, Line: f.Line, Message: f.Message, Build: f.Build}
		lines = append(lines, failure(p.o, &c)...)
	}
	if len(lines) > most {
		lines = lines[:most]
	}
	return lines
}

// logLines are the end of the chosen job's log below a line that names it.
func (p *buildPane) logLines(room int) []string {
	i := p.chosen()
	if i < 0 {
		return nil
	}
	job := p.build.Jobs[i]
	head := p.o.paint(faint, "── log of "+oneLine(job.Name)+" ──")
	switch {
	case job.TakenFrom != "":
		return []string{head, "runner logs " + fmt.Sprintf("%s %s", oneLine(job.TakenFrom), job.ID)}
	case job.Attempt == 0 && job.State == "ended":
		return []string{head, "none: it did not begin"}
	case job.Attempt == 0:
		return []string{head, "none yet: it waits"}
	}
	return append([]string{head}, p.log.last(room-1, p.o.color)...)
}
