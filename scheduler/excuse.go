package scheduler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/scheduler/testqueue"
	"github.com/runner-ci/runner/tests/quarantine"
)

// batch names the items that an answer is for.
func (c *testCall) batch(shard int, token uint64) []string {
	if c.shares == nil {
		return c.queue.Batch(token)
	}
	if shard >= len(c.shares.Shares) {
		return nil
	}
	var names []string
	for _, i := range c.shares.Shares[shard] {
		names = append(names, c.shares.Names[i])
	}
	return names
}

// alone are the items that are quarantined as a whole: by themselves they can be told from the rest of their batch.
func (a *attemptTests) alone(c *testCall, items []int) (alone []int) {
	names := c.names()
	for _, i := range items {
		if a.quarantine.Whole(names[i]) != nil {
			alone = append(alone, i)
		}
	}
	return alone
}

// excuse gives the items of an answer that failed only in quarantined tests the outcome that says so, and returns what
// the log should say of it.
func (a *attemptTests) excuse(c *testCall, d *wire.TestsDone) string {
	names := c.names()
	var why []string
	for i := range d.Results {
		r := &d.Results[i]
		if r.Outcome == string(testqueue.Quarantined) {
			r.Outcome = string(testqueue.Failed) // no agent says that
		}
		if r.Outcome != string(testqueue.Failed) || r.Item < 0 || r.Item >= len(names) {
			continue
		}
		if text := a.excuseOf(names[r.Item], r, d); text != "" {
			r.Outcome = string(testqueue.Quarantined)
			why = append(why, text)
		} else {
			r.Failed = a.countingOf(names[r.Item], r)
		}
	}
	if text := a.excuseByReports(c, d); text != "" {
		why = append(why, text)
	}
	if more := len(why) - maxTold; more > 0 {
		why = append(why[:maxTold], fmt.Sprintf("and so it is with %d more", more))
	}
	return strings.Join(why, "; ")
}

// excuseOf says why the failure of an item does not count; nothing where it does.
func (a *attemptTests) excuseOf(item string, r *wire.TestResult, d *wire.TestsDone) string {
	if len(r.Tests) > 0 {
		return excuseOfTests(item, r.Tests, a.quarantine.Test)
	}
	const signalled = 128
	if e := a.quarantine.Whole(item); e != nil && !d.Strict && d.Exit < signalled {
		return fmt.Sprintf("%s failed, and does not count: it is in quarantine (%s)", item, brief(e))
	}
	file, failed := failedWithin(item, r)
	if d.Strict || d.Exit != 1 || len(failed) == 0 {
		return ""
	}
	return excuseOfTests(item, failed, func(test string) *quarantine.Entry { return a.quarantine.Named(file, test) })
}

// countingOf are the tests of a failed item that are tried again: those that are not quarantined.
func (a *attemptTests) countingOf(item string, r *wire.TestResult) (counting []string) {
	for i, test := range failedTests(*r) {
		e := a.quarantine.Named(item, test)
		if len(r.Tests) == len(r.Failed) {
			e = a.quarantine.Test(r.Tests[i])
		}
		if e == nil {
			counting = append(counting, test)
		}
	}
	if len(counting) == 0 { // it failed for something else too, or for more than can be told
		return r.Failed
	}
	return counting
}

// failedWithin are the tests that failed in a file, by the names that pytest or Jest has for them; none where that is not
// known. One that is an item by itself was measured if it ran.
func failedWithin(item string, r *wire.TestResult) (file string, failed []string) {
	file, test, split := strings.Cut(item, testqueue.PartMark)
	if split && len(r.Failed) == 0 && r.Millis > 0 {
		return file, []string{test}
	}
	return item, failedTests(*r)
}

// excuseOfTests says that all failed tests of an item are quarantined, if they are.
func excuseOfTests(item string, failed []string, entry func(test string) *quarantine.Entry) string {
	var told []string
	for _, id := range failed {
		e := entry(id)
		if e == nil {
			return ""
		}
		told = append(told, fmt.Sprintf("%s, %s", id, brief(e)))
	}
	slices.Sort(told)
	if more := len(told) - maxTold; more > 0 {
		told = append(told[:maxTold], fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%s failed only in quarantined tests (%s), so it does not count", item, strings.Join(told, "; "))
}

func brief(e *quarantine.Entry) string { return "owned by " + e.Owner + ", until " + e.Until }
