package terminal

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/compare"
)

// Ref is a ref as people write it: "main", "v1.2", "working tree" of what was submitted.
func Ref(ref string) string { return shortRef(ref) }

// Difference writes how two builds differ: where their logs first go apart, what they were given, and their tests.
func Difference(o *Output, r *compare.Report) {
	compared(o, r)
	for i := range r.Logs {
		o.Lines("")
		divergence(o, r, &r.Logs[i])
	}
	if n := len(r.MoreJobs); n > 0 {
		o.Lines("", fmt.Sprintf("%s not compared: %s; name one with --job", Count(n, "more job was", "more jobs were"), oneLine(firstFew(r.MoreJobs, 5))))
	}
	environmentFacts(o, r.Environment)
	changedTests(o, r.Tests)
	for i, note := range r.Notes {
		if i == 0 {
			o.Lines("")
		}
		o.Lines("note      " + oneLine(note))
	}
	o.Lines("", sameOrNot(r))
}

// compared are the two builds, a line each.
func compared(o *Output, r *compare.Report) {
	t := Table{Right: map[int]bool{5: true}}
	row := func(word string, b client.Build) {
		t.Row(word, o.sign(b.Status)+" "+b.ID, b.Status+reason(b.Reason), shortRef(b.Ref), short(b.Commit), Seconds(b.Seconds), title(b.Title))
	}
	row("green", r.Green)
	row("red", r.Red)
	t.Print(o)
	if message := firstLine(r.Red.Message); message != "" {
		o.Lines(o.fit("          " + message))
	}
	if r.Chosen != "" {
		o.Lines("          " + o.paint(faint, r.Green.ID+" is "+r.Chosen))
	}
}

// sameOrNot is the last line, as the exit status says it.
func sameOrNot(r *compare.Report) string {
	if r.Same {
		return r.Green.ID + " and " + r.Red.ID + " are the same in all that was compared"
	}
	return r.Green.ID + " and " + r.Red.ID + " differ"
}

// divergence is the first place at which the logs of a job go apart.
func divergence(o *Output, r *compare.Report, d *compare.Divergence) {
	job := oneLine(d.Job)
	switch {
	case d.Missing != "":
		o.Lines("log       " + job + ": " + oneLine(d.Missing))
		return
	case d.Places == 0:
		o.Lines(fmt.Sprintf("log       %s: the same, %s%s", job, Count(d.RedLines, "line", "lines"), inOtherOrder(d)))
		return
	}
	at := ""
	if d.Phase != "" {
		at = ", in " + oneLine(d.Phase)
	}
	if d.Command != "" {
		at += ": " + oneLine(d.Command)
	}
	o.Lines(o.fit(fmt.Sprintf("log       %s goes apart at line %s of %s%s", job, Number(goesApart(d)), Number(d.RedLines), at)))
	width := len(Number(max(d.GreenLines, d.RedLines)))
	for _, row := range d.First {
		o.Lines(o.fit(excerptRow(o, row, width)))
	}
	more := func(word, code string, n int) {
		if n > 0 {
			o.Lines(fmt.Sprintf("  %s   %*s   … %s", o.paint(code, word), width, "", Count(n, "more line", "more lines")))
		}
	}
	more("green", green, d.GreenMore)
	more("red  ", red, d.RedMore)
	o.Lines(fmt.Sprintf("          %s%s; all of it: runner diff %s %s --job %s --log", Count(d.Places, "place differs", "places differ"), inOtherOrder(d), r.Green.ID, r.Red.ID, job))
}

func inOtherOrder(d *compare.Divergence) string {
	text := ""
	if d.Moved > 0 {
		text = ", " + Count(d.Moved, "line", "lines") + " in another order"
	}
	if d.Cut {
		text += fmt.Sprintf(", only the first %s lines were compared", Number(compare.MaxLines))
	}
	return text
}

// goesApart is the number, in red's log, of the first line that differs.
func goesApart(d *compare.Divergence) int {
	number := 0
	for _, row := range d.First {
		switch row.Kind {
		case compare.Red:
			return row.Number
		case compare.Green:
			return max(number, 1)
		case compare.Same:
			number = row.Number + 1
		}
	}
	return max(number, 1)
}

func excerptRow(o *Output, row compare.Row, width int) string {
	word, code := "     ", faint
	switch row.Kind {
	case compare.Gap:
		return "          …"
	case compare.Green:
		word, code = "green", green
	case compare.Red:
		word, code = "red  ", red
	}
	text := strings.ReplaceAll(strings.TrimRight(plainText(row.Text), " \n"), "\t", "    ")
	return fmt.Sprintf("  %s   %*s   %s", o.paint(code, word), width, Number(row.Number), o.paint(codeOfText(row.Kind), oneRow(text)))
}

func codeOfText(k compare.Kind) string {
	if k == compare.Same {
		return faint
	}
	return ""
}

