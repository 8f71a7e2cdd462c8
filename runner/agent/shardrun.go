package agent

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// Words of wire.TestResult.
const (
	outcomePassed = "passed"
	outcomeFailed = "failed"
	outcomeBroken = "broken"
)

// sharedRun is one call whose tests the daemon divides.
type sharedRun struct {
	opts   testsRunOptions
	names  []string // as the daemon knows them: sorted, each once
	files  []string // as the search printed them, which is what test commands need ("./pkg" of Go)
	conn   *os.File
	in     *bufio.Reader
	begun  time.Time
	failed int // status of the last batch that failed here

	batches, ran int
	spent        time.Duration
	waited       bool // it was said that this shard waits
	keeper       reportKeeper
}

// runShared runs the tests that the daemon gives to this shard, batch after batch. One that fails does not end it: the
// daemon knows in the end whether the suite passed, because what failed here may pass on another shard.
func runShared(opts testsRunOptions, found []string) int {
	names, files := testNames(found)
	r := &sharedRun{opts: opts, names: names, files: files, begun: time.Now()}
	path := os.Getenv(testsVar)
	switch {
	case path == "" && opts.count == 1:
		fmt.Printf("codebuild-tests-run: no daemon divides tests here, so this shard takes all %d (%s)\n", len(files), opts.strategy)
		return runTests(opts.test, files, nil)
	case path == "":
		return complain("the strategy %s needs the daemon, which is told by %s, and that is not set: call codebuild-tests-run in a job, with its environment", opts.strategy, testsVar)
	}
	var err error
	if r.conn, err = dialUnix(path); err != nil {
		return complain("the agent does not answer: %v", err)
	}
	defer r.conn.Close()
	r.keeper = reportKeeper{from: os.Getenv("CODEBUILD_SRC_DIR"), to: filepath.Join(filepath.Dir(path), goReportsDir), since: r.begun}
	r.in = bufio.NewReader(r.conn)
	status, err := r.run()
	if err != nil {
		return complain("%v", err)
	}
	return status
}

func complain(format string, args ...any) int {
	fmt.Fprintf(os.Stderr, "codebuild-tests-run: "+format+"\n", args...)
	return 1
}

// testNames returns the names of tests, sorted and each once, and for each the file that was found. Names lack "./", which
// depends on how the search was written.
func testNames(found []string) (names, files []string) {
	type test struct{ name, file string }
	tests := make([]test, len(found))
	for i, file := range found {
		name := file
		for strings.HasPrefix(name, "./") {
			name = strings.TrimLeft(name[2:], "/")
		}
		if name == "" {
			name = "."
		}
		tests[i] = test{name, file}
	}
	slices.SortStableFunc(tests, func(a, b test) int { return strings.Compare(a.name, b.name) })
	tests = slices.CompactFunc(tests, func(a, b test) bool { return a.name == b.name })
	for _, t := range tests {
		names, files = append(names, t.name), append(files, t.file)
	}
	return names, files
}

// run joins, then takes batch after batch.
func (r *sharedRun) run() (status int, err error) {
	if err := r.join(); err != nil {
		return 0, err
	}
	for {
		offer, err := r.ask(shardAsk{Take: true})
		switch {
		case err != nil:
			return 0, err
		case len(offer.Items) > 0:
			if err := r.batch(offer); err != nil {
				return 0, err
			}
		case offer.Over:
			return r.over(offer.Fails), nil
		default:
			r.wait(offer)
		}
	}
}

func (r *sharedRun) join() error {
	list := strings.Join(r.names, "\n") + "\n"
	switch {
	case len(r.names) > wire.MaxTests:
		return fmt.Errorf("there are %d tests, and no more than %d can be divided by %s: let --files-search print directories or packages", len(r.names), wire.MaxTests, r.opts.strategy)
	case len(list) > wire.MaxTestList:
		return fmt.Errorf("the list of tests has %d bytes, and no more than %d can be divided by %s: let --files-search print shorter names, directories or packages", len(list), wire.MaxTestList, r.opts.strategy)
	}
	if err := writeJSON(r.conn, shardAsk{Join: &shardJoin{Strategy: r.opts.strategy, Bytes: len(list)}}); err != nil {
		return fmt.Errorf("telling the agent which tests there are: %w", err)
	}
	if _, err := r.conn.WriteString(list); err != nil {
		return fmt.Errorf("telling the agent which tests there are: %w", err)
	}
	answer, err := r.hear()
	if err != nil {
		return err
	}
	if answer.Strategy != "" {
		r.opts.strategy = answer.Strategy
	}
	if answer.Why != "" {
		fmt.Println("codebuild-tests-run: " + answer.Why)
	}
	return nil
}

