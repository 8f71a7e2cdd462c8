//go:build linux

package agent

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// sharded is a job whose tests the daemon divides.
func (s *sandbox) sharded(commands ...string) wire.Job {
	job := s.job(commands...)
	job.Shard = wire.Shard{Index: 1, Count: 4}
	job.Sharding = wire.StrategyQueue
	return job
}

// tests waits for the next step of a call.
func (k *talk) tests() (uint64, wire.TestsRequest) {
	k.s.t.Helper()
	req := k.request()
	if req.Tests == nil {
		k.s.t.Fatalf("asked %+v, expected tests", req)
	}
	return req.ID, *req.Tests
}

func (k *talk) tell(id uint64, answer wire.TestsAnswer) {
	k.s.t.Helper()
	k.s.send(wire.Answer{ID: id, Tests: &answer})
}

// joined answers a join and returns the list that came with it.
func (k *talk) joined(answer wire.TestsAnswer) (wire.TestsRequest, []string) {
	k.s.t.Helper()
	id, req := k.tests()
	if req.Join == nil {
		k.s.t.Fatalf("asked %+v, expected to join", req)
	}
	list, err := os.ReadFile(filepath.Join(k.s.spool, wire.TestListFile(req.Join.List)))
	if err != nil {
		k.s.t.Fatal(err)
	}
	names := strings.Split(strings.TrimSuffix(string(list), "\n"), "\n")
	if len(names) != req.Join.Names {
		k.s.t.Errorf("the list has %d names, %d were told", len(names), req.Join.Names)
	}
	k.tell(id, answer)
	return req, names
}

// gave answers a take.
func (k *talk) gave(answer wire.TestsAnswer) wire.TestsRequest {
	k.s.t.Helper()
	id, req := k.tests()
	if req.Take == nil {
		k.s.t.Fatalf("asked %+v, expected to take", req)
	}
	k.tell(id, answer)
	return req
}

// did answers what became of a batch.
func (k *talk) did(answer wire.TestsAnswer) wire.TestsDone {
	k.s.t.Helper()
	id, req := k.tests()
	if req.Done == nil {
		k.s.t.Fatalf("asked %+v, expected what became of a batch", req)
	}
	k.tell(id, answer)
	return *req.Done
}

const runShards = `codebuild-tests-run --files-search "printf './c it\nb\n./a\n./b\n'" --test-command `

