package parse

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/runner-ci/runner/tests"
)

// goEvent is a line of go test -json, as go doc test2json and go help buildjson describe it.
type goEvent struct {
	Action, Package, Test string
	Elapsed               float64 // seconds
	Output                string
	ImportPath            string // of build-output and build-fail
	FailedBuild           string // the import path whose build broke the package
}

// Bounds of goTest. The first four are bytes: of the output of all tests that run at one time, of one build's, of all
// builds' with their names, and of the names of tests and packages that have begun and not ended.
const (
	maxGoOutput = 16 << 20
	maxGoBuild  = 64 << 10
	maxGoBuilds = 4 << 20
	maxGoNames  = 16 << 20
	// maxGoRunning is how many tests, and how many packages, may have begun and not ended.
	maxGoRunning = 50_000
)

// goTest follows the events. A test is handed out when it ends; a package that fails without a test that did is a
// case of its own.
type goTest struct {
	in       *input
	packages map[string]*goPackage
	builds   map[string]*bounded // by import path
	kept     int                 // bytes of output
	built    int                 // bytes of builds
	names    int                 // bytes of what has begun and not ended
	running  int                 // tests
}

type goPackage struct {
	name   string
	open   map[string]*goOpen
	order  []string
	failed bool // a test of it failed
	output bounded
}

type goOpen struct{ output bounded }

