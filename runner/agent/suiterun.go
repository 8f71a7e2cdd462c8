package agent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// testSuite is a runner of tests whose command tells of each test, besides go test.
type testSuite interface {
	testLister
	// run runs files, of those in wanted these tests alone; vars are variables of the command. It returns what was told,
	// and the exit status.
	run(files []string, wanted map[string][]string, vars ...string) (suiteTold, int)
	// mixes tells whether whole files and tests of others can run in one process.
	mixes() bool
	close()
}

// openSuite returns what knows the tests of a test command; nil for other commands, and for go test, which has its own.
func openSuite(command string) testSuite {
	if p := openPytest(command); p != nil {
		return p
	}
	if j := openJest(command); j != nil {
		return j
	}
	return nil
}

// withoutOurVars is a test command without the variables that we set for it, which the shell expands to plain names.
func withoutOurVars(command string) string {
	return strings.NewReplacer("$"+shardFilesVar, "", "${"+shardFilesVar+"}", "", "$"+testRunVar, "", "${"+testRunVar+"}", "").Replace(command)
}

// suiteTold is what was told of one run.
type suiteTold struct {
	began    bool                          // anything was told
	complete bool                          // it went through all that it was given
	whole    string                        // the option that keeps it from running all tests
	has      map[string][]string           // by file: the tests that were found
	ends     map[string]map[string]testEnd // by file and test
	broken   map[string]bool               // files that could not be read
}

// testEnd is how a test ended.
type testEnd struct {
	goEnd
	over bool // its last part has ended
}

func newTold() suiteTold {
	return suiteTold{has: map[string][]string{}, ends: map[string]map[string]testEnd{}, broken: map[string]bool{}}
}

// suiteItem is one item of a batch: a file, and which of its tests.
type suiteItem struct {
	item  int
	file  string
	test  string   // of a file that is split
	only  []string // of a whole file that is tried again: those that failed
	taken bool     // its result is known
}

// runSuite runs a batch: whole files, and tests of others. What a run left out, because a file could not be read or a test
// ended the process, runs in another one.
func (r *sharedRun) runSuite(offer wire.TestsAnswer) *wire.TestsDone {
	done := &wire.TestsDone{}
	groups := r.suiteGroups(offer)
	for _, group := range groups {
		r.runGroup(offer, group, len(groups) > 1, done)
	}
	if done.Exit != 0 && !slices.ContainsFunc(done.Results, func(t wire.TestResult) bool { return t.Outcome != outcomePassed }) {
		for i := range done.Results {
			done.Results[i].Outcome = outcomeOf(done.Exit)
		}
	}
	return done
}

// suiteGroups divides a batch by what can run in one process.
func (r *sharedRun) suiteGroups(offer wire.TestsAnswer) (groups [][]*suiteItem) {
	at := make(map[string]int) // of a group, by file; of whole files by ""
	for _, item := range offer.Items {
		it := &suiteItem{item: item, file: r.files[item], only: offer.Only[item]}
		if p := r.parts.part[r.names[item]]; p.test != "" {
			it.file, it.test = p.file, p.test
		}
		key := ""
		if (it.test != "" || len(it.only) > 0) && !r.suite.mixes() {
			key = it.file
		}
		if _, known := at[key]; !known {
			at[key], groups = len(groups), append(groups, nil)
		}
		groups[at[key]] = append(groups[at[key]], it)
	}
	return groups
}

// runGroup runs items in one process, and in further ones what that left out. Each has a result of its own if it must
// have one; else those of which nothing is known have none.
func (r *sharedRun) runGroup(offer wire.TestsAnswer, left []*suiteItem, must bool, done *wire.TestsDone) {
	for len(left) > 0 {
		told, exit := r.onceSuite(offer, left)
		if done.Exit == 0 {
			done.Exit = exit
		}
		before := len(left)
		if told.began && told.whole == "" {
			for _, it := range left {
				if result, known := told.result(it); known {
					done.Results, it.taken = append(done.Results, result), true
				}
			}
			left = slices.DeleteFunc(left, func(it *suiteItem) bool { return it.taken })
		}
		if len(left) < before {
			must = true
			continue
		}
		if must || len(left) == 1 { // nothing will ever go otherwise
			for _, it := range left {
				done.Results = append(done.Results, wire.TestResult{Item: it.item, Outcome: outcomeOf(exit)})
			}
		}
		return
	}
}