func TestAShardTakesItsTestsFromTheDaemon(t *testing.T) {
	for _, shell := range []string{"dash", "bash", "busybox"} {
		t.Run(shell, func(t *testing.T) {
			s := newSandbox(t)
			if shell == "busybox" {
				path, err := exec.LookPath("busybox")
				if err != nil {
					t.Skip("busybox is not installed")
				}
				if err := os.Symlink(path, filepath.Join(s.home, "ash")); err != nil {
					t.Fatal(err)
				}
				shell = filepath.Join(s.home, "ash")
			} else if _, err := exec.LookPath(shell); err != nil {
				t.Skip(shell + " is not installed")
			}
			job := s.sharded("true", runShards+`"printf '<%s>' \"\$CODEBUILD_CURRENT_SHARD_FILES\"; [ -e once ] || { touch once; exit 3; }"`+" && echo passed")
			job.Shell = shell
			k := s.talkTo(job)
			req, names := k.joined(wire.TestsAnswer{Strategy: wire.StrategyQueue, Why: "4 files, none of them known"})
			if want := (wire.TestCall{Phase: wire.PhaseBuild, Command: 1}); req.Call != want || req.Join.Strategy != wire.StrategyQueue || !slices.Equal(names, []string{"a", "b", "c it"}) {
				t.Errorf("joined %+v with %q", req, names)
			}
			if take := k.gave(wire.TestsAnswer{Token: 7, Items: []int{2, 0}}); take.Take.Request != 1 || take.Call != req.Call {
				t.Errorf("took %+v", take)
			}
			if done := k.did(wire.TestsAnswer{Again: []int{2}}); done.Token != 7 || done.Exit != 3 || done.Millis < 0 || done.Results != nil {
				t.Errorf("did %+v", done)
			}
			if _, err := os.Stat(filepath.Join(s.spool, wire.TestListFile(0))); err == nil {
				t.Error("the list still lies there after the daemon has read it")
			}
			k.gave(wire.TestsAnswer{WaitMillis: 1})
			k.gave(wire.TestsAnswer{WaitMillis: 1})
			if take := k.gave(wire.TestsAnswer{Token: 9, Items: []int{2}}); take.Take.Request != 4 {
				t.Errorf("took %+v", take)
			}
			if done := k.did(wire.TestsAnswer{Flaky: []int{2}}); done.Token != 9 || done.Exit != 0 || len(done.Results) != 1 || done.Results[0].Item != 2 || done.Results[0].Outcome != outcomePassed {
				t.Errorf("did %+v", done)
			}
			k.gave(wire.TestsAnswer{Over: true})
			res := k.end()
			printed := res.output()
			for _, want := range []string{
				"codebuild-tests-run: sharding strategy queue instead of equal-distribution, as RUNNER_SHARDING or x-runner.sharding says\n",
				"codebuild-tests-run: 4 files, none of them known\n",
				"codebuild-tests-run: shard 2 of 4 takes 2 of 3 test files (queue, batch 1)\n  ./c it\n  ./a\n<./c it\n./a>",
				"codebuild-tests-run: ./c it failed and will be tried again, on whatever shard is free\n",
				"codebuild-tests-run: shard 2 of 4 takes 1 of 3 test files (queue, batch 2)\n  ./c it\n<./c it>",
				"codebuild-tests-run: ./c it failed before and passed now, so it is flaky\n",
				"codebuild-tests-run: shard 2 of 4 ran 3 test files in 2 batches: ",
				"passed\n",
			} {
				if !strings.Contains(printed, want) {
					t.Errorf("did not print %q, but\n%s", want, printed)
				}
			}
			if n := strings.Count(printed, "this one waits"); n != 1 || res.done.Status != wire.StatusSucceeded {
				t.Errorf("said %d times that it waits, and ended %+v", n, res.done)
			}
		})
	}
}

func TestAShardFailsInTheEnd(t *testing.T) {
	for _, tt := range []struct {
		name, test string
		status     int
		says       string
	}{
		{"what ran here failed", "exit 4 #", 4, "in 1 batch:"},
		{"what ran elsewhere failed", "true", 1, "others of the suite failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSandbox(t)
			k := s.talkTo(s.sharded(runShards + "'" + tt.test + "'"))
			k.joined(wire.TestsAnswer{})
			k.gave(wire.TestsAnswer{Token: 1, Items: []int{0, 1, 2}})
			k.did(wire.TestsAnswer{})
			k.gave(wire.TestsAnswer{Over: true, Fails: true})
			res := k.end()
			if res.done.Status != wire.StatusFailed || res.done.Exit != tt.status || !strings.Contains(res.log, tt.says) {
				t.Errorf("ended %+v\n%s", res.done, res.log)
			}
		})
	}
}

func TestAShardThatIsRefusedFails(t *testing.T) {
	s := newSandbox(t)
	k := s.talkTo(s.sharded(runShards + "'echo ran'"))
	k.joined(wire.TestsAnswer{Refused: "shard 1 found x, which this one lacks"})
	res := k.end()
	if res.done.Exit != 1 || !strings.HasSuffix(res.output(), "\ncodebuild-tests-run: shard 1 found x, which this one lacks\n") || strings.Contains(res.output(), "ran") {
		t.Errorf("ended %+v\n%s", res.done, res.log)
	}
}

// TestCallsAreCountedWithinACommand makes calls in two commands, one after the other and side by side.
func TestCallsAreCountedWithinACommand(t *testing.T) {
	s := newSandbox(t)
	k := s.talkTo(s.sharded(runShards+"true; "+runShards+"true", runShards+"true & "+runShards+"true; wait"))
	var calls []wire.TestCall
	for range 4 {
		over := 0
		for over == 0 {
			id, req := k.tests()
			if req.Join != nil {
				calls = append(calls, req.Call)
				k.tell(id, wire.TestsAnswer{})
				continue
			}
			k.tell(id, wire.TestsAnswer{Over: true})
			over++
		}
	}
	k.end()
	slices.SortFunc(calls, func(a, b wire.TestCall) int { return 2*(a.Command-b.Command) + a.Call - b.Call })
	if want := []wire.TestCall{{Phase: "BUILD"}, {Phase: "BUILD", Call: 1}, {Phase: "BUILD", Command: 1}, {Phase: "BUILD", Command: 1, Call: 1}}; !slices.Equal(calls, want) {
		t.Errorf("calls %+v, want %+v", calls, want)
	}
}

