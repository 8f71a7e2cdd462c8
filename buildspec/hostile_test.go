package buildspec

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/rogpeppe/go-internal/txtar"
)

const tail = "\nphases: {build: {commands: [make]}}\n"

// TestHostile gives what is made to hurt: each is answered with an error that says what is wrong, and the test
// itself would not end in time, or in memory, if one of them were read to its end.
func TestHostile(t *testing.T) {
	many := strings.Repeat
	bomb := "version: 0.2\na: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s*%c]\n", c, c, many(fmt.Sprintf("*%c, ", c-1), 9), c-1)
	}
	cases := map[string]struct{ text, want string }{
		"a file over the limit":      {"version: 0.2\n" + many("#", maxBytes), "bytes long"},
		"brackets without end":       {"a: " + many("[", 500), "nested more than 100 deep"},
		"a megabyte of brackets":     {many("[", maxBytes), "punctuation marks"},
		"braces without end":         {"a: " + many("{", 500), "nested more than 100 deep"},
		"dashes without end":         {many("- ", 5000), "nested more than 100 deep"},
		"deep indentation":           {staircase(200), "nested more than 100 deep"},
		"questions without end":      {many("? ", 5000), "nested more than 100 deep"},
		"keys on one line":           {many("a: ", 5000), "nested more than 100 deep"},
		"anchors in a row":           {"a: " + many("&a ", 5000), "anchors, aliases and tags"},
		"tags in a row":              {"a: " + many("!a ", 5000), "anchors, aliases and tags"},
		"a mapping without end":      {many("a: b\n", 20_000), "YAML tokens"},
		"documents without end":      {many("---\n", 30_000), "YAML tokens"},
		"tabs in double quotes":      {"a: \"" + many("\t", 200_000) + "x\"", "too large to read"},
		"quoted lines with tabs":     {many("- \"x\t\t \n\n  y\"\n", 3000), "tabs inside quotes are too many"},
		"a long quoted text of tabs": {"a: \"" + many("a\tb\n  ", 30_000) + "\"", "tabs inside quotes are too many"},
		"signs without end":          {"a: " + many("<", 200_000), "too large to read"},
		"empty lines below a block":  {"a: |\n" + many("  x", 200_000) + many("\n", 100_000), "too large to read"},
		"long keys, nested":          {longKeys(), "too large to read with keys"},
		"ten aliases to ten …":       {bomb + tail, "aliases make this file longer"},
		"an alias to what holds it":  {"a: &a [*a]", "no anchor &a stands before it"},
		"bytes that are not text":    {"version: 0.2\nenv: \xff\xfe", "0xFF, which is not UTF-8"},
		"UTF-16 that breaks off":     {"\xff\xfev\x00e\x00r", "not UTF-8"},
		"half a character of UTF-16": {"\xff\xfev\x00\x00\xd8r\x00", "not UTF-8"},
		"a terminal escape":          {"version: \x1b[2J", "control character U+001B"},
		"a NUL":                      {"version: 0.2\x00", "control character U+0000"},
		"a NUL by escape":            {"version: 0.2\nenv: {variables: {A: \"x\\0y\"}}" + tail, "NUL character"},
		"a tag of another program":   {"version: !!python/object:os.system 0.2" + tail, "has no meaning"},
		"a pattern that is long":     {"version: 0.2\nphases: {build: {on-failure: RETRY-" + many("a", 2000) + "}}", "may have 1000"},
		"a pattern that repeats":     {"version: 0.2\nphases: {build: {on-failure: 'RETRY-((a{1000}){1000}){1000}'}}", "not RE2"},
		"a count without end":        {"version: 0.2\nphases: {build: {on-failure: RETRY-" + many("9", 5000) + "}}", "from 0 to 100"},
		"colons without end":         {"version: 0.2\nenv: {secrets-manager: {A: 'a" + many(":", 5000) + "'}}" + tail, "may have 4"},
		"lists without end":          {"version: 0.2\nbatch: {build-matrix: {dynamic: {env: {variables: {" + axes(60, 1) + "}}}}}" + tail, "which may have 50"},
		"services without end":       {"version: 0.2\nx-runner: {services: {" + each(20, "s%d: {image: a}") + "}}" + tail, "a job may have 16"},
		"a cycle of thousands":       {"version: 0.2\nbatch: {build-graph: [" + ring(1500) + "]}" + tail, "wait for one another: j0 → j1"},
		"strangers to wait for":      {"version: 0.2\nbatch: {build-graph: [{identifier: a, depend-on: &d [" + each(90, "%d"+many("x", 50)) + "]}" + ", " + each(450, "{identifier: b%d, depend-on: *d}") + ", " + ids(450) + "]}" + tail, "no entry has this identifier"},
		"identifiers that are long":  {"version: 0.2\nbatch: {build-list: [{identifier: " + many("a", 200_000) + "}]}" + tail, "cannot identify a job"},
		"wild paths":                 {"version: 0.2\nbatch: {build-list: [{identifier: a, buildspec: " + many("../", 10_000) + "etc/passwd}]}" + tail, "is outside"},
		"one line of all":            {"version: 0.2\na: [\"" + many("ö", 200_000) + "\"" + many(", x", 9_900) + "]", "phases is missing"},
		"a list as a key":            {"version: 0.2\n? [a, b]\n: c" + tail, "not YAML"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("ci/build.yml", []byte(c.text))
			var failed *Error
			if !errors.As(err, &failed) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got\n%s\nwant a mention of %q", shorten(err.Error()), c.want)
			}
			checkProblems(t, failed.Problems, "ci/build.yml")
			if n := len(err.Error()); n > 64<<10 {
				t.Errorf("the error has %d bytes: nobody reads that", n)
			}
		})
	}
}

