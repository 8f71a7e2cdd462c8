package terminal

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/runner-ci/runner/client"
)

// ManyFailures is how many failed tests a build shows.
const ManyFailures = 10

// Tests writes what a build's tests came to: the line that counts, how much of the source they ran, and the tests that
// failed.
func Tests(o *Output, b client.Build, failed []client.TestCase) {
	t := b.Tests
	if t == nil {
		return
	}
	var lines []string
	if t.Summary != "" {
		lines = append(lines, "tests     "+oneLine(t.Summary)+incomplete(t))
	} else if t.Incomplete {
		lines = append(lines, "tests     none could be read"+incomplete(t))
	}
	if c := t.Coverage; c != nil {
		lines = append(lines, fmt.Sprintf("coverage  %.1f %% of %s", c.Percent, Count(c.Lines, "line", "lines")))
	}
	if t.Pending {
		lines = append(lines, "tests     reports are still being read")
	}
	if t.Failing && b.Status == inProgress {
		lines = append(lines, "tests     "+o.paint(bold, "failing"))
	}
	lines = append(lines, failures(o, t, failed)...)
	if n := t.Failed + t.Error + t.Flaky; n > min(len(failed), ManyFailures) && len(failed) > 0 {
		lines = append(lines, fmt.Sprintf("… and %s more: runner tests failures %s", Number(n-min(len(failed), ManyFailures)), b.ID))
	}
	if len(lines) > 0 {
		o.Lines(append(lines, "")...)
	}
}

func incomplete(t *client.BuildTests) string {
	if t.Incomplete {
		return "; INCOMPLETE: some report files are missing or could not be read"
	}
	return ""
}

// failure is one test that failed or is flaky, in a line or two.
func failure(o *Output, c *client.TestCase) []string {
	sign, word := o.sign(failed), ""
	switch {
	case c.Flaky:
		sign, word = o.paint(yellow, "~"), " (flaky)"
	case c.Build:
		word = " (does not compile)"
	}
	lines := []string{sign + " " + o.paint(bold, oneLine(c.ID)) + word + where(c)}
	if message := firstLine(c.Message); message != "" {
		lines = append(lines, "    "+message)
	}
	return lines
}

func where(c *client.TestCase) string {
	switch {
	case c.File == "":
		return ""
	case c.Line == 0:
		return "  " + oneLine(c.File)
	}
	return "  " + oneLine(c.File) + ":" + strconv.Itoa(c.Line)
}

// longMessage is where a message is cut, in columns.
const longMessage = 200

func firstLine(text string) string {
	for line := range strings.Lines(text) {
		if line = oneLine(line); line != "" {
			return ansi.Truncate(line, longMessage, "…")
		}
	}
	return ""
}

// Failures writes all failed tests of a build, with what they said.
func Failures(o *Output, failed []client.TestCase) {
	for i := range failed {
		c := &failed[i]
		o.Lines(failure(o, c)...)
		if c.Status != succeeded {
			o.Lines(fmt.Sprintf("    %s after %s, job %d, attempt %d", c.Status, Seconds(c.Seconds), c.Shard+1, c.Attempt))
		}
		for _, t := range c.Tries {
			o.Lines(strings.TrimRight(fmt.Sprintf("    job %d, attempt %d: %s  %s", t.Shard+1, t.Attempt, t.Status, firstLine(t.Message)), " "))
		}
		for _, text := range []string{c.Details, c.Output} {
			if text = strings.TrimSpace(plainText(text)); text != "" && text != strings.TrimSpace(c.Message) {
				o.Lines("      " + strings.ReplaceAll(text, "\n", "\n      "))
			}
		}
		o.Lines("")
	}
}

// Trends lists tests with their history in short.
func Trends(o *Output, trends []client.TestTrend, now time.Time) {
	t := Table{Head: []string{"test", "mean", "runs", "failed", "flaky", "last", "", "failing since"}, Right: map[int]bool{1: true, 2: true, 3: true, 4: true}}
	for _, x := range trends {
		since := ""
		if x.Since != nil {
			since = x.Since.Build + " " + short(x.Since.Commit)
		}
		t.Row(o.sign(x.Last.Status)+" "+oneLine(x.ID), Seconds(x.MeanSeconds), Number(x.Runs), Number(x.Failed), Number(x.Flaky),
			x.Last.Build, Ago(x.Last.At, now), since)
	}
	t.Print(o)
}

// TestResults lists the results of one test, newest first, and since when it fails.
func TestResults(o *Output, results []client.TestResult, now time.Time) {
	t := Table{Head: []string{"build", "status", "time", "begun", "ref", "commit"}, Right: map[int]bool{2: true}}
	for _, r := range results {
		status := r.Status
		if r.Flaky {
			status = "FLAKY"
		}
		t.Row(o.sign(r.Status)+" "+r.Build, status, Seconds(r.Seconds), Ago(r.At, now), shortRef(r.Ref), short(r.Commit))
	}
	t.Print(o)
}

// ReportProblems says why a build's report may lack tests.
func ReportProblems(o *Output, r client.TestReport) {
	for _, p := range r.Problems {
		o.Lines(warning(oneLine(p)))
	}
	if r.Expired {
		o.Lines("warning: the tests of this build are no longer kept one by one; retention.age in runner.yml says for how long they are")
	}
}