// TestARestartInTheMiddleOfACall replaces the daemon before each of its answers.
func TestARestartInTheMiddleOfACall(t *testing.T) {
	s := newSandbox(t)
	s.env = []string{testPatience + "=40ms"}
	k := s.talkTo(s.sharded(runShards + "'echo ran'"))
	epoch := uint64(1)
	again := func() (uint64, wire.TestsRequest) {
		id, req := k.tests()
		time.Sleep(100 * time.Millisecond) // longer than a cache would wait
		epoch++
		w := k.welcome(epoch)
		if w.Request == nil || w.Request.ID != id || w.Request.Tests == nil || w.Request.Tests.Call != req.Call {
			t.Fatalf("daemon %d was told %+v", epoch, w.Request)
		}
		return id, *w.Request.Tests
	}
	id, _ := again()
	k.tell(id, wire.TestsAnswer{})
	id, req := again()
	if req.Take == nil || req.Take.Request != 1 {
		t.Errorf("asked %+v", req)
	}
	k.tell(id, wire.TestsAnswer{Token: 3, Items: []int{1}})
	id, req = again()
	if req.Done == nil || req.Done.Token != 3 {
		t.Errorf("asked %+v", req)
	}
	k.tell(id, wire.TestsAnswer{})
	k.gave(wire.TestsAnswer{Over: true})
	res := k.end()
	if res.done.Status != wire.StatusSucceeded || strings.Count(res.output(), "\nran ./b\n") != 1 {
		t.Errorf("ended %+v\n%s", res.done, res.log)
	}
	if !strings.Contains(res.log, "codebuild-tests-run has waited for 40ms for the daemon to say which tests come next, and waits on\n") {
		t.Errorf("it was not said what the job waits for\n%s", res.log)
	}
}

func TestADaemonThatCouldDecideNothingIsAskedAgain(t *testing.T) {
	s := newSandbox(t)
	s.env = []string{testAgain + "=1ms"}
	k := s.talkTo(s.sharded(runShards+"'echo ran'", ""))
	for i := range 2 {
		id, req := k.tests()
		if req.Join == nil || id != uint64(i+1) {
			t.Errorf("request %d is %+v", id, req)
		}
		s.send(wire.Answer{ID: id, Error: "the disk is full"})
	}
	k.joined(wire.TestsAnswer{})
	for range maxAgain + 1 {
		id, _ := k.tests()
		s.send(wire.Answer{ID: id, Error: "the disk is full"})
	}
	if res := k.end(); res.done.Exit != 1 || !strings.Contains(res.log, "codebuild-tests-run: no tests could be had from the daemon: the disk is full\n") {
		t.Errorf("ended %+v\n%s", res.done, res.log)
	}
}