// onceSuite runs the test command once.
func (r *sharedRun) onceSuite(offer wire.TestsAnswer, items []*suiteItem) (suiteTold, int) {
	var files []string
	wanted := make(map[string][]string)
	for _, it := range items {
		if !slices.Contains(files, it.file) {
			files = append(files, it.file)
		}
		switch {
		case it.test != "":
			wanted[it.file] = append(wanted[it.file], it.test)
		case len(it.only) > 0:
			wanted[it.file] = it.only
		}
	}
	told, exit := r.suite.run(files, wanted, testRunVar+"="+r.begin(offer))
	r.end(offer)
	return told, exit
}

// result is that of an item; false when it did not come to its end in this run.
func (t *suiteTold) result(it *suiteItem) (wire.TestResult, bool) {
	out := wire.TestResult{Item: it.item, Outcome: outcomePassed}
	ends := t.ends[it.file]
	if t.broken[it.file] && len(ends) == 0 {
		out.Outcome = outcomeBroken
		return out, true
	}
	wanted := it.only
	if it.test != "" {
		wanted = []string{it.test}
	}
	for _, test := range wanted {
		if _, ran := ends[test]; !ran {
			if !t.complete {
				return out, false
			}
			fmt.Printf("codebuild-tests-run: there is no test %s any more in %s\n", test, it.file)
			out.Outcome = outcomeFailed
		}
	}
	ended, took := 0, time.Duration(0)
	for test, end := range ends {
		if len(wanted) > 0 && !slices.Contains(wanted, test) {
			continue
		}
		ended++
		took += end.took
		if !end.over || end.outcome == outcomeFailed {
			out.Outcome = outcomeFailed
			out.Failed = append(out.Failed, test)
		}
	}
	if ended > 0 {
		out.Millis = max(1, took.Milliseconds()) // nothing would be what nobody measured: a part of the start-up
	}
	slices.Sort(out.Failed)
	all := t.complete || len(wanted) > 0 || len(t.has[it.file]) > 0 && ended >= len(t.has[it.file])
	if t.broken[it.file] {
		out.Outcome = outcomeFailed
	}
	if !all || it.test != "" || t.broken[it.file] {
		out.Failed = nil // more than these are to be tried again, or there is but one
	}
	return out, all || out.Outcome == outcomeFailed
}

// errNamesChange is of tests that no two shards would know by the same names.
var errNamesChange = errors.New("its tests have other names each time they are listed; give them fixed ones")

// maxListable bounds the name of a test within its file.
const maxListable = 2048

// listable tells whether the name of a test can be a line of a list.
func listable(test string) bool {
	return test != "" && len(test) <= maxListable && strings.TrimSpace(test) == test && !strings.ContainsAny(test, "\r\n\x00")
}

// listTwice lists the tests of a file twice: those whose names hold a time or an address are called something else on each
// shard, which then could not share them.
func listTwice(list func() ([]string, error)) ([]string, error) {
	var tests []string
	for again := range 2 {
		found, err := list()
		slices.Sort(found)
		switch {
		case err != nil:
			return nil, err
		case len(found) < 2:
			return nil, fmt.Errorf("%d tests were listed", len(found))
		case again > 0 && !slices.Equal(found, tests):
			return nil, errNamesChange
		}
		tests = found
	}
	for i, test := range tests {
		if !listable(test) || i > 0 && test == tests[i-1] {
			return nil, fmt.Errorf("it has a test called %.100q, twice or with a name that no list can hold", test)
		}
	}
	return tests, nil
}
