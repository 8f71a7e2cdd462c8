package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/scheduler/testqueue"
	"github.com/runner-ci/runner/tests/quarantine"
)

// Bounds on what the jobs of one build make of tests: calls, bytes of memory that all their lists take, and bytes of one
// name, which is what a path can have.
const (
	maxTestCalls = 2048 // one that may split its files counts twice
	maxTestBytes = 128 << 20
	perTest      = 200 // that it takes besides its name
	maxTestName  = 4096
	maxCallIndex = 100_000
)

// attemptTests is the tests of a build as one attempt sees them.
type attemptTests struct {
	s       *Scheduler
	build   *Build
	job     string // whose tests they are; empty: those of all shards
	planned string // the job itself
	worker  string
	shard   int
	shards  int
	retries int // attempts before this one that on-failure: RETRY ended
	retry   *testRetry

	quarantine *quarantine.Matcher
}

var _ runner.TestQueue = (*attemptTests)(nil)

func (s *Scheduler) testsOf(l leased) *attemptTests {
	a := &attemptTests{
		s: s, build: l.build, planned: l.job.ID, worker: workerID(l.build.ID(), l.job.ID, l.attempt.Number),
		shard: l.job.Shard, shards: max(l.job.Shards, 1), retries: retries(l.job), quarantine: l.build.QuarantineInForce().Matcher(),
	}
	if l.job.Shards < 2 {
		a.job = l.job.ID
	}
	if j, err := planJob(l.build, l.job.ID); err == nil && j.TestRetry != nil {
		a.retry = &testRetry{TestRetry: *j.TestRetry}
	}
	return a
}

func refuse(err error) wire.TestsAnswer { return wire.TestsAnswer{Refused: err.Error()} }

