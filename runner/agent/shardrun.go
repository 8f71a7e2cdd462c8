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

	parts fileParts // of files that are split
	suite testSuite // nil where no test command tells of each test, or go test does

	batches, ran int
	runs         int    // of the test command
	unkept       string // name of the run whose reports are not kept yet
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
	r.suite = openSuite(r.opts.test)
	defer r.close()
	if err := r.refine(); err != nil {
		return 0, err
	}
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
			return r.over(offer), nil
		default:
			r.wait(offer)
		}
	}
}

func (r *sharedRun) close() {
	r.parts.close()
	if r.suite != nil {
		r.suite.close()
	}
}

func (r *sharedRun) join() error {
	answer, err := r.tell(false)
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

// tell tells which tests were found, to join or to ask which files to split.
func (r *sharedRun) tell(split bool) (answer wire.TestsAnswer, err error) {
	list := strings.Join(r.names, "\n") + "\n"
	switch {
	case len(r.names) > wire.MaxTests:
		return answer, fmt.Errorf("there are %d tests, and no more than %d can be divided by %s: let --files-search print directories or packages", len(r.names), wire.MaxTests, r.opts.strategy)
	case len(list) > wire.MaxTestList:
		return answer, fmt.Errorf("the list of tests has %d bytes, and no more than %d can be divided by %s: let --files-search print shorter names, directories or packages", len(list), wire.MaxTestList, r.opts.strategy)
	}
	if err := writeJSON(r.conn, shardAsk{Join: &shardJoin{Strategy: r.opts.strategy, Bytes: len(list), Split: split}}); err != nil {
		return answer, fmt.Errorf("telling the agent which tests there are: %w", err)
	}
	if _, err := r.conn.WriteString(list); err != nil {
		return answer, fmt.Errorf("telling the agent which tests there are: %w", err)
	}
	return r.hear()
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
	r.batches++
	r.ran += len(files)
	r.waited = false
	fmt.Printf("codebuild-tests-run: shard %d of %d takes %d of %d test files (%s, batch %d)\n", r.opts.index+1, r.opts.count, len(files), len(r.files), r.opts.strategy, r.batches)
	fmt.Println("  " + strings.Join(files, "\n  "))
	for _, item := range offer.Items {
		if only := offer.Only[item]; len(only) > 0 {
			fmt.Printf("codebuild-tests-run: of %s only what failed is tried: %s\n", r.files[item], strings.Join(only, ", "))
		}
	}
	if offer.Why != "" {
		fmt.Println("codebuild-tests-run: " + offer.Why)
	}
	start := time.Now()
	done := r.runBatch(offer)
	took := time.Since(start)
	r.spent += took
	if done.Exit != 0 {
		r.failed = done.Exit
	}
	done.Token, done.Millis, done.Strict = offer.Token, took.Milliseconds(), stopsEarly(r.opts.test) || goTestCommand.MatchString(r.opts.test)
	answer, err := r.ask(shardAsk{Done: done})
	if err != nil {
		return err
	}
	r.name(answer.Again, "failed and will be tried again, on whatever shard is free")
	r.name(answer.Flaky, "failed before and passed now, so it is flaky")
	if answer.Why != "" {
		fmt.Println("codebuild-tests-run: " + answer.Why)
	}
	return nil
}

// runItems runs whole files of a command that tells nothing of them: at once or, where the result of each is needed, one
// by one. go test tells.
func (r *sharedRun) runItems(offer wire.TestsAnswer, items []int) *wire.TestsDone {
	if goTestCommand.MatchString(r.opts.test) {
		return r.runGo(offer, items)
	}
	var runs [][]int
	var together []int
	for _, item := range items {
		if offer.Each || slices.Contains(offer.Alone, item) {
			runs = append(runs, []int{item})
		} else {
			together = append(together, item)
		}
	}
	switch {
	case len(runs) == 0:
		return r.runFiles(offer, items)
	case len(together) > 0:
		runs = append(runs, together)
	}
	all := &wire.TestsDone{}
	for _, run := range runs {
		one := r.runFiles(offer, run)
		if one.Exit != 0 {
			all.Exit = one.Exit
		}
		all.Results = append(all.Results, completed(one, run)...)
	}
	return all
}

// runFiles runs the test command once, for only some tests of one package if they are named.
func (r *sharedRun) runFiles(offer wire.TestsAnswer, items []int, only ...string) *wire.TestsDone {
	files := make([]string, len(items))
	for i, item := range items {
		files[i] = r.files[item]
	}
	name := r.begin(offer)
	watch := watchGo(r.opts.test, filepath.Join(filepath.Dir(os.Getenv(testsVar)), goReportsDir), name, only...)
	start := time.Now()
	exit := runTests(watch.commandOr(r.opts.test), files, watch, testRunVar+"="+name)
	r.end(offer)
	if len(items) == 1 {
		one := wire.TestResult{Item: items[0], Outcome: outcomeOf(exit), Millis: time.Since(start).Milliseconds()}
		if own := watch.results(items, r.names); len(own) == 1 {
			if own[0].Outcome == outcomeBroken {
				one = own[0]
			}
			one.Tests, one.Failed = own[0].Tests, own[0].Failed
		}
		missed(&one, files[0], watch.without(only))
		return &wire.TestsDone{Exit: exit, Results: []wire.TestResult{one}}
	}
	return &wire.TestsDone{Exit: exit, Results: watch.results(items, r.names)}
}

// testRunVar tells a test command a name for this run of it, which no other run of the shard has, to be part of the
// names of its reports. By "retry-" and a number the daemon knows that a report is of tests that were tried again.
const testRunVar = "RUNNER_TEST_RUN"

func runName(offer wire.TestsAnswer, run int) string {
	if offer.Round > 0 {
		return fmt.Sprintf("run-%d-retry-%d", run, offer.Round)
	}
	return fmt.Sprintf("run-%d", run)
}

// begin keeps what the run before has left, which the next one may write over, and names that one.
func (r *sharedRun) begin(offer wire.TestsAnswer) string {
	r.keepReports()
	r.runs++
	r.unkept = runName(offer, r.runs)
	return r.unkept
}

// end ends a run of the test command. What a further try left is kept though no run may follow: what is not kept does
// not say that it is of a later try.
func (r *sharedRun) end(offer wire.TestsAnswer) {
	if offer.Round > 0 {
		r.keepReports()
	}
}

// keepReports keeps what the run has left.
func (r *sharedRun) keepReports() {
	if r.unkept == "" || r.keeper.from == "" {
		return
	}
	if err := r.keeper.keep(r.unkept); err != nil {
		fmt.Printf("codebuild-tests-run: the reports of %s may be incomplete, since they could not be kept: %v\n", r.unkept, err)
	}
	r.unkept = ""
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

func (r *sharedRun) name(items []int, what string) {
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

// howMany is a number with its noun.
func howMany(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// over says what came of it and returns the exit status.
func (r *sharedRun) over(offer wire.TestsAnswer) int {
	if r.batches == 0 {
		fmt.Println("codebuild-tests-run: other shards have taken all test files, nothing was left for this one")
	} else {
		fmt.Printf("codebuild-tests-run: shard %d of %d ran %s in %s: %s of tests in %s\n",
			r.opts.index+1, r.opts.count, howMany(r.ran, "test file", "test files"), howMany(r.batches, "batch", "batches"), r.spent.Round(10*time.Millisecond), time.Since(r.begun).Round(10*time.Millisecond))
	}
	if offer.Why != "" {
		fmt.Println("codebuild-tests-run: " + offer.Why)
	}
	switch {
	case !offer.Fails:
		return 0
	case r.failed != 0:
		return r.failed
	}
	fmt.Println("codebuild-tests-run: the tests that this shard ran have passed, but others of the suite failed or are flaky")
	return 1
}
