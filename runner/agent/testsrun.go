package agent

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/runner-ci/runner/runner/wire"
)

const testsRunUsage = `usage: codebuild-tests-run --test-command COMMAND --files-search COMMAND [--sharding-strategy STRATEGY]

Runs this shard's part of the tests. --files-search prints the test files of the whole suite, one a line; the
part that falls to this shard is appended to --test-command, which then runs in the job's shell. A command that
takes its files in another form finds them in CODEBUILD_CURRENT_SHARD_FILES, one a line; to a command that
mentions this variable nothing is appended.

  --sharding-strategy equal-distribution   sorted, in chunks whose sizes differ by at most one (the default)
  --sharding-strategy stability            by a hash of the name: files stay on their shard when others change
  --sharding-strategy timing               by recorded durations, so that all shards end together
  --sharding-strategy queue                shards take the next files when they are done with theirs: the test
                                           command runs several times, and goes on after a failure

The variable RUNNER_SHARDING, or x-runner.sharding of the buildspec, names a strategy that is taken instead, so
that the file stays valid for CodeBuild, which knows the first two.

RUNNER_ONLY, which runner submit --only sets, has patterns, one a line: other tests are left out.

A test command that is go test reports every test by name, without flags.

With timing and queue RUNNER_TEST_RUN has a name for each run of the test command, by which to name its report.

Example:

  codebuild-tests-run --files-search "codebuild-glob-search '**/*_test.py'" --test-command 'python -m pytest'

Exit status: that of the test command; with timing and queue 0 when the whole suite passed, and else that of the
last batch that failed here, or 1; 0 if no file falls to this shard; 1 if the search fails or finds nothing;
2 for a wrong command line.
`

// shardFilesVar holds the shard's files for the test command, one a line.
const shardFilesVar = "CODEBUILD_CURRENT_SHARD_FILES"

// shardingVar names the strategy that is taken instead of the flag's.
const shardingVar = "RUNNER_SHARDING"

type testsRunOptions struct {
	test, search, strategy string
	flag                   string // the strategy that the command line names, if another is taken
	index, count           int
}

// dynamic tells whether the daemon divides the tests.
func (o testsRunOptions) dynamic() bool {
	return o.strategy == wire.StrategyTiming || o.strategy == wire.StrategyQueue
}

// testsRun is the tool codebuild-tests-run.
func testsRun(args []string) int {
	opts, err := parseTestsRun(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "codebuild-tests-run: %v\n", err)
		return 2
	}
	all, status := searchFiles(opts.search)
	if status != 0 {
		return status
	}
	if len(all) == 0 {
		fmt.Fprintf(os.Stderr, "codebuild-tests-run: %q found no test file, so no shard would test anything; correct --files-search\n", opts.search)
		return 1
	}
	if all, err = narrowed(all); err != nil {
		fmt.Fprintf(os.Stderr, "codebuild-tests-run: %v\n", err)
		return 1
	}
	if opts.flag != "" {
		fmt.Printf("codebuild-tests-run: sharding strategy %s instead of %s, as RUNNER_SHARDING or x-runner.sharding says\n", opts.strategy, opts.flag)
	}
	if opts.dynamic() {
		return runShared(opts, all)
	}
	share := equalShare
	if opts.strategy == strategyStability {
		share = stableShare
	}
	mine := share(all, opts.index, opts.count)
	fmt.Printf("codebuild-tests-run: shard %d of %d takes %d of %d test files (%s)\n", opts.index+1, opts.count, len(mine), len(all), opts.strategy)
	for _, file := range mine {
		fmt.Println("  " + file)
	}
	if len(mine) == 0 {
		fmt.Println("codebuild-tests-run: there are fewer files than shards, nothing to do in this one")
		return 0
	}
	watch := watchEvents(opts.test)
	return runTests(watch.commandOr(opts.test), mine, watch)
}

func parseTestsRun(args []string) (testsRunOptions, error) {
	var opts testsRunOptions
	set := flag.NewFlagSet("codebuild-tests-run", flag.ContinueOnError)
	set.Usage = func() { fmt.Fprint(os.Stderr, testsRunUsage) }
	set.StringVar(&opts.test, "test-command", "", "")
	set.StringVar(&opts.search, "files-search", "", "")
	set.StringVar(&opts.strategy, "sharding-strategy", strategyEqual, "")
	if err := set.Parse(args); err != nil {
		return opts, err
	}
	if set.NArg() > 0 {
		return opts, fmt.Errorf("unexpected argument %q: quote the commands", set.Arg(0))
	}
	if strings.TrimSpace(opts.test) == "" || strings.TrimSpace(opts.search) == "" {
		return opts, errors.New("--test-command and --files-search are both needed")
	}
	if err := chooseStrategy(&opts); err != nil {
		return opts, err
	}
	var err error
	opts.index, opts.count, err = shardFromEnv()
	return opts, err
}

