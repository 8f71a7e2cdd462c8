package statuses

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/forge"
	"github.com/runner-ci/runner/scheduler"
)

// Bounds of a comment: what is explained, what is named, and how long one text is.
const (
	explained  = 3
	named      = 10
	textLines  = 20
	textBytes  = 2000
	quoteBytes = 200
)

// packet is a comment on a build: the verdict, what failed and where, and how to run that again. Messages of tests are left
// out where a report may hold secrets: report files are as the job wrote them.
type packet struct {
	b        *client.Build
	check    string // the status's name
	url      string // of the build
	messages bool
	out      strings.Builder
}

// text writes the packet in Markdown.
func (p *packet) text() string {
	state, words := ofBuild(p.b)
	fmt.Fprintf(&p.out, "**%s %s** · [%s](%s) · %s in %s\n", quote(p.check), verdicts[state], p.b.ID, p.url, quote(short(p.b.Commit)), span(p.b.Seconds))
	if state == forge.StateSuccess {
		if c := strings.TrimPrefix(counted(p.b.Tests), ", "); c != "" {
			p.paragraph(c)
		}
		return p.out.String()
	}
	t := p.b.Tests
	switch {
	case t != nil && len(t.Failures) > 0:
		p.paragraph(fmt.Sprintf("%d of %s failed.", t.Failed+t.Error, number(t.Total, "test", "tests")))
		p.tests(t)
	case state == forge.StateFailure && p.jobs():
	default:
		p.block("text", words)
	}
	p.paragraph("Again: " + quote("runner retry --failed "+p.b.ID))
	return p.out.String()
}

var verdicts = map[forge.State]string{
	forge.StateSuccess: "passed", forge.StateFailure: "failed", forge.StateError: "could not be run", forge.StateCanceled: "was stopped",
	forge.StatePending: "waits", forge.StateRunning: "runs",
}

// tests explains the first failed tests, and names some more.
func (p *packet) tests(t *client.BuildTests) {
	for i := range t.Failures[:min(len(t.Failures), explained)] {
		p.test(&t.Failures[i])
	}
	rest := t.Failures[min(len(t.Failures), explained):]
	if len(rest) == 0 {
		return
	}
	var names []string
	for i := range rest[:min(len(rest), named)] {
		names = append(names, quote(rest[i].Name))
	}
	more := ""
	if n := t.Failed + t.Error - explained - len(names); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	p.paragraph("Also " + strings.Join(names, ", ") + more + ".")
}

func (p *packet) test(f *client.TestFailure) {
	head := "**" + quote(f.Name) + "**"
	if f.File != "" {
		at := f.File
		if f.Line > 0 {
			at = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		head += " at " + quote(at)
	}
	p.paragraph(head + ", " + since(f))
	if f.Message != "" && p.messages {
		p.block("text", f.Message)
	}
	if len(f.Excerpt) > 0 {
		var lines []string
		for _, l := range f.Excerpt {
			mark := " "
			if l.Number == f.Line {
				mark = ">"
			}
			lines = append(lines, fmt.Sprintf("%s %d | %s", mark, l.Number, cut(strings.TrimRight(l.Text, "\r\n"), quoteBytes)))
		}
		p.block("text", strings.Join(lines, "\n"))
	}
	if f.Command != "" {
		p.block("sh", f.Command)
	}
}

// since tells since when a test fails, and how it does on the branch that this goes to.
func since(f *client.TestFailure) string {
	text := "new in this build"
	switch {
	case f.Runs == 0:
		text = "which has no earlier results"
	case !f.New:
		text = "failing since " + quote(f.FirstBuild)
	}
	if b := f.Base; b != nil {
		word := "passes"
		if b.Flaky {
			word = "is flaky"
		} else if b.Status != string(scheduler.Succeeded) {
			word = "fails"
		}
		text += fmt.Sprintf("; it %s on %s", word, quote(strings.TrimPrefix(b.Ref, "refs/heads/")))
	}
	return text
}

// jobs explains the first failed jobs; it tells whether there are any.
func (p *packet) jobs() (any bool) {
	n := 0
	for i := range p.b.Jobs {
		j := &p.b.Jobs[i]
		if j.Ignored || j.Reason == "dependency_failed" || j.Status == string(scheduler.Succeeded) || j.Status == string(scheduler.Stopped) {
			continue
		}
		if n++; n > explained {
			continue
		}
		head := fmt.Sprintf("Exit status %d", j.Exit)
		if j.Reason != "command_failed" {
			head = cmp.Or(line(j.Reason), strings.ToLower(j.Status))
			head = "Ended by " + quote(head)
		}
		if phase := failedPhase(j); phase != "" {
			head += " in " + quote(phase)
		}
		if len(p.b.Jobs) > 1 {
			head += " of the job " + quote(j.Name)
		}
		p.paragraph(head)
		if j.Reason == "command_failed" && j.Command != "" {
			p.block("sh", j.Command)
		} else {
			p.block("text", j.Message)
		}
	}
	if n > explained {
		p.paragraph(fmt.Sprintf("And %s.", number(n-explained, "more job that failed", "more jobs that failed")))
	}
	return n > 0
}

func (p *packet) paragraph(text string) { fmt.Fprintf(&p.out, "\n%s\n", text) }

// block writes a text that is not ours as a block of code, which it cannot leave: the fence is longer than any in it.
func (p *packet) block(language, text string) {
	text = bounded(clean(text))
	if text == "" {
		return
	}
	fence := strings.Repeat("`", max(3, longest(text)+1))
	fmt.Fprintf(&p.out, "\n%s%s\n%s\n%s\n", fence, language, text, fence)
}

// quote is a text that is not ours as code within a line.
func quote(text string) string {
	text = cut(strings.Join(strings.Fields(clean(text)), " "), quoteBytes)
	if text == "" {
		return "(nothing)"
	}
	fence := strings.Repeat("`", longest(text)+1)
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return fence + text + fence
}

// longest is the longest run of backticks in a text.
func longest(text string) (most int) {
	run := 0
	for _, r := range text {
		if r == '`' {
			run++
			most = max(most, run)
		} else {
			run = 0
		}
	}
	return most
}

// bounded keeps the first lines of a text.
func bounded(text string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	more := len(lines) > textLines
	text = strings.Join(lines[:min(len(lines), textLines)], "\n")
	if more {
		text += "\n…"
	}
	return cut(text, textBytes)
}

func short(commit string) string { return commit[:min(len(commit), 10)] }
