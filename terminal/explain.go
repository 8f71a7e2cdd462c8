package terminal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/runner-ci/runner/client"
)

// Explanation writes where the time of a build went: what decided how long it took, step by step, what its jobs waited for,
// and what would have saved some.
func Explanation(o *Output, e client.Explanation) {
	head := fmt.Sprintf("%s %s in %s", e.Build, e.Status, Seconds(e.Seconds))
	if e.Status == inProgress {
		head = fmt.Sprintf("%s %s for %s, so far", e.Build, e.Status, Seconds(e.Seconds))
	}
	o.Lines(o.sign(e.Status)+" "+head, "")
	if len(e.Path) > 0 {
		o.Lines("what decided it, one after the other")
		pathTable(e).Print(o)
		o.Lines("")
	}
	if len(e.Waits) > 0 {
		o.Lines("what its jobs waited for")
		waitTable(e.Waits).Print(o)
		o.Lines("")
	}
	switch {
	case len(e.Savings) > 0 && e.Status == inProgress:
		o.Lines("what would have saved time, so far")
	case len(e.Savings) > 0:
		o.Lines("what would have saved time")
	case e.Status != inProgress:
		o.Lines("nothing that is known would have saved much")
	}
	for _, s := range e.Savings {
		o.Lines(savingLines(s)...)
	}
	for _, n := range e.Notes {
		o.Lines(o.fit("note: " + oneLine(n)))
	}
}

// little is what a step has to take to have a row of its own: a hundredth of the build. Shorter ones are one row.
func little(e client.Explanation) float64 { return min(0.05, e.Seconds/100) }

func pathTable(e client.Explanation) *Table {
	t := &Table{Indent: "  ", Right: map[int]bool{1: true, 2: true}}
	short, sum := 0, 0.0
	for _, s := range e.Path {
		if s.Seconds < little(e) {
			short++
			sum += s.Seconds
			continue
		}
		commands := longestCommands(s)
		text := stepText(s)
		if len(commands) == 1 && commands[0].Seconds > s.Seconds*0.9 {
			text += " · " + ansi.Truncate(oneLine(commands[0].Text), 70, "…")
			commands = nil
		}
		t.Row(oneLine(s.Word()), Seconds(s.Seconds), share(s.Seconds, e.Seconds), text)
		for _, c := range commands {
			t.Row("", "", "", fmt.Sprintf("  %s  %s", Seconds(c.Seconds), ansi.Truncate(oneLine(c.Text), 70, "…")))
		}
	}
	if short > 0 {
		t.Row("other", Seconds(sum), share(sum, e.Seconds), Count(short, "step that was", "steps that were each")+" shorter")
	}
	return t
}

func share(part, whole float64) string {
	if whole <= 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %%", 100*part/whole)
}

func stepText(s client.Step) string {
	parts := []string{}
	if s.Name != "" {
		name := oneLine(s.Name)
		if s.Attempt > 1 {
			name += fmt.Sprintf(", attempt %d", s.Attempt)
		}
		parts = append(parts, name)
	}
	switch s.Kind {
	case client.StepSubmitted:
		parts = append(parts, "accepted, and its build made")
	case client.StepSource:
		parts = append(parts, "fetched, read and planned")
	case client.StepSlot:
		parts = append(parts, "waited for a slot")
	case client.StepStart:
		parts = append(parts, map[bool]string{true: "one that waited for its job", false: "made for its job"}[s.Warm])
	}
	if s.Text != "" {
		parts = append(parts, oneLine(s.Text))
	}
	if t := s.Tests; t != nil {
		parts = append(parts, fmt.Sprintf("%s in %s, %s", Count(t.Tests, "test", "tests"), Count(t.Batches, "batch", "batches"), Seconds(t.Seconds)))
	}
	if s.Running {
		parts = append(parts, "goes on")
	}
	return strings.Join(parts, " · ")
}

// longestCommands are those that most of a step was, in their order.
func longestCommands(s client.Step) []client.PathCommand {
	out := slices.DeleteFunc(slices.Clone(s.Commands), func(c client.PathCommand) bool { return c.Seconds < s.Seconds/10 })
	if len(out) > 3 {
		slices.SortStableFunc(out, func(x, y client.PathCommand) int { return cmp.Compare(y.Seconds, x.Seconds) })
		out = out[:3]
		slices.SortStableFunc(out, func(x, y client.PathCommand) int { return x.Started.Compare(y.Started) })
	}
	return out
}

func waitTable(waits []client.Wait) *Table {
	t := &Table{Indent: "  ", Right: map[int]bool{1: true}}
	for _, w := range waits {
		text := joinNonEmpty(oneLine(w.Name), oneLine(w.Text))
		if w.Jobs > 1 {
			text += fmt.Sprintf(" · %d jobs, %s in all", w.Jobs, Seconds(w.Total))
		}
		if w.Kind != client.WaitJobs && w.Kind != client.WaitTests && w.On < 0.05 {
			text += " · decided nothing"
		}
		t.Row(client.WaitWord(w.Kind), Seconds(w.Seconds), text)
	}
	return t
}

func savingLines(s client.Saving) []string {
	amount := Seconds(s.Seconds)
	if s.AtMost {
		amount = "at most " + amount
	}
	lines := []string{fmt.Sprintf("  %-8s  %s · %s", s.Kind, amount, oneLine(s.Text))}
	if s.Do != "" {
		lines = append(lines, fmt.Sprintf("  %-8s  %s", "", oneLine(s.Do)))
	}
	return lines
}