func parseGoTest(in *input) error {
	g := &goTest{in: in, packages: map[string]*goPackage{}, builds: map[string]*bounded{}}
	lines := &textLines{src: in.Reader}
	foreign := 0
	for {
		line, err := lines.next()
		if err != nil {
			if err == io.EOF {
				err = g.rest()
			}
			return err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var e goEvent
		if line[0] != '{' || json.Unmarshal(line, &e) != nil || e.Action == "" {
			if foreign++; foreign == lines.Number && foreign > 1000 {
				return fmt.Errorf("line %d: found no event in the first 1000 lines, expected one JSON object a line, as go test -json writes", lines.Number)
			}
			continue // what a compiler or a test wrote past test2json
		}
		for _, name := range []*string{&e.Package, &e.Test, &e.ImportPath} {
			if len(*name) > tests.MaxName {
				*name = strings.Clone(tests.Cut(*name, tests.MaxName)) // lets go of the rest
			}
		}
		if err := g.event(&e); err != nil {
			return fmt.Errorf("line %d: %w", lines.Number, err)
		}
	}
}

func (g *goTest) event(e *goEvent) error {
	if e.ImportPath != "" {
		g.build(e)
		return nil
	}
	p := g.packages[e.Package]
	if p == nil {
		if len(g.packages) >= maxGoRunning {
			return fmt.Errorf("more than %d packages have begun and not ended", maxGoRunning)
		}
		if err := g.named(len(e.Package)); err != nil {
			return err
		}
		p = &goPackage{name: e.Package, open: map[string]*goOpen{}}
		p.output.reset(tests.MaxDetails)
		g.packages[e.Package] = p
	}
	switch e.Action {
	case "run":
		if e.Test != "" {
			return g.start(p, e.Test)
		}
	case "output":
		g.output(p, e)
	case "pass", "fail", "skip":
		if e.Test == "" {
			return g.endPackage(p, e)
		}
		return g.endTest(p, e)
	}
	return nil
}

// named counts the name of what has begun.
func (g *goTest) named(size int) error {
	if g.names += size; g.names > maxGoNames {
		return fmt.Errorf("the names of tests and packages that have begun and not ended are longer than %d bytes", maxGoNames)
	}
	return nil
}

// build collects what a compiler says.
func (g *goTest) build(e *goEvent) {
	b := g.builds[e.ImportPath]
	if b == nil && len(g.builds) < 1000 && g.built < maxGoBuilds {
		b = &bounded{max: maxGoBuild}
		g.builds[e.ImportPath] = b
		g.built += len(e.ImportPath)
	}
	if b == nil || e.Action != "build-output" {
		return
	}
	b.addWithin(e.Output, &g.built, maxGoBuilds)
}

// start begins a test. Of the names of tests that began in a package only those that still run are kept.
func (g *goTest) start(p *goPackage, test string) error {
	if old := p.open[test]; old != nil {
		g.close(p, test, old)
	}
	if g.running++; g.running > maxGoRunning {
		return fmt.Errorf("more than %d tests have begun and not ended", maxGoRunning)
	}
	if err := g.named(len(test)); err != nil {
		return err
	}
	if len(p.order) > 2*len(p.open)+1000 {
		p.order = slices.DeleteFunc(p.order, func(name string) bool { return p.open[name] == nil })
	}
	p.order = append(p.order, test)
	p.open[test] = &goOpen{output: bounded{max: tests.MaxDetails}}
	return nil
}

func (g *goTest) output(p *goPackage, e *goEvent) {
	into := &p.output
	if o := p.open[e.Test]; o != nil {
		into = &o.output
		if chatter(e.Output) {
			return
		}
	}
	into.addWithin(e.Output, &g.kept, maxGoOutput)
}

// chatter tells whether a line of output only repeats an event.
func chatter(line string) bool {
	line = strings.TrimLeft(line, " ")
	for _, prefix := range []string{"=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME ", "--- FAIL: ", "--- PASS: ", "--- SKIP: "} {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

func (g *goTest) endTest(p *goPackage, e *goEvent) error {
	o := p.open[e.Test]
	if o == nil { // a benchmark, or the beginning of the file is missing
		o = &goOpen{}
	}
	g.close(p, e.Test, o)
	c := &tests.Case{
		Suite: p.name, Class: p.name, Name: e.Test, Unique: true, Status: tests.Succeeded,
		Duration: span(e.Elapsed * float64(time.Second)),
	}
	text := strings.Trim(o.output.string(), "\n")
	switch e.Action {
	case "fail":
		c.Status, c.Details = tests.Failed, text
		c.Message = goMessage(text)
		p.failed = true
		if c.Message == "" {
			c.Message = "a subtest failed"
		}
	case "skip":
		c.Status, c.Message = tests.Skipped, goMessage(text)
	}
	return g.in.emit(c)
}

func (g *goTest) close(p *goPackage, test string, o *goOpen) {
	g.kept -= len(o.output.raw)
	if p.open[test] != nil {
		delete(p.open, test)
		g.running--
		g.names -= len(test)
	}
}

// goMessage is the first line of a test's log, without file and line.
func goMessage(text string) string {
	for chatter(firstLine(text)) {
		_, text, _ = strings.Cut(strings.TrimLeft(text, "\n"), "\n")
	}
	line := firstLine(text)
	if p, ok := nextPlace(line, 0); ok && p.start == 0 {
		line = strings.TrimPrefix(line[p.end:], ": ")
	}
	return line
}

// endPackage tells of what no test tells: code that did not build, tests that did not end because the binary died,
// and a binary that failed for another reason.
func (g *goTest) endPackage(p *goPackage, e *goEvent) error {
	delete(g.packages, p.name)
	g.names -= len(p.name)
	output := strings.Trim(p.output.string(), "\n")
	g.kept -= len(p.output.raw)
	if e.Action != "fail" {
		return g.unfinished(p, tests.Unknown, "the package ended, but this test did not")
	}
	broken := e.FailedBuild != "" || strings.Contains(output, "[build failed]") || strings.Contains(output, "[setup failed]")
	if broken {
		c := &tests.Case{Suite: p.name, Class: p.name, Name: "[build failed]", Status: tests.Error, Build: true, Unique: true, Details: output}
		if b := g.builds[e.FailedBuild]; b != nil && len(b.raw) > 0 {
			c.Details = strings.Trim(b.string(), "\n")
		}
		c.Message = goBuildMessage(c.Details)
		return g.in.emit(c)
	}
	if len(p.open) > 0 {
		return g.unfinished(p, tests.Failed, "the test did not end: the test binary exited")
	}
	if p.failed {
		return nil
	}
	return g.in.emit(&tests.Case{
		Suite: p.name, Class: p.name, Name: "TestMain", Status: tests.Error, Unique: true,
		Message: "the test binary failed, though no test did", Details: output,
	})
}

// goBuildMessage is the compiler's first complaint.
func goBuildMessage(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "# ") {
			return line
		}
	}
	return "the package did not build"
}

// unfinished hands out tests that began and never ended. Of those that contain each other the innermost is to blame,
// but all are red.
func (g *goTest) unfinished(p *goPackage, status tests.Status, message string) error {
	for _, test := range p.order {
		o := p.open[test]
		if o == nil {
			continue
		}
		g.close(p, test, o)
		text := strings.Trim(o.output.string(), "\n")
		c := &tests.Case{Suite: p.name, Class: p.name, Name: test, Unique: true, Status: status, Message: message, Details: text}
		if strings.HasPrefix(text, "panic: ") {
			c.Status, c.Message = tests.Error, firstLine(text)
		}
		if err := g.in.emit(c); err != nil {
			return err
		}
	}
	return nil
}

// rest hands out what was still running when the file ended.
func (g *goTest) rest() error {
	names := make([]string, 0, len(g.packages))
	for _, p := range g.packages {
		names = append(names, p.name)
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	for _, name := range names {
		if err := g.unfinished(g.packages[name], tests.Unknown, "the report ends before this test does"); err != nil {
			return err
		}
	}
	return fmt.Errorf("the file ends while %d packages still run, %s first; it was cut off while it was written", len(names), names[0])
}
