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

// maxEarlyFailures bounds the ids that are remembered of a batch.
const maxEarlyFailures = 1000

// ToldEarly takes in what reports of an attempt say before its batch of tests is answered. A daemon that restarts in
// between knows nothing of it, and then the failures count.
func (s *Scheduler) ToldEarly(attempt string, f EarlyFailures) {
	t := &s.tests
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.early == nil {
		t.early = make(map[string]EarlyFailures)
	}
	known := t.early[attempt]
	known.Others = known.Others || f.Others || len(known.Quarantined)+len(f.Quarantined) > maxEarlyFailures
	if !known.Others {
		known.Quarantined = append(known.Quarantined, f.Quarantined...)
	}
	t.early[attempt] = known
}

// takeEarly returns what was told of an attempt, and forgets it.
func (t *testBooks) takeEarly(worker string) EarlyFailures {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.early[worker]
	delete(t.early, worker)
	return f
}

// excuseByReports excuses what is left of the failures of a batch, if the reports that it wrote name failed tests, and all
// of them are quarantined. The command must have ended as those do that ran all tests and found some failed. Where each
// file ran alone, the reports must have a failed test of each file.
func (a *attemptTests) excuseByReports(c *testCall, d *wire.TestsDone) string {
	early := a.s.tests.takeEarly(a.worker)
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
	return excuseOfTests(what, slices.Compact(early.Quarantined), a.quarantine)
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
