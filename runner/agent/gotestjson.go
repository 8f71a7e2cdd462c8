package agent

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/runner-ci/runner/runner/wire"
)

// Where a shard runs go test, it runs go test -json: the events are kept as a report, which knows every test, and what
// go test would have printed is made of them again. That is exact but for what a test writes to standard output in the
// form of a line of t.Log, or without an end of line before one.

// goReportsDir is a directory beside the socket, in which the events lie until reports are collected.
const goReportsDir = "go-test"

// goReportsFormat is the format of the events, as package tests/parse calls it.
const goReportsFormat = "GOTESTJSON"

// discoverVar turns off the looking for reports, as CodeBuild has it.
const discoverVar = "CODEBUILD_CONFIG_AUTO_DISCOVER"

// shellSyntax is what makes of a command more than a program and its arguments.
const shellSyntax = "|;&<>`$\n"

// asJSON returns the command that prints events, and whether tests are listed as with -v. A command whose output somebody
// else reads, or that tells go test to do something else, is left alone.
func asJSON(command string) (changed string, verbose, ok bool) {
	at := goTestCommand.FindStringIndex(command)
	plain := strings.NewReplacer("$"+shardFilesVar, "", "${"+shardFilesVar+"}", "").Replace(command)
	if at == nil || strings.ContainsAny(plain, shellSyntax) || strings.Contains(command, "GOFLAGS=") {
		return "", false, false
	}
	if strings.EqualFold(os.Getenv(discoverVar), "false") {
		return "", false, false // no report is wanted
	}
	for _, word := range append(strings.Fields(command[at[1]:]), strings.Fields(os.Getenv("GOFLAGS"))...) {
		flag, value, valued := strings.Cut(strings.TrimPrefix(word, "-"), "=")
		switch strings.TrimPrefix(strings.TrimPrefix(flag, "-"), "test.") {
		case "json", "c", "n", "h", "help", "args", "bench", "fuzz", "list":
			if strings.HasPrefix(word, "-") {
				return "", false, false
			}
		case "v":
			if strings.HasPrefix(word, "-") {
				verbose = !valued || value == "true" || value == "1"
			}
		}
	}
	end := strings.LastIndex(command[:at[1]], "test") + len("test")
	return command[:end] + " -json" + command[end:], verbose, true
}

// goEvents makes of events what go test prints.
type goEvents struct {
	out, errs io.Writer
	kept      io.Writer // gets the events as they are
	verbose   bool

	lines  goLines
	queue  []*goEventPackage // in the order in which go test prints them
	named  map[string]*goEventPackage
	failed bool
}

// goEvent is what matters of an event.
type goEvent struct {
	Action, Package, Test, Output string
}

// maxGoEvent bounds a line that is taken for an event. Those of go test have some kilobytes.
const maxGoEvent = 1 << 20

// Write reads events. What is none goes on as it is: a message of the shell, say.
func (g *goEvents) Write(text []byte) (int, error) {
	return g.lines.write(text, g.take)
}

func (g *goEvents) take(line []byte) error {
	var e goEvent
	if line[0] != '{' || json.Unmarshal(line, &e) != nil || e.Action == "" {
		_, err := g.out.Write(line)
		return err
	}
	_, _ = g.kept.Write(line) // a report that is cut off is one all the same
	if e.Action == "build-output" {
		_, err := io.WriteString(g.errs, e.Output)
		return err
	}
	if e.Package == "" {
		return nil
	}
	p := g.named[e.Package]
	if p == nil {
		p = &goEventPackage{verbose: g.verbose, tests: map[string]*goEventTest{}}
		g.named[e.Package] = p
		g.queue = append(g.queue, p)
	}
	p.event(e)
	g.failed = g.failed || p.ended && p.failed
	return g.print()
}

// print prints packages that are over, in order, and with -v what is there of the first that is not.
func (g *goEvents) print() error {
	for len(g.queue) > 0 {
		p := g.queue[0]
		if g.verbose || p.ended {
			if _, err := g.out.Write(p.text); err != nil {
				return err
			}
			p.text = p.text[:0]
		}
		if !p.ended {
			return nil
		}
		g.queue = g.queue[1:]
	}
	return nil
}