// LogRow writes one line of a whole comparison, as patches have them.
func LogRow(o *Output, row compare.Row) {
	text := oneRow(strings.TrimRight(plainText(row.Normal), "\n"))
	switch row.Kind {
	case compare.Gap:
		at := oneLine(strings.Trim(row.Phase+": "+row.Command, ": "))
		o.Lines(strings.TrimRight("@@ "+at, " "))
	case compare.Green:
		o.Lines(o.paint(green, "-"+text))
	case compare.Red:
		o.Lines(o.paint(red, "+"+text))
	default:
		o.Lines(" " + text)
	}
}

// LogHead says which build's lines are which, once something differs.
func LogHead(o *Output, r *compare.Report, job string) {
	o.Lines(o.paint(green, "--- green "+r.Green.ID+" "+oneLine(job)), o.paint(red, "+++ red "+r.Red.ID+" "+oneLine(job)))
}

// maxFactValue is where a value is cut, in columns.
const maxFactValue = 60

// environmentFacts are the facts that were otherwise.
func environmentFacts(o *Output, facts []compare.Fact) {
	if len(facts) == 0 {
		o.Lines("", "environment   the same")
		return
	}
	o.Lines("", "environment   "+Count(len(facts), "difference", "differences"))
	t := Table{Indent: "  "}
	for _, f := range facts {
		what := oneLine(f.Describe())
		if f.Job != "" {
			what = oneLine(f.Job) + ": " + what
		}
		t.Row(ansi.Truncate(what, maxFactValue, "…"), factValues(f), o.paint(faint, oneLine(f.Note)))
	}
	t.Print(o)
}

func factValues(f compare.Fact) string {
	value := func(text string) string {
		if f.What == "commit" {
			text = short(text)
		}
		return ansi.Truncate(cmp.Or(oneLine(text), `""`), maxFactValue, "…")
	}
	switch {
	case f.What == "plan" && f.Absent == "red":
		return "only green   " + value(f.Green)
	case f.What == "plan":
		return "only red     " + value(f.Red)
	case f.Hidden && f.Absent == "green":
		return "only red has it; its value is not told"
	case f.Hidden && f.Absent == "red":
		return "only green has it; its value is not told"
	case f.Hidden && f.Green == f.Red:
		return strings.TrimSpace(f.Red + " another value, which is not told")
	case f.Absent == "green":
		return "none → " + value(f.Red)
	case f.Absent == "red":
		return value(f.Green) + " → none"
	}
	return value(f.Green) + " → " + value(f.Red)
}

// manyChanged is how many tests of one kind are named.
const manyChanged = 10

// changedTests are the tests that did otherwise.
func changedTests(o *Output, t *compare.Tests) {
	switch {
	case t == nil:
		o.Lines("", "tests         neither build has any")
		return
	case !t.Otherwise():
		o.Lines("", "tests         the same: "+Count(t.Same+t.Still, "test", "tests")+stillFailing(t))
		return
	}
	kinds := []struct {
		c           *compare.TestChanges
		word, shape string
		color       string
	}{
		{&t.Failing, "newly failing", "✗", red}, {&t.Slower, "much slower", "●", yellow}, {&t.Gone, "gone", "■", yellow},
		{&t.Skipped, "newly skipped", "○", faint}, {&t.New, "new", "○", faint}, {&t.Passing, "newly passing", "✓", green},
	}
	var counts []string
	for _, k := range kinds {
		if k.c.Count > 0 {
			counts = append(counts, Number(k.c.Count)+" "+k.word)
		}
	}
	o.Lines("", "tests         "+strings.Join(counts, ", ")+stillFailing(t))
	for _, k := range kinds {
		for i, c := range k.c.First {
			if i == manyChanged {
				o.Lines(fmt.Sprintf("  and %s %s; --json names them", Number(k.c.Count-manyChanged), k.word))
				break
			}
			o.Lines(o.fit(changedTest(o, c, o.paint(k.color, k.shape), k.word)))
			if message := firstLine(c.Message); message != "" && k.c == &t.Failing {
				o.Lines(o.fit("    " + message))
			}
		}
	}
}

func stillFailing(t *compare.Tests) string {
	if t.Still == 0 {
		return ""
	}
	return ", " + Number(t.Still) + " failing in both"
}

func changedTest(o *Output, c compare.TestChange, shape, word string) string {
	text := shape + " " + oneLine(cmp.Or(c.ID, c.Name)) + "   " + word
	switch {
	case word == "much slower":
		text += ": " + Seconds(c.GreenSeconds) + " → " + Seconds(c.RedSeconds)
	case word == "newly failing" && c.Green == "":
		text += ", and not in green"
	case word == "newly skipped", word == "gone":
		text += ", " + oneLine(c.Green) + " in green"
	}
	if c.Flaky {
		text += ", flaky"
	}
	if c.Quarantined {
		text += ", quarantined"
	}
	if c.File != "" {
		text += "   " + o.paint(faint, fmt.Sprintf("%s:%d", oneLine(c.File), c.Line))
	}
	return text
}
