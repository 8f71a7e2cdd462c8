package agent

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// pytestSuite knows the tests of files that pytest runs, by a plugin that is loaded into it. So the test command stays as
// it is, and whatever options, configuration or conftest.py say of tests holds.
type pytestSuite struct {
	command string
	dir     string // of the plugin and what it is asked
	asked   int
}

//go:embed pytestplugin.py
var pytestPlugin []byte

const (
	pytestPluginName = "runner_pytest_plugin"
	pytestAskVar     = "RUNNER_PYTEST"
	pytestOptionsVar = "PYTEST_ADDOPTS"
	pythonPathVar    = "PYTHONPATH"
)

// pytestCommand is a command that runs pytest, perhaps with variables before it, by python or by what runs it in the
// project's environment. Not by coverage, which would report the plugin as source.
var pytestCommand = regexp.MustCompile(`^\s*(?:[A-Za-z_][A-Za-z0-9_]*=(?:[^\s'"]|'[^']*'|"[^"]*")*\s+)*(?:(?:poetry|uv|pipenv|pdm|hatch|rye)\s+run\s+)?` +
	`(?:(?:\S*/)?python[0-9.]*\s+(?:-[uBbqOsv]+\s+)*-m\s+pytest|(?:\S*/)?(?:pytest|py\.test)(?:-3)?)(?:\s|$)`)

// pytestAlone are options with which pytest does not run all tests that it is given, or not where the plugin is.
var pytestAlone = regexp.MustCompile(`(?:^|\s)(?:-x|--exitfirst|--maxfail|--sw|--stepwise|--lf|--last-failed|--collect-only|--co|--tx|--rsyncdir|--pyargs|-f|--looponfail)(?:[\s=]|$)`)

// openPytest returns what knows the tests of a test command, nil if that is not pytest, or not so that each test that it
// is given runs.
func openPytest(command string) *pytestSuite {
	plain := withoutOurVars(command)
	if !pytestCommand.MatchString(command) || strings.ContainsAny(plain, shellSyntax) || pytestAlone.MatchString(plain) ||
		strings.Contains(command, pytestOptionsVar+"=") || strings.Contains(command, pythonPathVar+"=") {
		return nil
	}
	dir, err := os.MkdirTemp("", "codebuild-tests-run-*")
	if err != nil {
		return nil // pytest is more important than what is known of it
	}
	if err := os.WriteFile(filepath.Join(dir, pytestPluginName+".py"), pytestPlugin, 0o600); err != nil {
		_ = os.RemoveAll(dir)
		return nil
	}
	return &pytestSuite{command: command, dir: dir}
}

func (p *pytestSuite) close() { _ = os.RemoveAll(p.dir) }

// pytestAsk is what the plugin is asked.
type pytestAsk struct {
	Files  []string            `json:"files"`
	Wanted map[string][]string `json:"wanted"` // by file, where not all of its tests are to run
	List   bool                `json:"list"`
	Told   string              `json:"told"` // the file to write
	Env    map[string]*string  `json:"env"`  // what these variables were before
}

// ask returns the variables with which pytest loads the plugin, and where it will write.
func (p *pytestSuite) ask(ask pytestAsk) (vars []string, told string, err error) {
	p.asked++
	told = filepath.Join(p.dir, "told-"+strconv.Itoa(p.asked))
	file := filepath.Join(p.dir, "ask-"+strconv.Itoa(p.asked))
	ask.Told, ask.Env = told, map[string]*string{}
	options, path := "-p "+pytestPluginName, p.dir
	if ask.List {
		options += " --collect-only -q"
	}
	for name, ours := range map[string]*string{pytestOptionsVar: &options, pythonPathVar: &path} {
		ask.Env[name] = nil
		if was, set := os.LookupEnv(name); set {
			if ask.Env[name] = &was; was != "" && name == pythonPathVar {
				*ours += ":" + was
			} else {
				*ours = was + " " + *ours
			}
		}
	}
	if ask.Wanted == nil {
		ask.Wanted = map[string][]string{}
	}
	text, err := json.Marshal(ask)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	return []string{pytestAskVar + "=" + file, pytestOptionsVar + "=" + options, pythonPathVar + "=" + path}, told, err
}

// run implements testSuite.
func (p *pytestSuite) run(files []string, wanted map[string][]string, vars ...string) (suiteTold, int) {
	ours, told, err := p.ask(pytestAsk{Files: files, Wanted: wanted})
	if err != nil {
		fmt.Printf("codebuild-tests-run: what pytest tells of each test will not be known: %v\n", err)
	}
	exit := runTests(p.command, files, nil, append(ours, vars...)...)
	return readPytest(told), exit
}

func (p *pytestSuite) mixes() bool { return true }

// maxPytestLine bounds a line of the plugin.
const maxPytestLine = 1 << 20

// pytestLine is a line of the plugin.
type pytestLine struct {
	Kind, File, Test string
	Took             float64
	Exit             int
}

// readPytest reads what the plugin wrote. The last line may be cut off.
func readPytest(path string) suiteTold {
	t := newTold()
	f, err := os.Open(path)
	if err != nil {
		return t
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxPytestLine)
	for lines.Scan() {
		var l pytestLine
		if json.Unmarshal(lines.Bytes(), &l) == nil {
			t.notePytest(l)
		}
	}
	return t
}

func (t *suiteTold) notePytest(l pytestLine) {
	switch l.Kind {
	case "begin":
		t.began, t.whole = true, l.Test
		return
	case "over": // 1: tests failed; 5: there was none
		t.complete = len(t.broken) == 0 && (l.Exit == 0 || l.Exit == 1 || l.Exit == 5)
		return
	case "has":
		t.has[l.File] = append(t.has[l.File], l.Test)
		return
	case "broken":
		t.broken[l.File] = true
		return
	}
	if t.ends[l.File] == nil {
		t.ends[l.File] = map[string]testEnd{}
	}
	end, known := t.ends[l.File][l.Test]
	if !known {
		end.outcome = outcomePassed
	}
	end.took += time.Duration(l.Took * float64(time.Second))
	switch l.Kind {
	case "fail":
		end.outcome, end.over = outcomeFailed, true
	case "end":
		end.over = true
	}
	t.ends[l.File][l.Test] = end
}

// list returns the names of a file's tests.
func (p *pytestSuite) list(file string) ([]string, error) {
	return listTwice(func() ([]string, error) {
		vars, told, err := p.ask(pytestAsk{Files: []string{file}, List: true})
		if err != nil {
			return nil, err
		}
		_, _ = shellOutput(p.command, file, append(vars, testRunVar+"=list")...) // what it says is said again where the file runs
		t := readPytest(told)
		switch {
		case !t.began:
			return nil, errors.New("pytest did not load the plugin that lists them")
		case t.whole != "":
			return nil, fmt.Errorf("pytest's option %s needs it as a whole", t.whole)
		case !t.complete:
			return nil, errors.New("it could not be collected alone, and what pytest says of it follows where it runs")
		}
		return t.has[file], nil
	})
}
