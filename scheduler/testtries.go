package scheduler

import (
	"fmt"
	"strings"

	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/scheduler/testqueue"
)

// about says what is known of a call's tests, to a shard that asked for a strategy.
func (c *testCall) about(asked string) string {
	if c.shares != nil {
		return fmt.Sprintf("%d tests, %d of known duration, were divided over %d shards", len(c.shares.Names), c.shares.Known, len(c.shares.Shares))
	}
	sum := c.queue.Summary()
	why := fmt.Sprintf("%d of %d tests are left, and %d are of known duration", sum.Total-sum.Done, sum.Total, sum.Known)
	if asked != c.head.Strategy && c.head.Retry != nil {
		why += fmt.Sprintf("; the strategy is %s instead of %s, because x-runner.tests has what fails tried again, on whatever shard is free", c.head.Strategy, asked)
	}
	return why
}

// completion is an answer in the queue's words.
func (c *testCall) completion(d wire.TestsDone) (testqueue.Completion, error) {
	out := testqueue.Completion{Outcome: testqueue.Passed, Took: millis(d.Millis)}
	switch d.Exit {
	case 0:
	case 126, 127: // of a shell: the command could not be run
		out.Outcome = testqueue.Broken
	default:
		out.Outcome = testqueue.Failed
	}
	names := c.names()
	for _, r := range d.Results {
		if r.Item < 0 || r.Item >= len(names) {
			return out, fmt.Errorf("the result for test %d of %d is not asked for", r.Item, len(names))
		}
		out.Results = append(out.Results, testqueue.Result{
			Item: names[r.Item], Outcome: testqueue.Outcome(r.Outcome), Took: millis(r.Millis), Tests: failedTests(r),
		})
	}
	return out, nil
}

// failedTests are those that an agent names within an item that failed; none where they are more than it would name, or
// where the item is a test itself.
func failedTests(r wire.TestResult) []string {
	if len(r.Failed) > wire.MaxFailedTests {
		return nil
	}
	for _, test := range r.Failed {
		if test == "" || len(test) > maxTestName || strings.ContainsRune(test, 0) {
			return nil
		}
	}
	return r.Failed
}

// retryAgain is how a shard that begins again tries what fails: as before, in rounds that come after the former ones.
func (c *testCall) retryAgain() *testRetry {
	if c.head.Retry == nil {
		return nil
	}
	next := *c.head.Retry
	last := uint64(0)
	for _, r := range c.queue.Results() {
		last = max(last, r.Token)
	}
	next.Rounds += last
	return &next
}

// round numbers a batch with tests that were tried before; 0 for one that has none. What a report of a later round says
// of a test replaces what earlier ones said.
func (c *testCall) round(b *testqueue.Batch) uint64 {
	r := c.head.Retry
	if r == nil {
		return 0
	}
	if r.Rounds > 0 || c.queue.Failed(b.Items) {
		return r.Rounds + b.Token
	}
	return 0
}

// shardFailed tells whether a test that a shard answered for failed in the end, or was given up by all. A flaky one did
// if the buildspec says so.
func (c *testCall) shardFailed(shard int) bool {
	for _, r := range c.queue.Results() {
		switch r.Outcome {
		case testqueue.Lost:
			return true
		case testqueue.Flaky:
			if c.head.Retry == nil || !c.head.Retry.FlakyFails {
				continue
			}
		case testqueue.Failed, testqueue.Broken:
		default:
			continue
		}
		if r.Worker != "" && r.Shard == shard {
			return true
		}
	}
	return false
}

// maxTold bounds the names in one sentence.
const maxTold = 20

// tried says in the end what came of trying again; nothing where nothing failed, or nothing is tried again.
func (c *testCall) tried() string {
	if c.head.Retry == nil {
		return ""
	}
	failed := 0
	var flaky []string
	for _, r := range c.queue.Results() {
		if r.Fails > 0 || r.Outcome == testqueue.Broken {
			failed++
		}
		if r.Outcome == testqueue.Flaky {
			flaky = append(flaky, r.Name)
		}
	}
	if failed == 0 {
		return ""
	}
	sum := c.queue.Summary()
	why := fmt.Sprintf("of the %d test files of all shards %d failed at first, and further tries of them or of their tests: %d", sum.Total, failed, sum.Retried)
	if len(flaky) == 0 {
		return why
	}
	verdict := "which fails no build"
	if c.head.Retry.FlakyFails {
		verdict = "which fails the build, as x-runner.tests.flaky says"
	}
	more := ""
	if n := len(flaky) - maxTold; n > 0 {
		flaky, more = flaky[:maxTold], fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%s; flaky, %s: %s%s", why, verdict, strings.Join(flaky, ", "), more)
}
