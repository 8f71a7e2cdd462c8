package scheduler

import (
	"fmt"
	"slices"

	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/scheduler/testqueue"
	"github.com/runner-ci/runner/tests/quarantine"
)

// EarlyFailures is what reports that a running attempt told of say of failed tests.
type EarlyFailures struct {
	Quarantined []string // ids of those that are quarantined
	Others      bool     // there are others, or may be: something could not be read
}

// earlyNote is what one look at the reports of an attempt came to.
type earlyNote struct {
	number int
	EarlyFailures
}

// maxEarlyFailures bounds the ids that are remembered of a batch.
const maxEarlyFailures = 1000

// ToldEarly takes in what the early reports of a number say before the batch of tests that they belong to is answered. A
// daemon that restarts in between knows nothing of it, and then the failures count.
func (s *Scheduler) ToldEarly(attempt string, number int, f EarlyFailures) {
	t := &s.tests
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.early == nil {
		t.early = make(map[string][]earlyNote)
	}
	of := func(n earlyNote) bool { return n.number == number } // a daemon may be told again
	t.early[attempt] = append(slices.DeleteFunc(t.early[attempt], of), earlyNote{number, f})
}

// takeEarly returns what was told of an attempt from a number on, and forgets all of it. What was told before is of an
// earlier batch, or of another command.
func (t *testBooks) takeEarly(worker string, from int) (of EarlyFailures) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range t.early[worker] {
		if n.number < from {
			continue
		}
		of.Others = of.Others || n.Others || len(of.Quarantined)+len(n.Quarantined) > maxEarlyFailures
		if !of.Others {
			of.Quarantined = append(of.Quarantined, n.Quarantined...)
		}
	}
	delete(t.early, worker)
	return of
}

// excuseByReports excuses what is left of the failures of a batch, if the reports that it wrote name failed tests, and all
// of them are quarantined. The command must have ended as those do that ran all tests and found some failed. Where each
// file ran alone, the reports must have a failed test of each file.
func (a *attemptTests) excuseByReports(c *testCall, d *wire.TestsDone) string {
	early := a.s.tests.takeEarly(a.worker, d.From)
	if d.Exit != 1 || d.Strict || early.Others || len(early.Quarantined) == 0 {
		return ""
	}
	failed := c.failedOf(c.batch(a.shard, d.Token), d)
	if len(failed) == 0 {
		return ""
	}
	names := c.names()
	for _, item := range failed {
		of := func(id string) bool { return quarantine.In(id, names[item]) }
		if c.head.Retry != nil && len(failed) > 1 && !slices.ContainsFunc(early.Quarantined, of) {
			return ""
		}
	}
	for _, item := range failed {
		at := slices.IndexFunc(d.Results, func(r wire.TestResult) bool { return r.Item == item })
		if at < 0 {
			d.Results = append(d.Results, wire.TestResult{Item: item})
			at = len(d.Results) - 1
		}
		d.Results[at].Outcome = string(testqueue.Quarantined)
	}
	slices.Sort(early.Quarantined)
	what := names[failed[0]]
	if len(failed) > 1 {
		what = fmt.Sprintf("the batch of %d", len(failed))
	}
	return excuseOfTests(what, slices.Compact(early.Quarantined), func(id string) *quarantine.Entry {
		e := a.quarantine.Test(id)
		for i := 0; e == nil && i < len(failed); i++ {
			e = a.quarantine.Whole(names[failed[i]]) // the report of the failure says in which file it is
		}
		return e
	})
}

// failedOf are the items of a batch that failed, or of which nothing is told. There are none where something could not be
// tried, or failed for tests that count: then the reports explain nothing.
func (c *testCall) failedOf(batch []string, d *wire.TestsDone) (failed []int) {
	for _, item := range c.numbers(batch) {
		at := slices.IndexFunc(d.Results, func(r wire.TestResult) bool { return r.Item == item })
		switch {
		case at < 0:
		case d.Results[at].Outcome == string(testqueue.Broken), d.Results[at].Outcome == string(testqueue.Failed) && len(d.Results[at].Tests) > 0:
			return nil
		case d.Results[at].Outcome != string(testqueue.Failed):
			continue
		}
		failed = append(failed, item)
	}
	return failed
}
