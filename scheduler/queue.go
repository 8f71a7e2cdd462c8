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
	queued     time.Time
	notBefore  time.Time // an attempt that follows a fault waits
	stop       chan runner.StopRequest
	resume     chan runner.ResumeRequest // a job at a breakpoint is to go on
}

func newEntry(b *Build, j *Job, index, priority int) *entry {
	e := &entry{
		build: b.ID(), job: j.ID, project: b.Project, index: index, seq: b.Seq, priority: priority,
		state: j.State, queued: j.Queued, stop: make(chan runner.StopRequest, 1), resume: make(chan runner.ResumeRequest, 1),
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
	for key, e := range s.queue {
		if e.build == build && !open[e.job] {
			delete(s.queue, key)
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
func next(queue map[string]*entry, l limits) *entry {
	running := make(map[string]int)
	total := 0
	for _, e := range queue {
		if e.state == JobLeased {
			running[e.project]++
			total++
		}
	}
	if total >= l.slots {
		return nil
	}
	var best *entry
	for _, e := range queue {
		if e.state != JobQueued || l.now.Before(e.notBefore) {
			continue
		}
		if limit := l.maxJobs(e.project); limit > 0 && running[e.project] >= limit {
			continue
		}
		if best == nil || before(e, best, running, l.served) {
			best = e
		}
	}
	return best
}

func before(a, b *entry, running map[string]int, served map[string]uint64) bool {
	switch {
	case a.priority != b.priority:
		return a.priority > b.priority
	case a.project == b.project:
		return a.seq < b.seq || (a.seq == b.seq && a.index < b.index)
	case running[a.project] != running[b.project]:
		return running[a.project] < running[b.project]
	case served[a.project] != served[b.project]:
		return served[a.project] < served[b.project]
	}
	return a.seq < b.seq
}
