package scheduler

import (
	"errors"
	"time"

	"github.com/runner-ci/runner/runner"
)

// entry is what the dispatcher knows of one job that waits for a slot or holds one. It mirrors the job's row, and
// is made anew from it at every start.
type entry struct {
	build, job string
	project    string
	index      int
	seq        uint64 // of the build
	priority   int
	state      JobState
	queued     time.Time // since when this daemon has it wait
	notBefore  time.Time // an attempt that follows a fault waits
	leased     time.Time // since when it holds a slot
	at         int       // its place in the heap of its line; -1: in none
	stop       chan runner.StopRequest
	resume     chan runner.ResumeRequest // a job at a breakpoint is to go on
}

// newEntry counts the wait for a slot from now on, by the monotonic clock: between two daemons no clock is to be trusted, and
// nobody gets a slot while there is none.
func newEntry(b *Build, j *Job, index, priority int) *entry {
	e := &entry{
		build: b.ID(), job: j.ID, project: b.Project, index: index, seq: b.Seq, priority: priority,
		state: j.State, queued: time.Now(), at: -1, stop: make(chan runner.StopRequest, 1), resume: make(chan runner.ResumeRequest, 1),
	}
	if now := time.Now(); j.Again != nil {
		e.notBefore = now.Add(j.Again.left(now))
	}
	return e
}

// tellStop asks for the end of the attempt that holds the job, unless that was done already.
func (e *entry) tellStop(req runner.StopRequest) {
	select {
	case e.stop <- req:
	default:
	}
}

func entryKey(build, job string) string { return build + "\x00" + job }

// forgetEnded drops the entries of a build's jobs that have ended. Whoever ends a job drops its entry; but a build
// that is stopped between the commit of its jobs and their entry into the queue ends before it has any.
func (s *Scheduler) forgetEnded(build string) error {
	jobs, err := s.Jobs(build)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	open := make(map[string]bool)
	for i := range jobs {
		open[jobs[i].ID] = jobs[i].State != JobEnded
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, e := range s.queue.all {
		if e.build == build && !open[e.job] {
			s.queue.remove(key)
		}
	}
	return nil
}

// limits are what the choice depends on besides the queue itself.
type limits struct {
	slots   int
	maxJobs func(project string) int // 0: as many as there are slots
	served  map[string]uint64        // project → turn in which it was last given a slot
	now     time.Time
}

// next chooses the job that gets the free slot, nil when there is none to give or none to take it. Higher priority
// goes first. Among projects of the same priority the one with the fewest running jobs goes first, then the one
// whose last turn is longest ago, so that a project with a thousand queued jobs delays another by one job at most.
// Within a project, builds go in the order in which they came, and jobs in the plan's order.
func next(q *queue, l limits) *entry {
	if q.running >= l.slots {
		return nil
	}
	q.awake(l.now)
	var best *entry
	var line *line
	for project, n := range q.lines {
		if len(n.ready) == 0 {
			continue
		}
		if limit := l.maxJobs(project); limit > 0 && n.running >= limit {
			continue
		}
		if e := n.ready[0]; best == nil || before(e, best, n.running, line.running, l.served) {
			best, line = e, n
		}
	}
	return best
}

// before tells which of the first in line of two projects goes first.
func before(a, b *entry, runningA, runningB int, served map[string]uint64) bool {
	switch {
	case a.priority != b.priority:
		return a.priority > b.priority
	case runningA != runningB:
		return runningA < runningB
	case served[a.project] != served[b.project]:
		return served[a.project] < served[b.project]
	}
	return a.seq < b.seq
}