// finish prints what is left when go test has ended, and the line that go test ends with when something failed.
func (g *goEvents) finish() {
	g.lines.rest(g.take)
	for _, p := range g.queue {
		_, _ = g.out.Write(p.text)
	}
	if g.failed {
		_, _ = io.WriteString(g.out, "FAIL\n")
	}
}

// goEventPackage is one package whose tests run.
type goEventPackage struct {
	verbose bool
	text    []byte // to print
	result  string // the line that says how it ended
	tests   map[string]*goEventTest
	last    string // the test that the output named last, which -v does when it changes
	ended   bool
	failed  bool

	fails   []string // tests, without those within others
	summed  bool     // the binary said in the end that tests failed
	unclear bool     // something besides failed tests went wrong
}

// goEventTest is one test. Without -v the log of a test is printed below the line that says that it failed, and the
// failed tests below it further in; with -v the log is printed at once and the results of all tests are told so.
type goEventTest struct {
	below   []byte
	ended   bool
	logging bool // the last line was one of its log
	partial bool // the last line is not at its end
}

func (p *goEventPackage) event(e goEvent) {
	switch e.Action {
	case "output":
		if e.Test != "" {
			p.output(e.Test, e.Output)
			return
		}
		p.text = append(p.text, e.Output...)
		p.understand(e.Output)
		if first, _, ok := strings.Cut(e.Output, "\t"); ok && slices.Contains([]string{"ok  ", "?   ", ""}, first) {
			p.result = e.Output
		}
	case "pass", "fail", "skip":
		if e.Action == "fail" && e.Test != "" && !strings.Contains(e.Test, "/") && !slices.Contains(p.fails, e.Test) {
			p.fails = append(p.fails, e.Test)
			p.fails = p.fails[:min(len(p.fails), wire.MaxFailedTests+1)]
		}
		if e.Test == "" {
			p.ended, p.failed = true, e.Action == "fail"
			if !p.failed && !p.verbose {
				p.text = []byte(p.result)
			}
		}
	}
}

// goLogLine is how a line of t.Log begins; more lines of the same text are indented further.
var goLogLine = regexp.MustCompile(`^    [^\s:][^:\n]*:\d+: `)

func (p *goEventPackage) output(name, text string) {
	t := p.tests[name]
	if t == nil {
		t = &goEventTest{}
		p.tests[name] = t
	}
	line := strings.TrimLeft(text, " ")
	switch {
	case strings.HasPrefix(line, "--- ") && len(line) > len("--- FAIL: ") && strings.HasPrefix(line[len("--- FAIL: "):], name+" ("):
		p.report(t, name, line, text[:len(text)-len(line)])
		t.partial, t.logging = false, false
		return
	case t.partial:
	case strings.HasPrefix(text, "=== "):
		if p.verbose {
			p.text = append(p.text, text...)
		}
		p.last = name
		return
	default:
		t.logging = goLogLine.MatchString(text) || t.logging && strings.HasPrefix(text, "        ")
		if t.logging && p.verbose && p.last != name {
			p.text = append(p.text, "=== NAME  "+name+"\n"...)
			p.last = name
		}
	}
	t.partial = !strings.HasSuffix(text, "\n")
	if t.logging && !p.verbose && !t.ended {
		t.below = append(t.below, text...)
		return
	}
	p.text = append(p.text, text...)
}

// report prints how a test ended, with what belongs below, or keeps that for the test around it. Subtests end before it
// does, or are told of after it, as with -v, and then as far in as they belong.
func (p *goEventPackage) report(t *goEventTest, name, line, in string) {
	t.ended = true
	block := append([]byte(line), t.below...)
	t.below = nil
	if !p.verbose && !strings.HasPrefix(line, "--- FAIL") {
		return
	}
	switch around := p.around(name); {
	case around != nil && !around.ended:
		around.below = append(around.below, indented(block, "    ")...)
		return
	case around == nil:
		p.last = name
	}
	p.text = append(p.text, indented(block, in)...)
}

// around is the test that a subtest belongs to. Names of subtests may hold slashes.
func (p *goEventPackage) around(name string) *goEventTest {
	for i := strings.LastIndexByte(name, '/'); i > 0; i = strings.LastIndexByte(name[:i], '/') {
		if t := p.tests[name[:i]]; t != nil {
			return t
		}
	}
	return nil
}

func indented(block []byte, in string) []byte {
	var further []byte
	for line := range bytes.Lines(block) {
		further = append(append(further, in...), line...)
	}
	return further
}
