package agent

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// goResults reads the lines by which go test says how each package ended, on their way to the log. What is printed stays
// as it is.
type goResults struct {
	to      *os.File
	command string    // that is run
	events  *goEvents // nil: it prints what it always does
	report  *os.File  // of the events

	line []byte
	cut  bool // the line is too long to be one of those
	ends map[string]goEnd
}

// goEnd is how a package ended. A cached result has no time.
type goEnd struct {
	outcome string
	took    time.Duration
}

// goTestCommand is a command that runs go test, perhaps with variables before it.
var goTestCommand = regexp.MustCompile(`^\s*(?:[A-Za-z_][A-Za-z0-9_]*=(?:[^\s'"]|'[^']*'|"[^"]*")*\s+)*go\s+test(?:\s|$)`)

// watchGo returns what reads the results of a test command, nil if that is not go test. Events are kept below reports,
// if that is a directory, in a file whose name begins with name.
func watchGo(command, reports, name string) *goResults {
	if !goTestCommand.MatchString(command) {
		return nil
	}
	g := &goResults{to: os.Stdout, command: command, ends: map[string]goEnd{}}
	changed, verbose, ok := asJSON(command)
	if !ok || reports == "" {
		return g
	}
	var err error
	if g.report, err = os.CreateTemp(reports, name+"-*.json"); err != nil {
		return g // go test is more important than a report of it
	}
	g.command = changed
	g.events = &goEvents{out: g, errs: os.Stderr, kept: g.report, verbose: verbose, named: map[string]*goEventPackage{}}
	return g
}

// watchEvents is watchGo for a command of which nothing but the report is wanted: nil where there is none to have, so that
// the command prints by itself.
func watchEvents(command string) *goResults {
	at := os.Getenv(testsVar)
	if at == "" {
		return nil
	}
	g := watchGo(command, filepath.Join(filepath.Dir(at), goReportsDir), runName(wire.TestsAnswer{}, 1))
	if g == nil || g.events == nil {
		return nil
	}
	return g
}

// commandOr returns the command to run instead of a test command.
func (g *goResults) commandOr(command string) string {
	if g == nil {
		return command
	}
	return g.command
}

// stand stands between a command and the log.
func (g *goResults) stand(cmd *exec.Cmd) {
	cmd.WaitDelay = leftBehind
	if g.events != nil {
		cmd.Stdout = g.events
		return
	}
	cmd.Stdout = g
	out, err := os.Stdout.Stat()
	if errs, err2 := os.Stderr.Stat(); err == nil && err2 == nil && os.SameFile(out, errs) {
		cmd.Stderr = g // one stream, in the order written
	}
}

// finish is called when the command has ended.
func (g *goResults) finish() {
	if g.events == nil {
		return
	}
	g.events.finish()
	if info, err := g.report.Stat(); err == nil && info.Size() == 0 {
		_ = os.Remove(g.report.Name())
	}
	g.report.Close()
}

// leftBehind is how long the output of processes is read that a test command left in the background.
const leftBehind = 2 * time.Second

// maxGoLine bounds a line that is looked at.
const maxGoLine = 8 << 10

// Write passes on what a command prints, and reads it.
func (g *goResults) Write(text []byte) (int, error) {
	for rest := text; len(rest) > 0; {
		line, more, ended := bytes.Cut(rest, []byte{'\n'})
		if len(g.line)+len(line) > maxGoLine {
			g.cut = true
		}
		if !g.cut {
			g.line = append(g.line, line...)
		}
		rest = more
		if ended {
			if !g.cut {
				g.read(string(g.line))
			}
			g.line, g.cut = g.line[:0], false
		}
	}
	return g.to.Write(text)
}

// read reads a line:
//
//	ok  	example.com/m/a	0.004s
//	ok  	example.com/m/a	(cached)	coverage: 80.0% of statements
//	FAIL	example.com/m/b	0.004s
//	FAIL	example.com/m/c [build failed]
//	?   	example.com/m/d	[no test files]
//		example.com/m/e		coverage: 0.0% of statements
func (g *goResults) read(line string) {
	words := strings.Split(line, "\t")
	if len(words) < 2 {
		return
	}
	end := goEnd{outcome: outcomePassed}
	switch words[0] {
	case "ok  ", "?   ", "":
	case "FAIL":
		end.outcome = outcomeFailed
	default:
		return
	}
	path, why, _ := strings.Cut(words[1], " ")
	switch {
	case path == "" || words[0] == "" && (len(words) < 4 || words[2] != ""):
		return
	case why == "[build failed]" || why == "[setup failed]":
		end.outcome = outcomeBroken
	case len(words) > 2:
		end.took, _ = time.ParseDuration(words[2]) // nothing for "(cached)"
	}
	g.ends[path] = end
}

// results returns how items of a batch ended, as far as it is known which package each is: an item is the import path or
// its end, and the longest one counts; "." is what is left.
func (g *goResults) results(items []int, names []string) []wire.TestResult {
	if g == nil {
		return nil
	}
	byName := make(map[string]int, len(items))
	for _, item := range items {
		name := strings.TrimSuffix(names[item], "/")
		for strings.HasPrefix(name, "../") {
			name = name[len("../"):]
		}
		byName[name] = item
	}
	found := map[int]goEnd{}
	twice := map[int]bool{}
	var others []goEnd
	for path, end := range g.ends {
		for at := path; ; {
			if item, ok := byName[at]; ok {
				_, again := found[item]
				found[item], twice[item] = end, twice[item] || again
				break
			}
			_, after, more := strings.Cut(at, "/")
			if !more {
				others = append(others, end)
				break
			}
			at = after
		}
	}
	if item, ok := byName["."]; ok && len(others) == 1 {
		found[item] = others[0]
	}
	var results []wire.TestResult
	for _, item := range items {
		if end, ok := found[item]; ok && !twice[item] {
			results = append(results, wire.TestResult{Item: item, Outcome: end.outcome, Millis: end.took.Milliseconds()})
		}
	}
	return results
}