func TestABatchThatRunsIsKnownToBeAlive(t *testing.T) {
	s := newSandbox(t)
	s.env = []string{testAlive + "=20ms"}
	k := s.talkTo(s.sharded(runShards + "'until [ -e go ]; do sleep 0.01; done #'"))
	k.joined(wire.TestsAnswer{})
	k.gave(wire.TestsAnswer{Token: 7, Items: []int{0}})
	for range 3 {
		var alive wire.Alive
		k.until(func(f wire.Frame) bool { return f.Kind == wire.KindAlive && wire.Decode(f, &alive) == nil })
		if alive.Token != 7 || alive.Call.Phase != wire.PhaseBuild {
			t.Errorf("alive is %+v", alive)
		}
	}
	if err := os.WriteFile(filepath.Join(s.src, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	k.did(wire.TestsAnswer{})
	id, _ := k.tests()
	quiet := true
	time.Sleep(100 * time.Millisecond)
	k.tell(id, wire.TestsAnswer{Over: true})
	k.until(func(f wire.Frame) bool {
		quiet = quiet && f.Kind != wire.KindAlive
		return f.Kind == ""
	})
	if !quiet {
		t.Error("a batch is said to be alive that was answered")
	}
}

// TestAToolThatIsKilledAsksNothingMore kills the tool while its question is open: the next one has its turn.
func TestAToolThatIsKilledAsksNothingMore(t *testing.T) {
	s := newSandbox(t)
	k := s.talkTo(s.sharded("codebuild-tests-run --files-search 'echo a' --test-command true & pid=$!; until [ -e go ]; do sleep 0.01; done; kill $pid; wait $pid; echo $?; " + runShards + "true"))
	first, _ := k.tests()
	if err := os.WriteFile(filepath.Join(s.src, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	id, req := k.tests()
	if req.Join == nil || req.Call.Call != 1 || id == first {
		t.Errorf("asked %+v", req)
	}
	k.tell(first, wire.TestsAnswer{Refused: "too late"})
	k.tell(id, wire.TestsAnswer{})
	k.gave(wire.TestsAnswer{Over: true})
	if res := k.end(); res.done.Status != wire.StatusSucceeded || !strings.Contains(res.output(), "143\n") {
		t.Errorf("ended %+v\n%s", res.done, res.log)
	}
}

// TestTheAgentBearsHostileCalls says all that a tool would not. The job goes on, and a call that is one is served.
func TestTheAgentBearsHostileCalls(t *testing.T) {
	s := newSandbox(t)
	k := s.talkTo(s.sharded("until [ -e go ]; do sleep 0.01; done; " + runShards + "true"))
	awaitText(t, s, "Running command")
	socket := filepath.Join(s.home, tempDir, testsSocket)
	for _, words := range []string{
		"", "\n", "pause\n", "{}\n", `{"take":true}` + "\n", `{"done":{}}` + "\n", "{\"join\":{\"bytes\":-1}}\n", "{\"join\":{\"bytes\":0}}\n",
		fmt.Sprintf("{\"join\":{\"bytes\":%d}}\n", wire.MaxTestList+1), "{\"join\":{\"bytes\":5}}\na", strings.Repeat("x", 1<<20),
	} {
		conn, err := dialUnix(socket)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.WriteString(words)
		conn.Close()
	}
	for list, want := range map[string]string{"b\na\n": "out of order", "a\na\n": "line 2", "a": "not ended", "\n": "line 1", strings.Repeat("a\n", 3): "out of order"} {
		conn, err := dialUnix(socket)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(conn, "{\"join\":{\"strategy\":\"queue\",\"bytes\":%d}}\n%s", len(list), list)
		var answer [512]byte
		if n, _ := conn.Read(answer[:]); !bytes.Contains(answer[:n], []byte(want)) {
			t.Errorf("%q is answered %q, want %q", list, answer[:n], want)
		}
		conn.Close()
	}
	var crowd []*os.File
	for range 2 * maxShardCalls {
		conn, err := dialUnix(socket)
		if err != nil {
			break // the queue of the socket is full
		}
		crowd = append(crowd, conn)
	}
	for _, conn := range crowd {
		conn.Close()
	}
	if err := os.WriteFile(filepath.Join(s.src, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	k.joined(wire.TestsAnswer{})
	k.gave(wire.TestsAnswer{Token: 1, Items: []int{3}})
	if res := k.end(); res.done.Exit != 1 || !strings.Contains(res.log, "the daemon gave test number 3, and there are 3") {
		t.Errorf("ended %+v\n%s", res.done, res.log)
	}
}

func TestListsOfFiftyThousandNames(t *testing.T) {
	s := newSandbox(t)
	const many = 50_000
	search := fmt.Sprintf("seq -f './a/rather/long/directory/of/tests/test_%%06.0f.py' %d", many)
	k := s.talkTo(s.sharded(`codebuild-tests-run --files-search "` + search + `" --test-command 'f() { echo "$# files"; }; f'`))
	_, names := k.joined(wire.TestsAnswer{})
	if len(names) != many || names[0] != "a/rather/long/directory/of/tests/test_000001.py" {
		t.Errorf("%d names, first %q", len(names), names[0])
	}
	items := make([]int, many)
	for i := range items {
		items[i] = i
	}
	k.gave(wire.TestsAnswer{Token: 1, Items: items})
	k.did(wire.TestsAnswer{})
	k.gave(wire.TestsAnswer{Over: true})
	if res := k.end(); !strings.Contains(res.output(), "\n50000 files\n") {
		t.Errorf("ended %+v: %.2000s", res.done, res.output())
	}
}

func TestMoreTestsThanCanBeDivided(t *testing.T) {
	s := newSandbox(t)
	for search, want := range map[string]string{
		"seq 100001": "there are 100001 tests, and no more than 100000 can be divided by queue",
		"seq -f 'a/very/long/directory/in/which/nobody/would/keep/a/test/of/any/kind/because/it/is/so/far/down/that/nobody/finds/it/again/whoever/he/is/or/what/he/wants/test_%06.0f_of_the_many.py' 95000": "bytes, and no more than 16777216 can be divided",
	} {
		res := s.run(s.sharded(`codebuild-tests-run --files-search "` + search + `" --test-command true`))
		if res.done.Exit != 1 || !strings.Contains(res.log, want) {
			t.Errorf("ended %+v: %.2000s", res.done, res.output())
		}
		s = newSandbox(t)
	}
}

func TestTheFailedOfAHugeBatchAreTold(t *testing.T) {
	var d wire.TestsDone
	for i := range 3 * wire.MaxTestResults {
		d.Results = append(d.Results, wire.TestResult{Item: i, Outcome: outcomePassed})
	}
	last := len(d.Results) - 1
	d.Results[last].Outcome = outcomeFailed
	if got := boundedDone(d).Results; len(got) != wire.MaxTestResults || got[0].Item != last || got[1].Item != 0 {
		t.Errorf("%d results, first %+v", len(got), got[:2])
	}
}

// TestGoTestInAShardKnowsEachPackage runs real packages in one batch: each has its own result, every test is in the report,
// and the log is that of go test.
func TestGoTestInAShardKnowsEachPackage(t *testing.T) {
	dir := goModule(t)
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	s := newSandbox(t)
	s.src = dir
	s.env = []string{"GOCACHE=" + strings.TrimSpace(string(cache)), "GOFLAGS=-mod=mod", "GOPROXY=off"}
	k := s.talkTo(s.sharded(`codebuild-tests-run --files-search "printf './good\n./bad\n./odd\n'" --test-command "go test -count=1"`))
	k.split()
	_, names := k.joined(wire.TestsAnswer{})
	k.gave(wire.TestsAnswer{Token: 1, Items: []int{1, 0, 2}})
	done := k.did(wire.TestsAnswer{})
	var got []string
	for _, r := range done.Results {
		got = append(got, names[r.Item]+" "+r.Outcome)
	}
	if want := []string{"bad failed", "odd broken", "good passed"}; !slices.Equal(got, want) || done.Exit != 1 {
		t.Errorf("exit status %d, results %q, want %q", done.Exit, got, want)
	}
	k.gave(wire.TestsAnswer{Over: true, Fails: true})
	res := k.end()
	if strings.Contains(res.log, "seen with -v") || strings.Contains(res.log, `"Action"`) || !strings.Contains(res.log, "    p_test.go:6: no\nFAIL\nFAIL\texample.com/m/bad\t") {
		t.Errorf("the log is not that of go test\n%s", res.log)
	}
	if r := res.done.Reports; r == nil || len(r.Groups) != 1 || r.Groups[0] != (wire.ReportGroup{Name: "GOTESTJSON-AutoDiscovered", Format: "GOTESTJSON", Files: 1, Discovered: true}) {
		t.Fatalf("the reports are %+v\n%s", r, res.log)
	}
	packed, err := os.ReadFile(filepath.Join(s.spool, wire.ReportsFile))
	if err != nil || !bytes.Contains(packed, []byte(`"Output":"    p_test.go:6: seen with -v\n"`)) {
		t.Errorf("the report lacks a test that passed: %v", err)
	}
	if info, err := os.Stat(filepath.Join(s.home, tempDir, goReportsDir)); err != nil || info.Mode() != fs.ModeDir|fs.ModeSticky|0o777 {
		t.Errorf("phases with run-as cannot leave their events: %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.json")); err != nil || left != nil {
		t.Errorf("in the source lie %v, %v", left, err)
	}
}
