package terminal

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

// heldLast puts the failures that do not count behind those that do.
func heldLast(failed []client.TestCase) []client.TestCase {
	failed = slices.Clone(failed)
	slices.SortStableFunc(failed, func(a, b client.TestCase) int {
		switch {
		case (a.Quarantine != nil) == (b.Quarantine != nil):
			return 0
		case a.Quarantine != nil:
			return 1
		}
		return -1
	})
	return failed
}

// entry is an entry of a quarantine in one line.
func entry(q *client.TestQuarantine) string {
	text := fmt.Sprintf("%s is quarantined by %s until %s", oneLine(q.Test), oneLine(q.Owner), oneLine(q.Until))
	if q.Reason != "" {
		text += ": " + firstLine(q.Reason)
	}
	return text
}

// Quarantine lists which tests a project's default branch quarantines, and how they did lately.
func Quarantine(o *Output, q client.Quarantine, now time.Time) {
	if q.Problem != "" {
		o.Lines(warning(q.Problem))
	}
	if len(q.Items) == 0 {
		return
	}
	t := Table{Head: []string{"test", "owner", "until", "state", "failed lately", "last", "", "reason"}}
	for i := range q.Items {
		e := &q.Items[i]
		lately, last, at := "never run", "", ""
		if e.Tests > 0 {
			lately = fmt.Sprintf("%s of %s", Number(e.Failed), Number(e.Runs))
		}
		if e.Tests > 1 {
			lately += fmt.Sprintf(" (%s tests)", Number(e.Tests))
		}
		if e.Last != nil {
			last, at = o.sign(e.Last.Status)+" "+e.Last.Build, Ago(e.Last.At, now)
		}
		t.Row(oneLine(e.Test), oneLine(e.Owner), oneLine(e.Until), state(e), lately, last, at, firstLine(e.Reason))
	}
	t.Print(o)
	o.Lines("")
	for i := range q.Items {
		if e := &q.Items[i]; e.Ready {
			o.Lines(fmt.Sprintf("%s has passed %s times in turn: runner tests quarantine rm %s", oneLine(e.Test), Number(e.Clean), word(e.Test)))
		}
	}
	o.Lines(fmt.Sprintf("as %s (%s) had it", q.Build, short(q.Commit)))
}

func state(e *client.QuarantineEntry) string {
	switch e.State {
	case "in_force":
		return "in force"
	case "too_long":
		return "not in force: ends too late"
	}
	return strings.ReplaceAll(e.State, "_", " ")
}

// word is a text as one word of a shell.
func word(text string) string {
	return "'" + strings.ReplaceAll(oneLine(text), "'", `'\''`) + "'"
}
