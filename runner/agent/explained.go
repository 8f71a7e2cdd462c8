package agent

import (
	"regexp"
	"strings"

	"github.com/runner-ci/runner/runner/wire"
)

// Which failures are those of tests alone, so that the daemon can leave quarantined ones out. A binary that panicked, or
// left before its tests were through, says no such thing: who knows what the rest would have come to.

// understand reads what a test binary says besides its tests.
func (p *goEventPackage) understand(line string) {
	switch {
	case line == "FAIL\n": // of testing itself, when all tests have run
		p.summed = true
	case strings.HasPrefix(line, "exit status ") && line != "exit status 1\n",
		strings.HasPrefix(line, "testing: race detected outside of test execution"),
		strings.HasPrefix(line, "panic: "), strings.HasPrefix(line, "fatal error: "):
		p.unclear = true
	}
}

// explained tells whether the package failed for its failed tests alone.
func (p *goEventPackage) explained() bool {
	return p.summed && !p.unclear && len(p.fails) > 0 && len(p.fails) <= wire.MaxFailedTests
}

// goTestIDs are the ids of tests, as package tests has them.
func goTestIDs(path string, names []string) []string {
	ids := make([]string, len(names))
	for i, name := range names {
		ids[i] = path + "::" + name
	}
	return ids
}

// stopping is what makes a test command leave out tests after one that failed.
var stopping = regexp.MustCompile(`(?:^|\s)(?:-x|--exitfirst|--maxfail|--bail|-?-(?:test\.)?failfast|--fail-?fast|--stop-on-[a-z]+)(?:[\s=]|$)`)

// stopsEarly tells whether what failed hides what did not run.
func stopsEarly(command string) bool { return stopping.MatchString(command) }
