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
	"slices"
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
// project's environment.
var pytestCommand = regexp.MustCompile(`^\s*(?:[A-Za-z_][A-Za-z0-9_]*=(?:[^\s'"]|'[^']*'|"[^"]*")*\s+)*(?:(?:poetry|uv|pipenv|pdm|hatch|rye)\s+run\s+)?` +
	`(?:(?:coverage\s+run|(?:\S*/)?python[0-9.]*)\s+(?:-[uBbqOsv]+\s+|--?(?:branch|parallel-mode|p|a|append)\s+|--source=\S+\s+)*-m\s+pytest|(?:\S*/)?(?:pytest|py\.test)(?:-3)?)(?:\s|$)`)

// pytestAlone are options with which pytest does not run all tests that it is given, or not where the plugin is.
var pytestAlone = regexp.MustCompile(`(?:^|\s)(?:-x|--exitfirst|--maxfail|--sw|--stepwise|--lf|--last-failed|--collect-only|--co|--tx|--rsyncdir|--pyargs|-f|--looponfail)(?:[\s=]|$)`)

// openPytest returns what knows the tests of a test command, nil if that is not pytest, or not so that each test that it
// is given runs.
func openPytest(command string) *pytestSuite {
	plain := strings.NewReplacer("$"+shardFilesVar, "", "${"+shardFilesVar+"}", "", "$"+testRunVar, "", "${"+testRunVar+"}", "").Replace(command)
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

// pytestTold is what the plugin told of one run.
type pytestTold struct {
	began, over bool
	exit        int
	whole       string                 // the option that keeps it from running all tests
	has         map[string][]string    // by file: the tests that were found
	ends        map[string]*pytestFile // by file
	broken      map[string]bool        // files that could not be read
}

type pytestFile map[string]pytestEnd

type pytestEnd struct {
	goEnd
	over bool // its last part has ended
}

// maxPytestLine bounds a line of the plugin.
const maxPytestLine = 1 << 20

// readPytest reads what the plugin wrote. The last line may be cut off.
func readPytest(path string) pytestTold {
	t := pytestTold{has: map[string][]string{}, ends: map[string]*pytestFile{}, broken: map[string]bool{}}
	f, err := os.Open(path)
	if err != nil {
		return t
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxPytestLine)
	for lines.Scan() {
		var l struct {
			Kind, File, Test string
			Took             float64
			Exit             int
		}
		if json.Unmarshal(lines.Bytes(), &l) == nil {
			t.note(l.Kind, l.File, l.Test, time.Duration(l.Took*float64(time.Second)), l.Exit)
		}
	}
	return t
}

func (t *pytestTold) note(kind, file, test string, took time.Duration, exit int) {
	switch kind {
	case "begin":
		t.began, t.whole = true, test
		return
	case "over":
		t.over, t.exit = true, exit
		return
	case "has":
		t.has[file] = append(t.has[file], test)
		return
	case "broken":
		t.broken[file] = true
		return
	}
	if t.ends[file] == nil {
		t.ends[file] = &pytestFile{}
	}
	end, known := (*t.ends[file])[test]
	if !known {
		end.outcome = outcomePassed
	}
	end.took += took
	switch kind {
	case "fail":
		end.outcome, end.over = outcomeFailed, true
	case "end":
		end.over = true
	}
	(*t.ends[file])[test] = end
}

// complete tells whether pytest went through all that it was given.
func (t *pytestTold) complete() bool {
	return t.over && len(t.broken) == 0 && (t.exit == 0 || t.exit == 1 || t.exit == 5)
}

// list returns the names of a file's tests. They are listed twice: tests whose names hold a time or an address are called
// something else on each shard, which then could not share them.
func (p *pytestSuite) list(file string) ([]string, error) {
	var tests []string
	for again := range 2 {
		vars, told, err := p.ask(pytestAsk{Files: []string{file}, List: true})
		if err != nil {
			return nil, err
		}
		_, _ = shellOutput(p.command, file, append(vars, testRunVar+"=list")...) // what it says is said again where the file runs
		t := readPytest(told)
		found := slices.Sorted(slices.Values(t.has[file]))
		switch {
		case !t.began:
			return nil, errors.New("pytest did not load the plugin that lists them")
		case t.whole != "":
			return nil, fmt.Errorf("pytest's option %s needs it as a whole", t.whole)
		case !t.complete() || t.broken[file]:
			return nil, errors.New("it could not be collected alone, and what pytest says of it follows where it runs")
		case len(found) < 2:
			return nil, fmt.Errorf("%d tests were listed", len(found))
		case again > 0 && !slices.Equal(found, tests):
			return nil, errors.New("its tests have other names each time they are listed; give them ids")
		}
		tests = found
	}
	for i, test := range tests {
		if len(test) > maxPytestName || test == "" || strings.TrimSpace(test) != test || strings.ContainsAny(test, "\r\n\x00") || i > 0 && test == tests[i-1] {
			return nil, fmt.Errorf("it has a test called %.100q, twice or with a name that no list can hold", test)
		}
	}
	return tests, nil
}

// maxPytestName bounds the name of a test within its file.
const maxPytestName = 2048
