package terminal

import (
	"cmp"
	"slices"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/runner-ci/runner/client"
)

// listPane is all builds on the screen: those that run and wait, with why, then those that ended last.
type listPane struct {
	o      *Output
	title  string
	builds []client.Build // open ones, then ended ones, the newest first
	came   bool           // the daemon has answered
	at     time.Time      // when it did
	pick   string         // id of the chosen one
	showed string
}

func (p *listPane) chosen() int {
	if i := slices.IndexFunc(p.builds, func(b client.Build) bool { return b.ID == p.pick }); i >= 0 {
		return i
	}
	return min(0, len(p.builds)-1)
}

func (p *listPane) choose(by int) {
	if len(p.builds) > 0 {
		p.pick = p.builds[min(max(p.chosen()+by, 0), len(p.builds)-1)].ID
	}
}

// open counts the builds that have not ended, which come first.
func (p *listPane) open() (n int) {
	for _, b := range p.builds {
		if b.Status == inProgress {
			n++
		}
	}
	return n
}

// lines are the pane, no more than height of them.
func (p *listPane) lines(width, height int, local time.Time, keys string) []string {
	lines := []string{p.o.paint(bold, p.title)}
	if p.showed != "" {
		lines = append(lines, p.showed)
	}
	lines = append(lines, "")
	open := p.open()
	switch {
	case !p.came:
		lines = append(lines, "asking the daemon …")
	case len(p.builds) == 0:
		lines = append(lines, "no builds yet; make one with: runner submit")
	default:
		t := &Table{Right: map[int]bool{2: true}}
		for i, b := range p.builds {
			p.row(t, b, i == p.chosen(), local)
		}
		rows := t.lines(&Output{})
		most := max(height-len(lines)-4, 1)
		first := 0
		if len(rows) > most {
			first = min(max(p.chosen()-most/2, 0), len(rows)-most)
		}
		for i, row := range rows {
			if i < first || i >= first+most {
				continue
			}
			if i == 0 && open > 0 {
				lines = append(lines, p.o.paint(faint, "runs and waits"))
			}
			if i == open {
				lines = append(lines, p.o.paint(faint, "ended"))
			}
			lines = append(lines, row)
		}
	}
	return filled(lines, height, p.o.paint(faint, keys))
}

func (p *listPane) row(t *Table, b client.Build, chosen bool, local time.Time) {
	cursor := "  "
	if chosen {
		cursor = "> "
	}
	word, took, detail := cmp.Or(b.Phase, b.Status), Seconds(b.Seconds), waitsIn(b)
	if b.Status == inProgress {
		took = Duration(time.Duration(b.Seconds*float64(time.Second)) + max(0, local.Sub(p.at)))
	} else {
		word, detail = b.Status, Ago(b.Ended, local)
		if b.Message != "" && b.Status != succeeded {
			detail += " · " + ansi.Truncate(oneLine(b.Message), 60, "…")
		}
	}
	ref := shortRef(b.Ref)
	if ref == submitted {
		ref = "" // its title says more
	}
	t.Row(cursor+p.o.sign(b.Status)+" "+b.ID, steady(word), took, ansi.Truncate(ref, 20, "…"), title(b.Title), p.o.paint(faint, detail))
}

// waitsIn tells how far the jobs of a build are, and why one of them waits, where none runs.
func waitsIn(b client.Build) string {
	ended, running, why := 0, 0, ""
	for _, j := range b.Jobs {
		switch j.State {
		case "ended":
			ended++
		case "leased":
			if running++; !j.Paused.IsZero() {
				why = cmp.Or(why, oneLine(j.Why))
			}
		case "queued":
			why = cmp.Or(why, oneLine(j.Why))
		}
	}
	for _, j := range b.Jobs {
		why = cmp.Or(why, oneLine(j.Why))
	}
	text := ""
	if len(b.Jobs) > 1 {
		text = Number(ended) + " of " + Count(len(b.Jobs), "job", "jobs")
	}
	if t := b.Tests; t != nil && t.Failing {
		text = joinNonEmpty(text, "tests are failing")
	}
	if running == 0 || len(b.Jobs) == 1 {
		text = joinNonEmpty(text, why)
	}
	return text
}

func joinNonEmpty(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " · " + b
}
