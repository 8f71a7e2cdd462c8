package terminal

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/runner-ci/runner/client"
)

// axis is the time that all bars of a build share.
type axis struct {
	from, to time.Time
	cells    int
}

// shades are what bars are made of, in the order of their legend: different shapes, so that no colour is needed.
const (
	shadeWait  = '·'
	shadeStart = '░'
	shadeSetup = '▒'
	shadeWork  = '█'
	shadeAfter = '▓'

	legend = "· waits  ░ sandbox  ▒ install  █ build  ▓ after"
)

func shadeOf(phase string) rune {
	switch phase {
	case "PROVISIONING", "DOWNLOAD_SOURCE":
		return shadeStart
	case "INSTALL", "PRE_BUILD":
		return shadeSetup
	case "BUILD":
		return shadeWork
	case "QUEUED", "SUBMITTED":
		return shadeWait
	}
	return shadeAfter
}

// stretch is a part of a bar.
type stretch struct {
	from, to time.Time
	shade    rune
}

// bar draws stretches on an axis: each cell has the shade of what takes most of it, so that nothing that took time is lost
// where it is alone.
func (x axis) bar(parts []stretch) string {
	whole := x.to.Sub(x.from)
	cells := make([]rune, max(x.cells, 0))
	for i := range cells {
		from := x.from.Add(whole * time.Duration(i) / time.Duration(len(cells)))
		to := x.from.Add(whole * time.Duration(i+1) / time.Duration(len(cells)))
		cells[i] = ' '
		most := time.Duration(0)
		for _, p := range parts {
			if shared := earlier(p.to, to).Sub(later(p.from, from)); shared > most {
				most, cells[i] = shared, p.shade
			}
		}
	}
	return string(cells)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// stretchesOf are what a job did, and what it waited before. One that has not ended goes on until now.
func stretchesOf(job client.Job, now time.Time) []stretch {
	if job.TakenFrom != "" {
		return nil
	}
	ended := job.Ended
	if ended.IsZero() {
		ended = now
	}
	began := job.Started
	if began.IsZero() {
		began = ended
	}
	var out []stretch
	if !job.Queued.IsZero() && job.Queued.Before(began) {
		out = append(out, stretch{job.Queued, began, shadeWait})
	}
	if job.Started.IsZero() {
		return out
	}
	phases := phasesBegun(job.Phases)
	if len(phases) == 0 {
		return append(out, stretch{began, ended, shadeStart})
	}
	at := began
	if len(job.Attempts) > 1 { // of earlier ones only their times are known
		out = append(out, stretch{began, phases[0].Started, shadeAfter})
		at = phases[0].Started
	}
	for _, p := range phases {
		if p.Started.After(at) && len(out) > 0 {
			out[len(out)-1].to = p.Started
		}
		end := p.Started.Add(time.Duration(p.Seconds * float64(time.Second)))
		if p.Status == inProgress {
			end = now
		}
		out, at = append(out, stretch{p.Started, end, shadeOf(p.Name)}), end
	}
	if len(out) > 0 && at.Before(ended) {
		out[len(out)-1].to = ended
	}
	return out
}

func phasesBegun(phases []client.Phase) (out []client.Phase) {
	for _, p := range phases {
		if p.Name != "COMPLETED" && !p.Started.IsZero() {
			out = append(out, p)
		}
	}
	return out
}

// scale writes the times below the bars.
func (x axis) scale() string {
	whole := x.to.Sub(x.from)
	if whole <= 0 || x.cells < 10 {
		return ""
	}
	step := stepOf(whole, x.cells/12)
	line := strings.Repeat(" ", x.cells)
	for at := time.Duration(0); at <= whole; at += step {
		cell := int(float64(x.cells) * float64(at) / float64(whole))
		label := shortTime(at)
		if cell+ansi.StringWidth(label) > x.cells {
			break
		}
		line = line[:cell] + label + line[cell+len(label):]
	}
	return strings.TrimRight(line, " ")
}

// steps are the distances between two marks.
var steps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute,
	5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// stepOf is the least distance with which there are no more marks than some.
func stepOf(whole time.Duration, most int) time.Duration {
	for _, step := range steps {
		if whole/step <= time.Duration(max(most, 1)) {
			return step
		}
	}
	return whole
}

// shortTime is a short name of a time on the axis.
func shortTime(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour && d%time.Minute == 0:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
