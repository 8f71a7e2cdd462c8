package scheduler

import (
	"context"
	"time"

	"go.etcd.io/bbolt"
)

// reserved is a slot that is kept free for a build's first job while its plan is stored, so that plan and lease are one
// commit.
type reserved struct {
	s      *Scheduler
	e      *entry
	engine string
	h      *holding
	l      leased // once it is
}

// reserve takes a slot for the first job of a build that could run at once. It does so only where nobody waits for a
// slot, so that it is nobody's turn but this build's; nil otherwise.
func (s *Scheduler) reserve(ctx context.Context, b *Build, jobs []Job) *reserved {
	i := firstQueued(jobs)
	if i < 0 {
		return nil
	}
	p, err := s.Project(b.Project)
	if err != nil {
		return nil
	}
	pj, err := planJob(b, jobs[i].ID)
	if err != nil {
		return nil
	}
	r := s.reserveSlot(b, &jobs[i], i, p)
	if r != nil {
		r.engine = s.engineOf(&p)
		r.h = s.hold(s.wantOf(ctx, &p, b, pj, r.engine))
	}
	return r
}

func (s *Scheduler) reserveSlot(b *Build, j *Job, index int, p Project) *reserved {
	if s.ShortOfSpace() != "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ofProject := 0
	if n := s.queue.lines[b.Project]; n != nil {
		ofProject = n.running
	}
	if !s.started || s.draining || s.queue.waiting > 0 || s.queue.running >= s.slotsNow() || p.MaxJobs > 0 && ofProject >= p.MaxJobs {
		return nil
	}
	r := &reserved{s: s, e: newEntry(b, j, index, p.Priority)}
	r.e.state, r.e.leased = JobLeased, time.Now()
	s.queue.add(r.e)
	s.turn++
	s.served[r.e.project] = s.turn
	return r
}

func firstQueued(jobs []Job) int {
	for i := range jobs {
		if jobs[i].State == JobQueued {
			return i
		}
	}
	return -1
}

// lease leases the job in the transaction that stores the plan.
func (r *reserved) lease(tx *bbolt.Tx, b *Build, now time.Time) error {
	key := buildKey(b.Project, b.Number)
	j, err := findJob(tx, key, r.e.index, r.e.job)
	if err != nil || j.State != JobQueued {
		return err // it ended with a result that was taken over
	}
	if r.l, err = r.s.bind(tx, b, j, r.engine, r.h.box, now); err != nil {
		return err
	}
	return putJob(tx, key, r.e.index, j)
}

// done follows the commit: the attempt runs, or the slot is free again.
func (r *reserved) done(ctx context.Context, err error) {
	if r == nil {
		return
	}
	if err == nil && r.l.job != nil {
		r.h.leased()
		r.l.holding = r.h
		r.s.each(taskAttempts, aboutAttempt, func() { r.s.runLease(ctx, r.e, r.l) })
		return
	}
	r.h.giveBack()
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.queue.remove(entryKey(r.e.build, r.e.job))
}
