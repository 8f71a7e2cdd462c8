package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// jestSuite knows the tests of files that Jest runs, by the results that it writes with --json.
type jestSuite struct {
	command string
	end     int // of the words that call Jest in the command
	results string
}

// jestCommand is a command that runs Jest, perhaps with variables before it.
var jestCommand = regexp.MustCompile(`^\s*(?:[A-Za-z_][A-Za-z0-9_]*=(?:[^\s'"]|'[^']*'|"[^"]*")*\s+)*` +
	`(?:npx\s+(?:--no-install\s+|--no\s+|--yes\s+|-y\s+)?|yarn\s+(?:run\s+)?|pnpm\s+(?:exec\s+)?|node\s+(?:--[a-z-]+\s+)*|bunx\s+)?(?:\S*/)?jest(?:\.js)?(?:\s|$)`)

// jestAlone are options with which Jest does not run all tests of the files that it is given, or writes its results elsewhere.
var jestAlone = regexp.MustCompile(`(?:^|\s)(?:--json|--outputFile|-t|--testNamePattern|--watch|--watchAll|-b|--bail|-o|--onlyChanged|--onlyFailures|-f|--changedSince|--shard|--listTests|--findRelatedTests|--lastCommit|--showConfig|--coverage|--collectCoverage)(?:[\s=]|$)`)

// openJest returns what knows the tests of a test command, nil if that is not Jest, or not so that each test that it is
// given runs.
func openJest(command string) *jestSuite {
	plain := withoutOurVars(command)
	at := jestCommand.FindStringIndex(command)
	if at == nil || strings.ContainsAny(plain, shellSyntax) || jestAlone.MatchString(plain) {
		return nil
	}
	f, err := os.CreateTemp("", "codebuild-tests-run-*.json")
	if err != nil {
		return nil // Jest is more important than what is known of it
	}
	f.Close()
	return &jestSuite{command: command, end: len(strings.TrimRight(command[:at[1]], " \t")), results: f.Name()}
}

func (j *jestSuite) close() { _ = os.Remove(j.results) }

// mixes: the pattern of names holds for all files of a run.
func (j *jestSuite) mixes() bool { return false }

// asking is the command that writes results, with more options.
func (j *jestSuite) asking(options string) string {
	return j.command[:j.end] + " --json --outputFile=" + quoteWord(j.results) + options + j.command[j.end:]
}

// run implements testSuite.
func (j *jestSuite) run(files []string, wanted map[string][]string, vars ...string) (suiteTold, int) {
	_ = os.Remove(j.results)
	options := ""
	if tests := wanted[files[0]]; len(tests) > 0 {
		options = " --runTestsByPath --testNamePattern " + quoteWord(jestPattern(tests))
	}
	exit := runTests(j.asking(options), files, nil, vars...)
	return readJest(j.results, files), exit
}

// jestPattern matches the full names of tests, and no other.
func jestPattern(tests []string) string {
	escaped := make([]string, len(tests))
	for i, test := range tests {
		escaped[i] = regexp.QuoteMeta(test)
	}
	return "^(" + strings.Join(escaped, "|") + ")$"
}

// list returns the full names of a file's tests: with a pattern that no name matches all are told, and none runs.
func (j *jestSuite) list(file string) ([]string, error) {
	tests, err := listTwice(func() ([]string, error) {
		_ = os.Remove(j.results)
		_, _ = shellOutput(j.asking(" --runTestsByPath --testNamePattern '(?!)'"), file, testRunVar+"=list")
		t := readJest(j.results, []string{file})
		switch {
		case !t.began:
			return nil, errors.New("its results with --json list none")
		case t.broken[file]:
			return nil, errors.New("it could not be read, and what Jest says of it follows where it runs")
		}
		return t.has[file], nil
	})
	if err != nil {
		return nil, err
	}
	seen, size := make(map[string]bool), 0
	for _, test := range tests {
		lower := strings.ToLower(test)
		if size += len(test); seen[lower] || size > maxGoPattern {
			return nil, fmt.Errorf("the names of its tests are too long in all, or another one differs from %.100q by upper case alone, which Jest does not see", test)
		}
		seen[lower] = true
	}
	return tests, nil
}

// maxJestResults bounds what is read.
const maxJestResults = 64 << 20

// readJest reads what Jest wrote of these files.
func readJest(path string, files []string) suiteTold {
	t := newTold()
	if info, err := os.Stat(path); err != nil || info.Size() > maxJestResults {
		return t
	}
	text, err := os.ReadFile(path)
	var results struct {
		WasInterrupted bool
		TestResults    []struct {
			Name, Status     string
			AssertionResults []struct {
				FullName, Status string
				Duration         float64
			}
		}
	}
	if err != nil || json.Unmarshal(text, &results) != nil {
		return t
	}
	names := make(map[string]string)
	for _, file := range files {
		names[realPath(file)] = file
	}
	t.began, t.complete = true, !results.WasInterrupted
	for _, r := range results.TestResults {
		file, known := names[realPath(r.Name)]
		if !known {
			continue // the name of a file is a pattern, which others match
		}
		failed := false
		t.ends[file] = make(map[string]testEnd)
		for _, one := range r.AssertionResults {
			end := testEnd{goEnd{outcome: outcomePassed, took: time.Duration(one.Duration * float64(time.Millisecond))}, true}
			if one.Status == "failed" || t.ends[file][one.FullName].outcome == outcomeFailed {
				end.outcome, failed = outcomeFailed, true
			}
			end.took += t.ends[file][one.FullName].took // of one that has the same name
			t.ends[file][one.FullName] = end
			t.has[file] = append(t.has[file], one.FullName)
		}
		t.broken[file] = r.Status == "failed" && !failed // could not be read, or failed beside its tests
	}
	return t
}

func realPath(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}