// chooseStrategy checks the strategy, and takes that of the environment instead if there is one.
func chooseStrategy(opts *testsRunOptions) error {
	all := []string{strategyEqual, strategyStability, wire.StrategyTiming, wire.StrategyQueue}
	if !slices.Contains(all, opts.strategy) {
		return fmt.Errorf("there is no sharding strategy %q; use one of %s", opts.strategy, strings.Join(all, ", "))
	}
	instead := os.Getenv(shardingVar)
	switch {
	case instead == "" || instead == opts.strategy:
		return nil
	case !slices.Contains(all, instead):
		return fmt.Errorf("RUNNER_SHARDING (of the environment, or x-runner.sharding) is %q, which is no sharding strategy; use one of %s", instead, strings.Join(all, ", "))
	}
	opts.flag, opts.strategy = opts.strategy, instead
	return nil
}

// shardFromEnv reads which shard this is. Outside of a job there is one, which takes everything.
func shardFromEnv() (index, count int, err error) {
	index, count = 0, 1
	for _, v := range []struct {
		name string
		to   *int
	}{{"RUNNER_SHARD_INDEX", &index}, {"RUNNER_SHARD_COUNT", &count}} {
		if text, ok := os.LookupEnv(v.name); ok {
			if *v.to, err = strconv.Atoi(text); err != nil {
				return 0, 0, fmt.Errorf("%s is %q, expected a number", v.name, text)
			}
		}
	}
	if count < 1 || index < 0 || index >= count {
		return 0, 0, fmt.Errorf("RUNNER_SHARD_INDEX is %d and RUNNER_SHARD_COUNT %d: there is no such shard", index, count)
	}
	return index, count, nil
}

// searchFiles runs the search and returns the files, sorted and each once.
func searchFiles(search string) (files []string, status int) {
	cmd := exec.Command(jobShell(), "-c", search)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		status = statusOfRun(err)
		fmt.Fprintf(os.Stderr, "codebuild-tests-run: the files search %q failed: %v\n", search, err)
		return nil, status
	}
	for line := range bytes.Lines(out) {
		if file := strings.TrimRight(string(line), "\r\n"); file != "" {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), 0
}

// jobShell is the shell of the job's commands, so that the tool's commands speak the same language.
func jobShell() string {
	if shell := os.Getenv("RUNNER_SHELL"); shell != "" {
		return shell
	}
	return "sh"
}

// maxArgument is the longest single argument or variable that Linux passes to a program (MAX_ARG_STRLEN), less
// some room.
const maxArgument = 128<<10 - 256

// runTests runs the test command for these files and returns its exit status. What it prints goes through watch, if
// that is not nil; vars are further variables of it.
func runTests(command string, files []string, watch *goResults, vars ...string) int {
	list := strings.Join(files, "\n")
	script := command
	if !strings.Contains(command, shardFilesVar) {
		script = strings.TrimRight(command, " \t\r\n") + " " + quoteAll(files)
	}
	env := append(os.Environ(), vars...)
	if len(list) <= maxArgument {
		env = append(env, shardFilesVar+"="+list)
	} else {
		// Too long for the environment, but not for a variable of the shell that runs the command.
		script = shardFilesVar + "=" + quoteWord(list) + "\n" + script
		fmt.Println("codebuild-tests-run: the list is too long for an environment variable: only the test command itself sees " + shardFilesVar)
	}
	args := []string{"-c", script}
	if len(script) > maxArgument {
		file, err := scriptFile(script)
		if err != nil {
			fmt.Fprintf(os.Stderr, "codebuild-tests-run: %v\n", err)
			return 1
		}
		defer os.Remove(file)
		args = []string{file}
	}
	cmd := exec.Command(jobShell(), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = os.Stdin, os.Stdout, os.Stderr, env
	if watch != nil {
		watch.stand(cmd)
	}
	err := cmd.Run()
	if watch != nil {
		watch.finish()
	}
	if errors.Is(err, exec.ErrWaitDelay) { // the command ended well, and left something that still writes
		err = nil
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		fmt.Fprintf(os.Stderr, "codebuild-tests-run: %v\n", err)
	}
	return statusOfRun(err)
}

func scriptFile(script string) (string, error) {
	f, err := os.CreateTemp("", "codebuild-tests-run-*.sh")
	if err != nil {
		return "", fmt.Errorf("writing the test command's script: %w", err)
	}
	_, err = f.WriteString(script + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(f.Name())
		return "", fmt.Errorf("writing the test command's script: %w", err)
	}
	return f.Name(), nil
}

// statusOfRun is the exit status of a command as shells tell it.
func statusOfRun(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 128 + int(status.Signal())
		}
		return exit.ExitCode()
	case errors.Is(err, exec.ErrNotFound):
		return 127
	}
	return 126
}

func quoteAll(files []string) string {
	words := make([]string, len(files))
	for i, file := range files {
		words[i] = quoteWord(file)
	}
	return strings.Join(words, " ")
}

// quoteWord makes one word of text for any POSIX shell; what needs no quotes gets none.
func quoteWord(text string) string {
	plain := text != ""
	for _, c := range []byte(text) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("/._-+:@%,", rune(c)) {
			plain = false
			break
		}
	}
	if plain {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
