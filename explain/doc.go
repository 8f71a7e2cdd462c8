// Package explain tells where the time of a build went: from its stored rows to steps, waits and savings. It is pure: no
// I/O and no clock.
//
// # The path
//
// The path is found backwards. The job that ended last decided the build's end; within its attempt each phase waited for the
// one before it; before its first attempt it waited for a slot, before that for the job that ended last of those it
// depends on, or for the plan. A shard that had no tests left while another one still ran some waited for that one: the path
// goes on there. So the steps follow each other without a gap, and their sum is what the build took.
//
// # Savings
//
// A saving is the difference of two plays of the same build: once as it was, and once with one thing changed, where every
// job keeps the durations that it had. Tests that shards take from a queue are divided by the queue's own code, with what
// each test really took. Where the first play is far from what really happened, the model does not hold, and no figure is
// given.
package explain

import (
	"time"

	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/scheduler/testqueue"
)

// Input is what is known of a build.
type Input struct {
	Build *scheduler.Build // with its plan
	Jobs  []scheduler.Job
	Tests []scheduler.TestRun
	Now   time.Time

	Slots   int                      // of the daemon, as things are
	MaxJobs int                      // of the project; 0: no limit
	Starts  scheduler.Starts         // of the project
	Held    []Held                   // slots that attempts held while jobs of this build waited
	Caches  map[string]time.Duration // by job, of those that were not given the cache that they name: by how much it shortens them
	Green   *scheduler.Build         // had built the same tree before
}

// Held is a slot that an attempt held.
type Held struct {
	Build string // empty: one that the reader may not see
	Began time.Time
	Ended time.Time // zero: it still does
}

type item = testqueue.Item

// moment is what is too short to be told of.
const moment = 50 * time.Millisecond

// build is the input with what is looked up more than once.
type build struct {
	Input
	at      map[string]int // jobs by id
	end     time.Time      // of the build, or now
	planned time.Time      // when the source was there and the plan made; zero: it is not
}

func read(in Input) *build {
	b := &build{Input: in, at: make(map[string]int, len(in.Jobs)), end: in.Build.EndedAt}
	for i := range in.Jobs {
		b.at[in.Jobs[i].ID] = i
	}
	if b.end.IsZero() {
		b.end = in.Now
	}
	for _, p := range in.Build.Phases {
		if p.Name == "DOWNLOAD_SOURCE" && p.Status == scheduler.Succeeded {
			b.planned = p.Started.Add(p.Took)
		}
	}
	return b
}

// dependsOn are the jobs that a job waits for.
func (b *build) dependsOn(j *scheduler.Job) (out []*scheduler.Job) {
	if b.Build.Plan == nil {
		return nil
	}
	i := b.at[j.ID]
	if i >= len(b.Build.Plan.Jobs) || b.Build.Plan.Jobs[i].ID != j.ID {
		return nil
	}
	for _, id := range b.Build.Plan.Jobs[i].DependsOn {
		if at, known := b.at[id]; known {
			out = append(out, &b.Jobs[at])
		}
	}
	return out
}

// own tells whether a job ran in this build.
func own(j *scheduler.Job) bool { return j.TakenFrom == "" && len(j.Attempts) > 0 }

// ended is when something ended, or the end of what is looked at.
func (b *build) ended(at time.Time) time.Time {
	if at.IsZero() || at.After(b.end) {
		return b.end
	}
	return at
}

// ready is when nothing but a slot, or a place in its group, kept a job any more, and which job had kept it until then.
func (b *build) ready(j *scheduler.Job) (at time.Time, last *scheduler.Job) {
	at = b.planned
	for _, d := range b.dependsOn(j) {
		if d.TakenFrom != "" {
			continue
		}
		if end := b.ended(d.EndedAt); end.After(at) {
			at, last = end, d
		}
	}
	return at, last
}

// queued is when a job could have had a slot: later than ready only where its build waited for its group. The rows of a job
// with several attempts tell that of the newest one.
func (b *build) queued(j *scheduler.Job, ready time.Time) time.Time {
	if b.Build.Group == "" || len(j.Attempts) > 1 || j.Queued.Before(ready) {
		return ready
	}
	if j.Queued.Sub(ready) < moment {
		return ready
	}
	return j.Queued
}

// began is when a job was given its first slot, or the end where it was not.
func (b *build) began(j *scheduler.Job) time.Time {
	if own(j) {
		return j.Attempts[0].Started
	}
	return b.ended(j.EndedAt)
}
