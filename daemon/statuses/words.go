package statuses

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/forge"
	"github.com/runner-ci/runner/scheduler"
)

const (
	// maxWords bounds a description, in bytes, before the forge's own bound.
	maxWords = 400
	// maxRead is how much of a text is looked at, in bytes.
	maxRead = 16 << 10
)

// stateOf is a status of ours in a forge's words.
func stateOf(status string, started bool) forge.State {
	switch scheduler.Status(status) {
	case scheduler.Succeeded:
		return forge.StateSuccess
	case scheduler.Failed, scheduler.TimedOut:
		return forge.StateFailure
	case scheduler.Stopped:
		return forge.StateCanceled
	case scheduler.InProgress:
		if started {
			return forge.StateRunning
		}
		return forge.StatePending
	}
	return forge.StateError
}

// ofBuild is the state of a build, and what there is to say of it in one line.
func ofBuild(b *client.Build) (forge.State, string) {
	state := stateOf(b.Status, !b.Started.IsZero())
	switch state {
	case forge.StatePending:
		if len(b.Jobs) == 0 {
			return state, "its source is fetched, and its buildspec read"
		}
		return state, "waits to run"
	case forge.StateRunning:
		if names := failing(b.Tests); names != "" {
			return state, line("runs; failed already: " + names)
		}
		if len(b.Jobs) > 1 {
			return state, fmt.Sprintf("runs, %d jobs", len(b.Jobs))
		}
		return state, "runs"
	case forge.StateSuccess:
		return state, "passed in " + span(b.Seconds) + counted(b.Tests)
	case forge.StateFailure:
		if text := failedTests(b.Tests); text != "" {
			return state, text
		}
		for i := range b.Jobs {
			if j := &b.Jobs[i]; j.Status == string(scheduler.Failed) && !j.Ignored && j.Reason != "dependency_failed" {
				text := ofCommand(j)
				if text != "" && len(b.Jobs) > 1 {
					text = line(j.Name) + ": " + text
				}
				if text != "" {
					return state, text
				}
				break
			}
		}
	}
	return state, cmp.Or(line(b.Message), line(b.Reason), strings.ToLower(b.Status))
}

// ofJob is the state of one job of a build.
func ofJob(j *client.Job) (forge.State, string) {
	state := stateOf(j.Status, !j.Started.IsZero())
	switch state {
	case forge.StatePending:
		return state, cmp.Or(line(j.Why), "waits to run")
	case forge.StateRunning:
		return state, "runs"
	case forge.StateSuccess:
		if j.TakenFrom != "" {
			return state, "passed in " + line(j.TakenFrom)
		}
		return state, "passed in " + span(j.Seconds)
	case forge.StateFailure:
		if text := ofCommand(j); text != "" {
			return state, text
		}
	}
	return state, cmp.Or(line(j.Message), line(j.Reason), strings.ToLower(j.Status))
}

// ofCommand names the command that a job failed by, "" where none did.
func ofCommand(j *client.Job) string {
	if j.Reason != "command_failed" || j.Command == "" {
		return ""
	}
	text := fmt.Sprintf("exit status %d of `%s`", j.Exit, strings.ReplaceAll(line(j.Command), "`", "'"))
	if phase := failedPhase(j); phase != "" {
		text += " in " + phase
	}
	return text
}

// failedPhase is the phase that a job failed in.
func failedPhase(j *client.Job) string {
	for _, p := range j.Phases {
		if p.Status != string(scheduler.Succeeded) && p.Status != string(scheduler.InProgress) {
			return line(p.Name)
		}
	}
	return ""
}

// counted is what the tests of a build that passed came to.
func counted(t *client.BuildTests) string {
	if t == nil || t.Total == 0 {
		return ""
	}
	text := ", " + number(t.Total, "test", "tests")
	for _, part := range []struct {
		n          int
		one, other string
	}{{t.Flaky, "flaky", "flaky"}, {t.Skipped, "skipped", "skipped"}, {t.Quarantined, "failed in quarantine", "failed in quarantine"}} {
		if part.n > 0 {
			text += ", " + number(part.n, part.one, part.other)
		}
	}
	return text
}

// failedTests says which tests failed, "" where none is known to have.
func failedTests(t *client.BuildTests) string {
	if t == nil || t.Failed+t.Error == 0 {
		return ""
	}
	text := fmt.Sprintf("%d of %s failed", t.Failed+t.Error, number(t.Total, "test", "tests"))
	if names := failing(t); names != "" {
		text += ": " + names
	}
	return line(text)
}

// failing names the tests that are known to have failed.
func failing(t *client.BuildTests) string {
	if t == nil {
		return ""
	}
	var names []string
	for i := range t.Failures {
		if name := line(t.Failures[i].Name); name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// span is a time that something took: 0.4 s, 41 s, 12 min, 3 h 5 min.
func span(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", max(d, 0).Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Round(time.Second).Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

func number(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// line is the first line of a text that has something in it, printable and bounded.
func line(text string) string {
	for part := range strings.Lines(cut(text, maxRead)) {
		if part = clean(strings.TrimSpace(part)); part != "" {
			return cut(part, maxWords)
		}
	}
	return ""
}

// clean drops what does not print, and what turns the order of the rest around.
func clean(text string) string {
	text = cut(text, maxRead)
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}

// cut shortens a text to some bytes, at a rune.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	end := most - len("…")
	for end > 0 && text[end]&0xC0 == 0x80 {
		end--
	}
	return text[:end] + "…"
}
