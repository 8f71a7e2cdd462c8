package scheduler

import (
	"time"

	"github.com/runner-ci/runner/activity"
)

// Meter counts what has happened and is stored. Its methods are called after the commit, once for each fact of this
// process's time, and must not block.
type Meter interface {
	Trigger(kind, outcome string)
	Build(project, status, reason string, took time.Duration)
	Job(status, reason string)
	Waited(d time.Duration) // of a job, for its first slot
	Attempt(engine string, warm bool)
	Phase(name string, took time.Duration)
	Decision(took time.Duration)
	Commit(store string, writes int, took time.Duration)
	Trace(outcome string)
}

// UseMeter sets what counts. Call it before Start.
func (s *Scheduler) UseMeter(m Meter) { s.meter, s.group.meter = m, m }

// UseActivity sets where the long-lived goroutines say what they do. Call it before Start.
func (s *Scheduler) UseActivity(r *activity.Registry) { s.tasks = r }

// noMeter counts nothing.
type noMeter struct{}

func (noMeter) Trigger(string, string)                      {}
func (noMeter) Build(string, string, string, time.Duration) {}
func (noMeter) Job(string, string)                          {}
func (noMeter) Waited(time.Duration)                        {}
func (noMeter) Attempt(string, bool)                        {}
func (noMeter) Phase(string, time.Duration)                 {}
func (noMeter) Decision(time.Duration)                      {}
func (noMeter) Commit(string, int, time.Duration)           {}
func (noMeter) Trace(string)                                {}

// countBuild counts a build whose end is stored.
func (s *Scheduler) countBuild(b *Build) {
	s.meter.Build(b.Project, string(b.Status), b.Reason, max(0, b.EndedAt.Sub(b.Created)))
}

// countAttempt counts an attempt whose end is stored, of a job that was queued at that time.
func (s *Scheduler) countAttempt(a *Attempt, queued time.Time) {
	if a.Number == 1 && !queued.IsZero() {
		s.meter.Waited(max(0, a.Started.Sub(queued)))
	}
	s.meter.Attempt(a.Engine, a.Warm)
	for _, p := range a.Phases {
		if p.Name != phaseCompleted {
			s.meter.Phase(p.Name, p.Took)
		}
	}
}

// countEnds counts what a transaction ended.
func (s *Scheduler) countEnds(after *aftermath) {
	for i := range after.results {
		s.meter.Job(string(after.results[i].status), after.results[i].reason)
	}
	if after.build != nil {
		s.countBuild(after.build)
	}
}

// result is how a job ended.
type result struct {
	status Status
	reason string
}

func (after *aftermath) ends(j *Job) {
	after.results = append(after.results, result{j.Status, j.Reason})
}

// Picture is the queue at one moment.
type Picture struct {
	Waiting, Running, Slots, Planning int
	Oldest                            time.Time // since when the job waits that waits longest; zero: none does
	Draining                          bool
	Holders                           []Holder // of slots
	Next                              *Holder  // the job that gets the next slot; nil: none waits, or none may have one
}

// Holder is a job that holds a slot, or waits for one, since a time.
type Holder struct {
	Build, Job string
	Since      time.Time
}

// Picture tells what the dispatcher sees.
func (s *Scheduler) Picture() (p Picture) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p = Picture{
		Waiting: s.queue.waiting, Running: s.queue.running, Slots: s.config().Slots, Planning: len(s.planning), Draining: s.draining,
	}
	for _, e := range s.queue.all {
		switch {
		case e.state == JobLeased:
			p.Holders = append(p.Holders, Holder{e.build, e.job, e.leased})
		case e.state == JobQueued && (p.Oldest.IsZero() || e.queued.Before(p.Oldest)):
			p.Oldest = e.queued
		}
	}
	l := s.limits()
	l.slots = p.Running + 1 // as if one were free
	if e := next(s.queue, l); e != nil {
		p.Next = &Holder{e.build, e.job, e.queued}
	}
	return p
}
