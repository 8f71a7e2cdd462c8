package explain

import (
	"math"
	"slices"
	"time"

	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/scheduler/testqueue"
)

// change is what one play of a build has different from what happened. The zero value is what happened.
type change struct {
	slots  bool                                   // nobody waits for a slot
	shards int                                    // of the suite; 0: as many as there were
	less   func(*scheduler.Job) (d time.Duration) // by how much a job is shorter before its tests; nil: not at all
}

// maxWork bounds the plays of suites, in tests times shards: each shard brings the whole list, and takes its batches one by one.
const maxWork = 100_000

// play is when the last job ends, counted from the plan, and how many slots are in use at most.
func (b *build) play(c change) (end time.Duration, slots int, err error) {
	if run := b.suite(); run != nil {
		return b.playSuite(run, c)
	}
	end, slots = b.playGraph(c)
	return end, slots, nil
}

// shorter is what a change takes off a job, at most all that it took.
func (c change) shorter(j *scheduler.Job, took time.Duration) time.Duration {
	if c.less == nil {
		return 0
	}
	return min(max(c.less(j), 0), max(took, 0))
}

// span is when a job held slots.
type span struct{ began, ended time.Duration }

// playGraph starts each job when those that it depends on have ended.
func (b *build) playGraph(c change) (end time.Duration, slots int) {
	known := make(map[string]time.Duration, len(b.Jobs))
	var spans []span
	var ends func(j *scheduler.Job) time.Duration
	ends = func(j *scheduler.Job) time.Duration {
		if at, done := known[j.ID]; done {
			return at
		}
		known[j.ID] = 0 // a circle, which no checked plan has, ends here
		if j.TakenFrom != "" {
			return 0
		}
		ready, _ := b.ready(j)
		queued, began := b.queued(j, ready), b.began(j)
		var at time.Duration
		for _, d := range b.dependsOn(j) {
			at = max(at, ends(d))
		}
		at += queued.Sub(ready)
		slot, space, drain := b.waited(j, queued)
		if at += space + drain; !c.slots {
			at += slot
		}
		took := b.ended(j.EndedAt).Sub(began)
		took -= c.shorter(j, took)
		switch {
		case own(j):
			spans = append(spans, span{at, at + took})
		case j.State == scheduler.JobQueued: // it would hold one for longer than is known
			spans = append(spans, span{at, math.MaxInt64})
		}
		known[j.ID] = at + took
		return at + took
	}
	for i := range b.Jobs {
		end = max(end, ends(&b.Jobs[i]))
	}
	return end, peak(spans)
}

// peak is how many spans there are at once at most.
func peak(spans []span) (most int) {
	type edge struct {
		at time.Duration
		by int
	}
	var edges []edge
	for _, s := range spans {
		edges = append(edges, edge{s.began, 1}, edge{s.ended, -1})
	}
	slices.SortFunc(edges, func(x, y edge) int {
		if x.at != y.at {
			return int(min(max(x.at-y.at, -1), 1))
		}
		return x.by - y.by
	})
	n := 0
	for _, e := range edges {
		n += e.by
		most = max(most, n)
	}
	return most
}

// suite is the tests that the shards of a build share, if that is one run which came to its end, and nothing else is in the
// build.
func (b *build) suite() *scheduler.TestRun {
	if len(b.Tests) != 1 || !b.Build.Status.Ended() {
		return nil
	}
	run := &b.Tests[0]
	if run.Job != "" || len(run.Real) == 0 || len(run.Real)*len(b.Jobs) > maxWork || len(b.Jobs) < 2 || run.Shards != len(b.Jobs) {
		return nil
	}
	for i := range b.Jobs {
		if !own(&b.Jobs[i]) || len(b.Jobs[i].Attempts) != 1 || b.Jobs[i].Shards < 2 {
			return nil
		}
	}
	return run
}

// suiteEnd is when the last test of a suite ended.
func suiteEnd(run *scheduler.TestRun) (at time.Time) {
	for _, ran := range run.Batches {
		if ran.Ended.After(at) {
			at = ran.Ended
		}
	}
	return at
}

// playSuite divides the tests once more, by the queue's own code, over shards that come as they came.
func (b *build) playSuite(run *scheduler.TestRun, c change) (end time.Duration, slots int, err error) {
	s := testqueue.Simulation{Real: run.Real, Known: run.Known, Startup: run.Startup}
	last := suiteEnd(run).Sub(b.planned)
	type shard struct{ joined, was, ended time.Duration }
	var shards []shard
	for i := range b.Jobs {
		j := &b.Jobs[i]
		ready, _ := b.ready(j)
		ended, less := j.EndedAt.Sub(b.planned), time.Duration(0)
		if c.slots {
			less, _, _ = b.waited(j, b.queued(j, ready))
		}
		joined, came := run.Joined[scheduler.WorkerOf(b.Build.ID(), j.ID, 1)]
		if !came { // it failed before
			end = max(end, ended-less-c.shorter(j, j.EndedAt.Sub(b.began(j))))
			continue
		}
		less += c.shorter(j, joined.Sub(b.began(j)))
		was := joined.Sub(b.planned)
		shards = append(shards, shard{max(was-less, 0), was, ended})
		s.Ready = append(s.Ready, max(was-less, 0))
	}
	if more := c.shards - len(s.Ready); c.shards > 0 && more > 0 && len(s.Ready) > 0 {
		sorted := slices.Sorted(slices.Values(s.Ready))
		for range more {
			s.Ready = append(s.Ready, sorted[len(sorted)/2])
		}
	}
	tests, err := s.Ends()
	for _, x := range shards {
		end = max(end, max(tests, x.joined)+max(0, x.ended-max(last, x.was)))
	}
	return end, len(s.Ready), err
}
