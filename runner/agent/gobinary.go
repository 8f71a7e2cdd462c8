package agent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// goTests runs single tests of Go packages. A package is built when it is listed, by the test command itself, so with
// all that its flags ask for and go vet's checks.
type goTests struct {
	before, after string   // of "go test" in the test command: variables, flags
	flags         []string // for the binaries
	verbose       bool
	dir, reports  string
	built         map[string]goBinary // by package, as the search printed it
}

type goBinary struct{ path, dir, file string } // import path, the package's directory

func (g *goTests) close() { _ = os.RemoveAll(g.dir) }

// goListed is a line of what -list prints: a name, then how the package ended.
var (
	goListedTest = regexp.MustCompile(`^(?:Test|Fuzz|Example)[\pL\pN_]*$`)
	goListedEnd  = regexp.MustCompile(`^ok  \t([^\s\t]+)`)
)

func (g *goTests) list(pkg string) ([]string, error) {
	b := goBinary{file: filepath.Join(g.dir, strconv.Itoa(len(g.built))+".test")}
	out, err := shellOutput(g.before+"go test -o "+quoteWord(b.file)+" -list '^(Test|Fuzz|Example)'"+g.after, pkg)
	if err != nil {
		return nil, errors.New("it could not be built and listed alone, and what go test says of it follows where it runs")
	}
	var tests []string
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\r\n")
		if end := goListedEnd.FindStringSubmatch(line); end != nil {
			b.path = end[1]
		} else if goListedTest.MatchString(line) {
			tests = append(tests, line)
		}
	}
	if len(tests) < 2 || b.path == "" {
		return nil, fmt.Errorf("%d tests were listed", len(tests))
	}
	if _, err := os.Stat(b.file); err != nil {
		return nil, errors.New("go test left no binary of it")
	}
	dir, err := shellOutput(g.before+"go list -f '{{.Dir}}'", pkg)
	if b.dir = strings.TrimRight(dir, "\r\n"); err != nil || !filepath.IsAbs(b.dir) {
		return nil, errors.New("go list does not know its directory")
	}
	g.built[pkg] = b
	return tests, nil
}

// shellOutput is what a command prints that gets one file.
func shellOutput(command, file string) (string, error) {
	if !strings.Contains(command, shardFilesVar) {
		command += " " + quoteWord(file)
	}
	cmd := exec.Command(jobShell(), "-c", command)
	cmd.Env = append(os.Environ(), shardFilesVar+"="+file)
	out, err := cmd.Output()
	return string(out), err
}

// maxGoPattern bounds the argument that names the tests of one run.
const maxGoPattern = 64 << 10

// run runs tests of one package by its binary. What never began, because a test before it ended the process, is run
// again without that.
func (g *goTests) run(pkg string, tests []string, name string) (map[string]goEnd, int) {
	ends, exit := make(map[string]goEnd), 0
	for left := tests; len(left) > 0; {
		n, size := 0, 0
		for n < len(left) && (n == 0 || size+len(left[n]) < maxGoPattern) {
			size += len(left[n]) + 1
			n++
		}
		began, status := g.once(g.built[pkg], left[:n], name)
		if status != 0 {
			exit = status
		}
		var more []string
		for _, test := range left[:n] {
			if end, ok := began[test]; ok {
				ends[test] = end
			} else if len(began) > 0 {
				more = append(more, test)
			} else {
				ends[test] = goEnd{outcome: outcomeBroken}
			}
		}
		if status == 0 || len(more) == n { // nothing went wrong, or nothing will ever go otherwise
			for _, test := range more {
				ends[test] = goEnd{outcome: outcomeOf(status)}
			}
			more = nil
		}
		left = append(more, left[n:]...)
	}
	return ends, exit
}

// once runs the binary once, and tells how each test ended that began.
func (g *goTests) once(b goBinary, tests []string, name string) (map[string]goEnd, int) {
	script := "cd " + quoteWord(b.dir) + " && " + g.before + "go tool test2json -t -p " + quoteWord(b.path) + " " + quoteWord(b.file) +
		" -test.paniconexit0 -test.v=test2json " + quoteAll(g.flags) + " -test.run " + quoteWord("^("+strings.Join(tests, "|")+")$")
	events := &goEvents{out: os.Stdout, errs: os.Stderr, kept: io.Discard, verbose: g.verbose, named: map[string]*goEventPackage{}}
	if g.reports != "" {
		if report, err := os.CreateTemp(g.reports, name+"-*.json"); err == nil {
			defer report.Close()
			events.kept = report
		}
	}
	ends := &goTestEnds{to: events, path: b.path, tests: map[string]goEnd{}, fails: map[string]bool{}}
	cmd := exec.Command(jobShell(), "-c", script)
	cmd.Env = append(os.Environ(), testRunVar+"="+name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = os.Stdin, ends, os.Stderr, leftBehind
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	status := statusOfRun(err)
	ends.finish(status)
	events.finish()
	return ends.tests, status
}
