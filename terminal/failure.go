package terminal

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/runner-ci/runner/client"
)

// manyExplained is how many failed tests are explained.
const manyExplained = 3

// failures are the first failed tests: those that are counted, or, while their jobs still run, those that are told of.
func failures(o *Output, t *client.BuildTests, failed []client.TestCase) (lines []string) {
	explained := map[string]*client.TestFailure{}
	for i := range t.Failures {
		if f := &t.Failures[i]; len(explained) < manyExplained {
			explained[f.ID] = f
		}
	}
	shown := map[string]bool{}
	for i := range failed[:min(len(failed), ManyFailures)] {
		c := &failed[i]
		shown[c.ID] = true
		lines = append(lines, failure(o, c)...)
		if f := explained[c.ID]; f != nil && !c.Flaky {
			lines = append(lines, explanation(o, f)...)
		}
	}
	for i := range t.Failures {
		if f := &t.Failures[i]; !shown[f.ID] && len(failed) == 0 && i < manyExplained {
			lines = append(lines, Failing(o, f)...)
		}
	}
	return lines
}

// Failing is a failed test with what is known of it.
func Failing(o *Output, f *client.TestFailure) []string {
	c := client.TestCase{ID: f.ID, Name: f.Name, File: f.File, Line: f.Line, Message: f.Message, Build: f.Build}
	return append(failure(o, &c), explanation(o, f)...)
}

// excerptLine keeps a line of source one, with its columns.
var excerptLine = strings.NewReplacer("\t", "    ", "\n", "")

// explanation is what is known of a failed test besides its name and its message.
func explanation(o *Output, f *client.TestFailure) (lines []string) {
	width := 0
	if n := len(f.Excerpt); n > 0 {
		width = len(strconv.Itoa(f.Excerpt[n-1].Number))
	}
	for _, line := range f.Excerpt {
		mark := " "
		if line.Number == f.Line {
			mark = ">"
		}
		text := excerptLine.Replace(strings.TrimRight(plainText(line.Text), " \t\n"))
		lines = append(lines, strings.TrimRight(fmt.Sprintf("    %s %*d | %s", mark, width, line.Number, text), " "))
	}
	since := "new in this build"
	if f.Runs == 0 {
		since = "never run before"
	} else if !f.New {
		since = "since " + f.FirstBuild + " " + short(f.FirstCommit)
	}
	facts := []string{since}
	if b := f.Base; b != nil {
		word := "passes"
		switch {
		case b.Flaky:
			word = "flaky"
		case b.Status != succeeded:
			word = "fails too"
		}
		facts = append(facts, fmt.Sprintf("%s on %s (%s)", word, shortRef(b.Ref), b.Build))
	}
	if f.Flaky > 0 {
		facts = append(facts, fmt.Sprintf("flaky in %d of %s", f.Flaky, Count(f.Runs, "build", "builds")))
	}
	lines = append(lines, "    "+o.paint(faint, strings.Join(facts, ", ")))
	if f.Command != "" {
		lines = append(lines, "    "+oneLine(f.Command))
	}
	return lines
}