// with does something to the build's queues.
func (a *attemptTests) with(do func(*testBook) (wire.TestsAnswer, error)) (wire.TestsAnswer, error) {
	b, err := a.s.tests.book(a.build.ID(), true)
	if err != nil {
		return wire.TestsAnswer{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := a.s.loadBook(b); err != nil {
		return wire.TestsAnswer{}, err
	}
	answer, err := do(b)
	if err != nil {
		b.calls = nil
	}
	return answer, err
}

// find is the call that the attempt is part of; nil when nobody has begun it.
func (a *attemptTests) find(b *testBook, call wire.TestCall) *testCall {
	if a.retries > 0 {
		if c := b.calls[a.againID(call)]; c != nil {
			return c
		}
	}
	return b.calls[callID(call, a.job, 0)]
}

// againID names the queue of a shard that begins again.
func (a *attemptTests) againID(call wire.TestCall) string {
	return callID(call, fmt.Sprintf("%s@%d", a.job, a.shard), a.retries)
}

// Join implements runner.TestQueue.
func (a *attemptTests) Join(_ context.Context, call wire.TestCall, strategy string, names []string) (wire.TestsAnswer, error) {
	if err := checkCall(call, strategy, names); err != nil {
		return refuse(err), nil
	}
	return a.with(func(b *testBook) (wire.TestsAnswer, error) {
		c := a.find(b, call)
		if c == nil || a.beginsAgain(c) {
			if err := room(b, names); err != nil {
				return refuse(err), nil
			}
			var err error
			if c, err = a.begin(b, c, call, strategy, names); err != nil {
				return wire.TestsAnswer{}, err
			}
		}
		var err error
		if c.shares != nil {
			err = c.shares.join(a.worker, names)
		} else {
			err = c.queue.Join(a.worker, a.shard, names, time.Now())
		}
		if err != nil {
			return refuse(err), nil
		}
		return wire.TestsAnswer{Strategy: c.head.Strategy, Why: c.about(strategy)}, a.s.storeCall(b, c, nil)
	})
}

// beginsAgain tells whether the shard is to run its part once more: on-failure: RETRY asked for the attempt, and the
// tests came to their end before it.
func (a *attemptTests) beginsAgain(c *testCall) bool {
	return a.retries > 0 && c.queue != nil && c.queue.Ended() && !c.head.Again
}

// begin makes a call that nobody has begun, or begins one again that has ended. It is not stored yet.
func (a *attemptTests) begin(b *testBook, ended *testCall, call wire.TestCall, strategy string, names []string) (c *testCall, err error) {
	if ended != nil {
		c = &testCall{id: a.againID(call), head: testHead{Strategy: wire.StrategyQueue, Job: b.jobOf(a), Shards: 1, Again: true, Retry: ended.retryAgain()}}
		c.queue, err = testqueue.Repeat(c.options(nil), ended.queue, a.shard, time.Now())
		return c, err
	}
	c = &testCall{id: callID(call, a.job, 0), head: testHead{Strategy: strategy, Job: a.job, Shards: a.shards, Retry: a.retry}}
	if a.retry != nil {
		c.head.Strategy = wire.StrategyQueue
	}
	former, err := a.s.formerCall(a.build, c.id)
	if err != nil {
		return nil, err
	}
	if former != nil && former.head.Shards == a.shards {
		return c, a.replay(c, former)
	}
	var known testqueue.History
	err = a.s.db.View(func(tx *bbolt.Tx) error {
		known = timesOf(tx, b.project, names)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if c.head.Strategy == wire.StrategyTiming {
		c.head.Division = split(a.worker, names, a.shards, known)
		c.shares = &testShares{testSplit: *c.head.Division}
		return c, nil
	}
	c.queue, err = testqueue.Open(c.options(known), time.Now())
	return c, err
}

// jobOf is the job of an attempt whose tests are those of all shards.
func (b *testBook) jobOf(a *attemptTests) string {
	job, _, _ := strings.Cut(strings.TrimPrefix(a.worker, b.build+"/"), "@")
	return job
}

// replay makes a call from that of the build which is retried: each shard is given what it was given there.
func (a *attemptTests) replay(c *testCall, former *testCall) error {
	c.head = former.head
	if former.shares != nil {
		c.shares = &testShares{testSplit: former.shares.testSplit}
		return nil
	}
	again, err := a.s.rerun(a.build.ID())
	if err != nil {
		return err
	}
	c.queue, err = testqueue.Replay(c.options(nil), former.queue, again, time.Now())
	return err
}

// checkCall refuses what no agent says.
func checkCall(call wire.TestCall, strategy string, names []string) error {
	phases := []string{wire.PhaseInstall, wire.PhasePreBuild, wire.PhaseBuild, wire.PhasePostBuild}
	switch {
	case !slices.Contains(phases, call.Phase) || call.Command < 0 || call.Command > maxCallIndex || call.Call < 0 || call.Call > maxCallIndex:
		return fmt.Errorf("there is no call %d of command %d in phase %s", call.Call, call.Command, call.Phase)
	case strategy != wire.StrategyTiming && strategy != wire.StrategyQueue:
		return fmt.Errorf("the daemon divides tests by %s and %s, and not by %q", wire.StrategyTiming, wire.StrategyQueue, strategy)
	case len(names) == 0:
		return testqueue.ErrEmpty
	case !slices.Equal(names, testqueue.Normalise(names)):
		return errors.New("the list of tests is not sorted, or holds a name twice, or one that is empty, begins with ./ or ends with a blank; use releases of agent and daemon that belong together")
	}
	for _, name := range names {
		if len(name) > maxTestName || strings.ContainsRune(name, 0) {
			return fmt.Errorf("the files search printed a line of %d bytes, and no file has such a name; let it print one file a line", len(name))
		}
	}
	return nil
}

// room refuses what would fill the state.
func room(b *testBook, names []string) error {
	bytes := 0
	for _, c := range b.calls {
		bytes += sizeOf(c.names())
	}
	bytes += sizeOf(names)
	if len(b.calls) >= maxTestCalls || bytes > maxTestBytes {
		return fmt.Errorf("the jobs of this build have begun %d divisions of tests, which take %d MiB; a build may have %d, with %d MiB: a test takes its name and %d bytes", len(b.calls)+1, bytes>>20, maxTestCalls, maxTestBytes>>20, perTest)
	}
	return nil
}

// sizeOf is what a list of tests takes in memory, about.
func sizeOf(names []string) (bytes int) {
	for _, name := range names {
		bytes += len(name) + perTest
	}
	return bytes
}

// errNotJoined is of an attempt that asks before it has told its list.
var errNotJoined = fmt.Errorf("no list of tests was told for this call: %w", testqueue.ErrUnknown)

// only are the tests that are tried again, by the numbers of the items that they are in.
func (c *testCall) only(b *testqueue.Batch) map[int][]string {
	if len(b.Only) == 0 {
		return nil
	}
	out := make(map[int][]string, len(b.Only))
	for name, tests := range b.Only {
		out[c.numbers([]string{name})[0]] = tests
	}
	return out
}

// numbers are the numbers of names.
func (c *testCall) numbers(of []string) (out []int) {
	names := c.names()
	for _, name := range of {
		i, _ := slices.BinarySearch(names, name)
		out = append(out, i)
	}
	return out
}

// Done implements runner.TestQueue.
func (a *attemptTests) Done(_ context.Context, call wire.TestCall, done wire.TestsDone) (wire.TestsAnswer, error) {
	return a.with(func(b *testBook) (wire.TestsAnswer, error) {
		c := a.find(b, call)
		if c == nil {
			return refuse(errNotJoined), nil
		}
		why := a.excuse(c, &done)
		if err := a.excused(why); err != nil {
			return wire.TestsAnswer{}, err
		}
		if c.shares != nil {
			samples, err := c.shares.done(a.worker, a.shard, done)
			if err != nil {
				return refuse(err), nil
			}
			return wire.TestsAnswer{Why: why}, a.s.storeCall(b, c, a.teach(samples))
		}
		completion, err := c.completion(done)
		if err != nil {
			return refuse(err), nil
		}
		before := c.queue.Len()
		receipt, err := c.queue.Complete(a.worker, done.Token, completion, time.Now())
		if err != nil {
			return refuse(err), a.s.storeCall(b, c, nil)
		}
		samples := c.samples(c.queue.Events(before), completion)
		answer := wire.TestsAnswer{Again: c.numbers(receipt.Again), Flaky: c.numbers(receipt.Flaky), Why: why}
		return answer, a.s.storeCall(b, c, a.teach(samples))
	})
}

// teach keeps what strangers' builds say out of a project's durations.
func (a *attemptTests) teach(samples []testSample) []testSample {
	if a.build.Fork {
		return nil
	}
	return samples
}

// samples are the durations that an answer teaches: those of the tests that it was the first to answer for.
func (c *testCall) samples(events []testqueue.Event, answer testqueue.Completion) (out []testSample) {
	type told struct {
		outcome  testqueue.Outcome
		measured bool
	}
	known := make(map[string]told)
	for _, r := range answer.Results {
		known[r.Item] = told{r.Outcome, r.Took > 0}
	}
	names := c.names()
	for _, e := range events {
		if len(e.Result) == 0 {
			continue // no answer
		}
		part := c.queue.Only(e.Token)
		for n, i := range e.Items {
			t, is := known[names[i]]
			if !is {
				t.outcome = answer.Outcome
			}
			if len(part[names[i]]) > 0 {
				continue // some of its tests do not say how long it takes
			}
			measured := t.measured || len(e.Items) == 1 && len(answer.Results) < 2
			out = append(out, testSample{names[i], time.Duration(e.Micros[n]) * time.Microsecond, weightOf(t.outcome, measured)})
		}
	}
	return out
}

// Alive implements runner.TestQueue.
func (a *attemptTests) Alive(call wire.TestCall, _ uint64) {
	_, err := a.with(func(b *testBook) (wire.TestsAnswer, error) {
		c := a.find(b, call)
		if c == nil || c.queue == nil || c.queue.Heartbeat(a.worker, time.Now()) != nil {
			return wire.TestsAnswer{}, nil // it is told with its answer
		}
		return wire.TestsAnswer{}, a.s.storeCall(b, c, nil)
	})
	if err != nil {
		a.s.log.Warn("noting that a shard lives", "shard", a.worker, "error", err)
	}
}
