package agent

import (
	"fmt"
	"slices"

	"github.com/runner-ci/runner/runner/wire"
)

// pytestItem is one item of a batch: a file, and which of its tests.
type pytestItem struct {
	item  int
	file  string
	test  string   // of a file that is split
	only  []string // of a whole file that is tried again: those that failed
	taken bool     // its result is known
}

// runPytest runs a batch in one process: whole files, and tests of others. What it left out, because a file could not be
// read or a test ended the process, runs in another one.
func (r *sharedRun) runPytest(offer wire.TestsAnswer) *wire.TestsDone {
	left := make([]*pytestItem, len(offer.Items))
	for i, item := range offer.Items {
		left[i] = &pytestItem{item: item, file: r.files[item], only: offer.Only[item]}
		if p := r.parts.part[r.names[item]]; p.test != "" {
			left[i].file, left[i].test = p.file, p.test
		}
	}
	done := &wire.TestsDone{}
	for len(left) > 0 {
		told, exit := r.oncePytest(offer, left)
		if done.Exit == 0 {
			done.Exit = exit
		}
		if !told.began || told.whole != "" { // it knows no more than its exit status
			r.pytest.close()
			r.pytest = nil
			return completedAlone(done, left)
		}
		n := len(done.Results)
		for _, it := range left {
			if result, known := told.result(it); known {
				done.Results = append(done.Results, result)
				it.taken = true
			}
		}
		left = slices.DeleteFunc(left, func(it *pytestItem) bool { return it.taken })
		if len(done.Results) == n { // nothing will ever go otherwise
			return completedAlone(done, left)
		}
	}
	if done.Exit != 0 && !slices.ContainsFunc(done.Results, func(t wire.TestResult) bool { return t.Outcome != outcomePassed }) {
		for i := range done.Results {
			done.Results[i].Outcome = outcomeOf(done.Exit)
		}
	}
	return done
}

// completedAlone gives items of which nothing is known the exit status as their result, if that is of them alone.
func completedAlone(done *wire.TestsDone, left []*pytestItem) *wire.TestsDone {
	if len(left) == 1 || len(done.Results) > 0 {
		for _, it := range left {
			done.Results = append(done.Results, wire.TestResult{Item: it.item, Outcome: outcomeOf(done.Exit)})
		}
	}
	return done
}

// oncePytest runs the test command once.
func (r *sharedRun) oncePytest(offer wire.TestsAnswer, items []*pytestItem) (pytestTold, int) {
	ask := pytestAsk{Wanted: map[string][]string{}}
	for _, it := range items {
		if !slices.Contains(ask.Files, it.file) {
			ask.Files = append(ask.Files, it.file)
		}
		switch {
		case it.test != "":
			ask.Wanted[it.file] = append(ask.Wanted[it.file], it.test)
		case len(it.only) > 0:
			ask.Wanted[it.file] = it.only
		}
	}
	vars, told, err := r.pytest.ask(ask)
	if err != nil {
		fmt.Printf("codebuild-tests-run: what pytest tells of each test will not be known: %v\n", err)
	}
	r.keepReports()
	r.runs++
	exit := runTests(r.opts.test, ask.Files, nil, append(vars, testRunVar+"="+runName(offer, r.runs))...)
	return readPytest(told), exit
}

// result is that of an item; false when it did not come to its end in this run.
func (t *pytestTold) result(it *pytestItem) (wire.TestResult, bool) {
	out := wire.TestResult{Item: it.item, Outcome: outcomePassed}
	ends := pytestFile{}
	if t.ends[it.file] != nil {
		ends = *t.ends[it.file]
	}
	if t.broken[it.file] && len(ends) == 0 {
		out.Outcome = outcomeBroken
		return out, true
	}
	tests := it.only
	if it.test != "" {
		tests = []string{it.test}
	}
	for _, test := range tests {
		if _, ran := ends[test]; !ran {
			if !t.complete() {
				return out, false
			}
			fmt.Printf("codebuild-tests-run: pytest finds no test %s any more in %s\n", test, it.file)
			out.Outcome = outcomeFailed
		}
	}
	ended := 0
	for test, end := range ends {
		if it.test != "" && test != it.test {
			continue
		}
		ended++
		out.Millis += end.took.Milliseconds()
		if !end.over || end.outcome == outcomeFailed {
			out.Outcome = outcomeFailed
			out.Failed = append(out.Failed, test)
		}
	}
	slices.Sort(out.Failed)
	all := t.complete() || it.test != "" || len(t.has[it.file]) > 0 && ended >= len(t.has[it.file])
	if t.broken[it.file] {
		out.Outcome = outcomeFailed
	}
	if !all || it.test != "" || t.broken[it.file] {
		out.Failed = nil // more than these are to be tried again, or there is but one
	}
	return out, all || out.Outcome == outcomeFailed
}