// each is a text with a number in it, several times.
func each(n int, format string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(parts, ", ")
}

// ids are entries with long identifiers.
func ids(n int) string {
	return each(n, "{identifier: j%d"+strings.Repeat("y", 50)+"}")
}

// axes are lists of so many values.
func axes(n, values int) string {
	return each(n, "V%d: ["+strings.TrimSuffix(strings.Repeat("x, ", values), ", ")+"]")
}

// ring is a graph in which every job waits for the next one.
func ring(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf("{identifier: j%d, depend-on: [j%d]}", i, (i+1)%n)
	}
	return strings.Join(parts, ", ")
}

func staircase(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i))
	}
	return b.String()
}

// longKeys would make the parser build a path string of 90 KB for each of 5,000 values.
func longKeys() string {
	var b strings.Builder
	for i := range 90 {
		fmt.Fprintf(&b, "%s%s:\n", strings.Repeat(" ", i), strings.Repeat("k", 1000))
	}
	return b.String() + strings.Repeat(" ", 90) + "- [" + strings.Repeat("x,", 5000) + "]\n"
}

// checkProblems holds what every problem promises.
func checkProblems(t *testing.T, problems []Problem, file string) {
	t.Helper()
	for _, p := range problems {
		switch {
		case p.File != file, p.Line < 1, p.Column < 1, p.Message == "":
			t.Errorf("a problem lacks its place or message: %+v", p)
		case p.Severity != SeverityError && p.Severity != SeverityWarning:
			t.Errorf("a problem has the severity %q", p.Severity)
		}
		for _, r := range p.String() {
			if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
				t.Errorf("a problem prints %U: %q", r, p.String())
				break
			}
		}
	}
}

// TestPlanIsBounded: shards, aliases and matrices cannot make a short file a gigabyte of state, nor other files a day
// of work.
func TestPlanIsBounded(t *testing.T) {
	long := strings.Repeat("x", 500_000)
	other := "version: 0.2\nphases: {build: {commands: [" + long + "]}}\n"
	files := func(n int) string {
		return "version: 0.2\nbatch: {build-list: [" + each(n, "{identifier: j%[1]d, buildspec: f%[1]d.yml}") + "]}\n"
	}
	for name, c := range map[string]struct{ text, want string }{
		"shards":               {"version: 0.2\nbatch: {build-fanout: {parallelism: 256}}\nphases: {build: {commands: [" + long + "]}}\n", "over 256 jobs, and may have 16777216"},
		"a matrix":             {"version: 0.2\nbatch: {build-matrix: {dynamic: {env: {variables: {" + axes(2, 100) + "}}}}}\nphases: {build: {commands: [" + long + "]}}\n", "over 10000 jobs"},
		"signs that grow":      {"version: 0.2\nbatch: {build-fanout: {parallelism: 256}}\nphases: {build: {commands: ['" + strings.Repeat("&", 15_000) + "']}}\n", "over 256 jobs"},
		"a matrix of many":     {"version: 0.2\nbatch: {build-matrix: {dynamic: {env: {variables: {" + axes(50, 100) + "}}}}}" + tail, "more jobs than can be counted here"},
		"variables of many":    {"version: 0.2\nbatch: {build-matrix: {static: {env: {variables: {" + each(3000, "S%d: x") + "}}}, dynamic: {env: {variables: {" + axes(2, 100) + "}}}}}" + tail, "over 10000 jobs"},
		"files without end":    {files(150), "more than 100 other files"},
		"files that are large": {files(50), "more than 4194304 bytes together"},
	} {
		spec, err := Parse(DefaultFile, []byte(c.text))
		if err != nil {
			t.Fatalf("%s: %s", name, shorten(err.Error()))
		}
		_, err = spec.Plan(Options{Read: func(path string) ([]byte, error) {
			if name == "files that are large" {
				return []byte(other), nil
			}
			return []byte("version: 0.2" + tail), nil
		}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want a refusal that says %q", name, err, c.want)
		}
	}
}

// TestPlanSizeIsTrue: what is taken for a plan's size is not far from what it takes as JSON.
func TestPlanSizeIsTrue(t *testing.T) {
	eachVector(t, func(name string, archive *txtar.Archive) {
		text, opts := inputs(t, archive)
		spec, err := Parse(DefaultFile, text)
		if err != nil {
			return
		}
		p := &planner{report: newReport(spec.src), spec: spec, opts: opts, named: map[string]base{}}
		_, jobs := p.jobs()
		raw, err := json.Marshal(jobs)
		if err != nil {
			t.Fatal(err)
		}
		if got := float64(len(raw)); len(jobs) > 0 && (got > 1.2*float64(p.size) || got < 0.3*float64(p.size)) {
			t.Errorf("%s: %d jobs take %d bytes, and were taken for %d", name, len(jobs), len(raw), p.size)
		}
	})
}

// TestProblemsAreBounded: the fifty-first problem is a count.
func TestProblemsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 0.2\nphases: {build: {commands: [make]}}\n")
	for i := range 200 {
		fmt.Fprintf(&b, "unknown%d: x\n", i)
	}
	spec, err := Parse(DefaultFile, []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(spec.Warnings); n != maxProblems+1 {
		t.Fatalf("got %d warnings, want %d and a count", n, maxProblems)
	}
	if last := spec.Warnings[maxProblems].Message; last != "150 more warnings are not shown" {
		t.Errorf("the last warning is %q", last)
	}
}