func (r *sharedRun) ask(ask shardAsk) (wire.TestsAnswer, error) {
	if err := writeJSON(r.conn, ask); err != nil {
		return wire.TestsAnswer{}, fmt.Errorf("asking the agent: %w", err)
	}
	return r.hear()
}

func (r *sharedRun) hear() (wire.TestsAnswer, error) {
	var answer shardAnswer
	err := readJSON(r.in, &answer)
	switch {
	case err != nil:
		return answer.TestsAnswer, fmt.Errorf("the agent does not answer: %w", err)
	case answer.Error != "":
		return answer.TestsAnswer, fmt.Errorf("no tests could be had from the daemon: %s", answer.Error)
	case answer.Refused != "":
		return answer.TestsAnswer, errors.New(answer.Refused)
	}
	return answer.TestsAnswer, nil
}

// batch runs one batch and tells how it ended.
func (r *sharedRun) batch(offer wire.TestsAnswer) error {
	var files []string
	for _, item := range offer.Items {
		if item < 0 || item >= len(r.files) {
			return fmt.Errorf("the daemon gave test number %d, and there are %d: run daemon and agent of the same release", item, len(r.files))
		}
		files = append(files, r.files[item])
	}
	r.keepReports()
	r.batches++
	r.ran += len(files)
	r.waited = false
	fmt.Printf("codebuild-tests-run: shard %d of %d takes %d of %d test files (%s, batch %d)\n", r.opts.index+1, r.opts.count, len(files), len(r.files), r.opts.strategy, r.batches)
	fmt.Println("  " + strings.Join(files, "\n  "))
	if offer.Why != "" {
		fmt.Println("codebuild-tests-run: " + offer.Why)
	}
	watch := watchGo(r.opts.test, filepath.Join(filepath.Dir(os.Getenv(testsVar)), goReportsDir))
	start := time.Now()
	exit := runTests(watch.commandOr(r.opts.test), files, watch)
	took := time.Since(start)
	r.spent += took
	if exit != 0 {
		r.failed = exit
	}
	done := &wire.TestsDone{Token: offer.Token, Exit: exit, Millis: took.Milliseconds(), Results: watch.results(offer.Items, r.names)}
	if len(offer.Items) == 1 {
		done.Results = []wire.TestResult{{Item: offer.Items[0], Outcome: outcomeOf(exit), Millis: took.Milliseconds()}}
	}
	answer, err := r.ask(shardAsk{Done: done})
	if err != nil {
		return err
	}
	r.tell(answer.Again, "failed and will be tried again, on whatever shard is free")
	r.tell(answer.Flaky, "failed before and passed now, so it is flaky")
	if answer.Why != "" {
		fmt.Println("codebuild-tests-run: " + answer.Why)
	}
	return nil
}

// keepReports keeps what the batch before has left, which the next one may write over.
func (r *sharedRun) keepReports() {
	if r.batches == 0 || r.keeper.from == "" {
		return
	}
	if err := r.keeper.keep(r.batches); err != nil {
		fmt.Printf("codebuild-tests-run: the reports of batch %d may be incomplete, since they could not be kept: %v\n", r.batches, err)
	}
}

// outcomeOf is what an exit status says of a test that ran alone. 126 and 127 are those of a command that could not be run.
func outcomeOf(exit int) string {
	switch exit {
	case 0:
		return outcomePassed
	case 126, 127:
		return outcomeBroken
	}
	return outcomeFailed
}

func (r *sharedRun) tell(items []int, what string) {
	for _, item := range items {
		if item >= 0 && item < len(r.files) {
			fmt.Printf("codebuild-tests-run: %s %s\n", r.files[item], what)
		}
	}
}

// Bounds of a wait that the daemon asks for.
const (
	shortestWait = 50 * time.Millisecond
	longestWait  = time.Minute
)

func (r *sharedRun) wait(offer wire.TestsAnswer) {
	if !r.waited {
		r.waited = true
		fmt.Println("codebuild-tests-run: other shards have all that is left; this one waits, in case one of them is lost or a test has to be tried again")
	}
	time.Sleep(min(max(time.Duration(offer.WaitMillis)*time.Millisecond, shortestWait), longestWait))
}

// over says what came of it and returns the exit status.
func (r *sharedRun) over(fails bool) int {
	if r.batches == 0 {
		fmt.Println("codebuild-tests-run: other shards have taken all test files, nothing was left for this one")
	} else {
		fmt.Printf("codebuild-tests-run: shard %d of %d ran %d test files in %d batches: %s of tests in %s\n",
			r.opts.index+1, r.opts.count, r.ran, r.batches, r.spent.Round(10*time.Millisecond), time.Since(r.begun).Round(10*time.Millisecond))
	}
	switch {
	case !fails:
		return 0
	case r.failed != 0:
		return r.failed
	}
	fmt.Println("codebuild-tests-run: the tests that this shard ran have passed, but others of the suite failed")
	return 1
}
