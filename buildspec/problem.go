package buildspec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a problem ends the build or is only told.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Problem is one thing that is wrong, or doubtful, with a buildspec. Line and Column count from 1; a column is a
// character, not a byte. Excerpt holds the source lines with a caret below them, ready to print.
type Problem struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Column   int      `json:"column"`
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"`
	Excerpt  string   `json:"excerpt,omitempty"`
}

// String is the problem as a terminal shows it, without a newline at its end. A warning is told in short, without
// its excerpt.
func (p Problem) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d:%d: %s: %s", p.File, p.Line, p.Column, p.Severity, p.Message)
	if p.Severity == SeverityError && p.Excerpt != "" {
		b.WriteString("\n" + p.Excerpt)
	}
	if p.Hint != "" {
		b.WriteString("\nhint: " + p.Hint)
	}
	return b.String()
}

// Error says that a buildspec cannot be built. Problems holds at least one error, and the warnings too, in the
// order of the text.
type Error struct {
	Problems []Problem
}

// Error prints the errors, one after another, with a blank line between.
func (e *Error) Error() string {
	texts := make([]string, 0, len(e.Problems))
	for _, p := range e.Errors() {
		texts = append(texts, p.String())
	}
	return strings.Join(texts, "\n\n")
}

// Errors are the problems that end the build.
func (e *Error) Errors() []Problem { return withSeverity(e.Problems, SeverityError) }

// Warnings are the problems that would not have ended it.
func (e *Error) Warnings() []Problem { return withSeverity(e.Problems, SeverityWarning) }

func withSeverity(all []Problem, s Severity) []Problem {
	var some []Problem
	for _, p := range all {
		if p.Severity == s {
			some = append(some, p)
		}
	}
	return some
}

// maxProblems bounds how many problems of one severity are told: nobody reads more, and the plan, which is stored,
// carries its warnings.
const maxProblems = 50

// report gathers the problems of one text.
type report struct {
	src    *source
	told   []Problem
	counts map[Severity]int
	seen   map[spot]bool
}

// spot is what a problem has in common with itself where an alias brings it up again: only the path in its message
// differs.
type spot struct {
	severity Severity
	at       mark
	hint     string
}

func newReport(src *source) *report {
	return &report{src: src, counts: map[Severity]int{}, seen: map[spot]bool{}}
}

// complaint is a problem before it has a place: what is wrong, a note beside the caret, and what to do.
type complaint struct {
	message, note, hint string
}

func (r *report) fail(at mark, c complaint) { r.add(SeverityError, at, c) }
func (r *report) warn(at mark, c complaint) { r.add(SeverityWarning, at, c) }

func (r *report) add(s Severity, at mark, c complaint) {
	here := spot{s, at, c.hint}
	if c.hint != "" && r.seen[here] {
		return
	}
	r.seen[here] = true
	r.counts[s]++
	if r.counts[s] > maxProblems {
		return
	}
	r.told = append(r.told, r.src.problem(s, at, c))
}

func (r *report) failed() bool { return r.counts[SeverityError] > 0 }

// problems are all that was told, in the order of the text, with a word about those that were left out.
func (r *report) problems() []Problem {
	all := slices.Clone(r.told)
	slices.SortStableFunc(all, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	for _, s := range []Severity{SeverityError, SeverityWarning} {
		if more := r.counts[s] - maxProblems; more > 0 {
			last := withSeverity(all, s)[maxProblems-1]
			all = append(all, Problem{
				File: last.File, Line: last.Line, Column: last.Column, Severity: s,
				Message: fmt.Sprintf("%d more %ss are not shown", more, s),
			})
		}
	}
	return all
}

// err is nil when nothing failed.
func (r *report) err() error {
	if !r.failed() {
		return nil
	}
	return &Error{Problems: r.problems()}
}
