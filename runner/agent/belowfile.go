package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/runner-ci/runner/runner/wire"
)

// testLister knows the tests within test files, as a runner of tests can list them.
type testLister interface {
	// list returns the names of a file's tests, the same on every shard.
	list(file string) (tests []string, err error)
}

// belowFile knows how to run some tests of a file, too, in a process of their own.
type belowFile interface {
	testLister
	// run runs some tests of a file that was listed, under a name for their report that no other run of the shard has.
	// It tells how each ended, and the exit status.
	run(file string, tests []string, name string) (ends map[string]goEnd, exit int)
	// close removes what was built.
	close()
}

// partMark stands between a file and its test in the name of an item, as the daemon has it (testqueue.PartMark).
const partMark = "#"

// fileParts are the items that are less than a file, by their names.
type fileParts struct {
	of   belowFile // nil where a testSuite runs them
	part map[string]filePart
}

type filePart struct{ file, test string }

func (p fileParts) close() {
	if p.of != nil {
		p.of.close()
	}
}

// refine asks the daemon which files last so long that all shards list them by their tests, and does so. A file whose
// tests cannot be listed, or whose command cannot run some of them, stays whole, on every shard for the same reason.
func (r *sharedRun) refine() error {
	if r.opts.count < 2 || r.suite == nil && !goTestCommand.MatchString(r.opts.test) {
		return nil
	}
	answer, err := r.tell(true)
	if err != nil || len(answer.Split) == 0 {
		return err
	}
	of, err := r.lister()
	if err != nil {
		fmt.Printf("codebuild-tests-run: %d of %d test files take longer than the part of a shard, but stay whole: %v\n", len(answer.Split), len(r.files), err)
		return nil
	}
	found := slices.Clone(r.files)
	for _, item := range answer.Split {
		if item < 0 || item >= len(r.files) {
			return fmt.Errorf("the daemon splits test number %d, and there are %d: run daemon and agent of the same release", item, len(r.files))
		}
		name, file := r.names[item], r.files[item]
		tests, err := of.list(file)
		if err != nil {
			fmt.Printf("codebuild-tests-run: %s takes longer than the part of a shard, but stays whole: %v\n", file, err)
			continue
		}
		fmt.Printf("codebuild-tests-run: %s takes longer than the part of a shard, so it is split into its %d tests\n", file, len(tests))
		found = slices.DeleteFunc(found, func(other string) bool { return other == file })
		for _, test := range tests {
			found = append(found, file+partMark+test)
			r.parts.part[name+partMark+test] = filePart{file, test}
		}
	}
	r.names, r.files = testNames(found)
	return nil
}

// lister returns what lists the tests of files.
func (r *sharedRun) lister() (testLister, error) {
	r.parts.part = make(map[string]filePart)
	if r.suite != nil {
		return r.suite, nil
	}
	of, err := belowGo(r.opts.test, filepath.Join(filepath.Dir(os.Getenv(testsVar)), goReportsDir))
	if err != nil {
		return nil, err
	}
	r.parts.of = of
	return of, nil
}

// runBatch runs the items of a batch: the whole files by the test command, then of each other file the tests that
// belong to the batch. The status is the first that is not 0.
func (r *sharedRun) runBatch(offer wire.TestsAnswer) *wire.TestsDone {
	if r.suite != nil {
		return r.runSuite(offer)
	}
	var whole []int
	var files []string
	tests := make(map[string][]string)
	for _, item := range offer.Items {
		p := r.parts.part[r.names[item]]
		switch {
		case p.test == "":
			whole = append(whole, item)
			continue
		case tests[p.file] == nil:
			files = append(files, p.file)
		}
		tests[p.file] = append(tests[p.file], p.test)
	}
	done := &wire.TestsDone{}
	if len(whole) > 0 {
		done = r.runItems(offer, whole)
		if len(files) > 0 {
			done.Results = completed(done, whole)
		}
	}
	ends := make(map[filePart]goEnd)
	for _, file := range files {
		of, status := r.parts.of.run(file, tests[file], r.begin(offer))
		if done.Exit == 0 {
			done.Exit = status
		}
		for test, end := range of {
			ends[filePart{file, test}] = end
		}
	}
	for _, item := range offer.Items {
		if p := r.parts.part[r.names[item]]; p.test != "" {
			end := ends[p]
			done.Results = append(done.Results, wire.TestResult{Item: item, Outcome: end.outcome, Millis: end.took.Milliseconds(), Tests: end.tests})
		}
	}
	return done
}

// completed gives each whole file of a batch a result of its own, which it needs beside parts of others: what is not
// known is what the command said of all.
func completed(done *wire.TestsDone, items []int) []wire.TestResult {
	results := done.Results
	blamed := slices.ContainsFunc(results, func(t wire.TestResult) bool { return t.Outcome != outcomePassed })
	for i := range results {
		if done.Exit != 0 && !blamed {
			results[i].Outcome = outcomeOf(done.Exit)
		}
	}
	for _, item := range items {
		if !slices.ContainsFunc(results, func(t wire.TestResult) bool { return t.Item == item }) {
			results = append(results, wire.TestResult{Item: item, Outcome: outcomeOf(done.Exit)})
		}
	}
	return results
}
