package explain

import (
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

// testsOf is what an attempt ran of the suite within a span; nil where that is nothing.
func (b *build) testsOf(j *scheduler.Job, a *scheduler.Attempt, from, to time.Time) *client.PathTests {
	worker := scheduler.WorkerOf(b.Build.ID(), j.ID, a.Number)
	var out client.PathTests
	for i := range b.Tests {
		for _, ran := range b.Tests[i].Batches {
			if ran.Worker != worker {
				continue
			}
			began, ended := ran.Began, ran.Ended
			if ended.IsZero() || ended.After(to) {
				ended = to
			}
			if began.Before(from) {
				began = from
			}
			if took := ended.Sub(began); took > 0 {
				out.Batches++
				out.Tests += len(ran.Items)
				out.Seconds += took.Seconds()
			}
		}
	}
	if out.Batches == 0 {
		return nil
	}
	return &out
}

// testsElsewhere finds the shard that ran the last tests of a suite while this one, in this phase, had none left, and since
// when this one went on. What is shorter than the pause of one request is no wait.
func (w *walker) testsElsewhere(j *scheduler.Job, a *scheduler.Attempt, p *stage) (other *scheduler.Job, from time.Time) {
	me := scheduler.WorkerOf(w.Build.ID(), j.ID, a.Number)
	for i := range w.Tests {
		run := &w.Tests[i]
		mine, joined := run.Joined[me]
		if run.Job != "" || run.Phase != p.Name || !joined {
			continue
		}
		var last scheduler.TestBatch
		for _, ran := range run.Batches {
			if ran.Ended.IsZero() || ran.Ended.After(w.at) {
				continue
			}
			if ran.Worker == me && ran.Ended.After(mine) {
				mine = ran.Ended
			}
			if ran.Ended.After(last.Ended) {
				last = ran
			}
		}
		if last.Worker == me || last.Ended.Sub(mine) < 2*moment || !last.Ended.After(p.Started) {
			continue
		}
		if found := w.jobOf(last.Worker); found != nil && found.ID != j.ID {
			return found, last.Ended
		}
	}
	return nil, time.Time{}
}

// jobOf finds the job that a worker of test runs is an attempt at.
func (b *build) jobOf(worker string) *scheduler.Job {
	for i := range b.Jobs {
		for n := range b.Jobs[i].Attempts {
			if worker == scheduler.WorkerOf(b.Build.ID(), b.Jobs[i].ID, b.Jobs[i].Attempts[n].Number) {
				return &b.Jobs[i]
			}
		}
	}
	return nil
}
