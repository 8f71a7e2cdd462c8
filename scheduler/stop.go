package scheduler

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Stop ends a build: what waits never begins, what runs is told to end. It is idempotent while the build runs, and
// answers ErrEnded after.
func (s *Scheduler) Stop(ctx context.Context, id, by string) (Build, error) {
	key, err := keyOf(id)
	if err != nil {
		return Build{}, err
	}
	var b *Build
	var after *aftermath
	err = s.db.Update(func(tx *bbolt.Tx) error {
		if b, err = s.load(tx, key); err != nil {
			return fmt.Errorf("build %s: %w", id, err)
		}
		if b.Status.Ended() {
			return fmt.Errorf("build %s: %w: it is %s", b.ID(), ErrEnded, b.Status)
		}
		b.StopBy = by
		if b.Plan == nil {
			return putBuild(tx, b) // still being planned: the planner sees StopBy
		}
		after, err = s.settle(tx, b, time.Now())
		return err
	})
	if err != nil {
		return Build{}, err
	}
	s.apply(b.ID(), after)
	s.mu.Lock()
	if p := s.planning[b.ID()]; p != nil {
		p.cancel()
	}
	s.mu.Unlock()
	s.hub.tell(b.ID())
	s.wakeDispatcher()
	return *b, nil
}

// sweepQueue times out the jobs that waited longer than their project allows.
func (s *Scheduler) sweepQueue(now time.Time) {
	s.mu.Lock()
	var waiting []*entry
	for _, e := range s.queue {
		if e.state == JobQueued {
			waiting = append(waiting, e)
		}
	}
	s.mu.Unlock()
	limits := make(map[string]time.Duration) // a batch can have ten thousand jobs of one project
	for _, e := range waiting {
		limit, known := limits[e.project]
		if !known {
			if p, err := s.Project(e.project); err == nil {
				limit = s.limitsOf(&p).QueueTimeout
			}
			limits[e.project] = limit
		}
		if limit <= 0 || now.Sub(e.queued) < limit {
			continue
		}
		message := fmt.Sprintf("no slot became free within %s; raise limits.queue-timeout or slots, or lower what runs at once", limit)
		if err := s.endQueued(e, TimedOut, "queue_timeout", message); err != nil {
			s.log.Error("timing a queued job out", "build", e.build, "job", e.job, "error", err)
		}
	}
}

// endQueued ends a job that holds no lease.
func (s *Scheduler) endQueued(e *entry, status Status, reason, message string) error {
	key, err := keyOf(e.build)
	if err != nil {
		return err
	}
	var after *aftermath
	err = s.db.Update(func(tx *bbolt.Tx) error {
		b, err := s.load(tx, key)
		if err != nil {
			return err
		}
		j, err := findJob(tx, key, e.index, e.job)
		if err != nil {
			return err
		}
		if j.State != JobQueued {
			return nil // leased in the meantime
		}
		now := time.Now()
		if j.Again != nil {
			message = fmt.Sprintf("%s; its attempt %d had ended by the machine's fault (%s)", message, len(j.Attempts), j.Again.Reason)
		}
		j.end(status, reason, message, now)
		if err := putJob(tx, key, e.index, j); err != nil {
			return err
		}
		after, err = s.settleOne(tx, b, e.index, j, now)
		return err
	})
	if err != nil {
		return err
	}
	s.apply(e.build, after)
	s.hub.tell(e.build)
	return nil
}
