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
		if b.StopCause != reasonSuperseded { // it stops already, and was told why
			b.StopBy = by
		}
		if b.Plan == nil {
			return putBuild(tx, b) // still being planned: the planner sees StopBy
		}
		after, err = s.settle(tx, b, time.Now())
		return err
	})
	if err != nil {
		return Build{}, err
	}
	s.stopping(b.ID(), after)
	return *b, nil
}

// sweepQueue times out the jobs that waited longer than their project allows.
func (s *Scheduler) sweepQueue(now time.Time) {
	limits := make(map[string]time.Duration)
	s.mu.Lock()
	waiting := s.queue.overdue(now, func(project string) time.Duration {
		if p, err := s.Project(project); err == nil {
			limits[project] = s.limitsOf(&p).QueueTimeout
		}
		return limits[project]
	})
	s.mu.Unlock()
	for _, e := range waiting {
		limit := limits[e.project]
		message := fmt.Sprintf("no slot became free within %s; raise limits.queue-timeout or slots, or lower what runs at once", limit)
		if short := s.ShortOfSpace(); short != "" {
			message = fmt.Sprintf("the job did not start within %s, %s; free some, or lower space.floor, and retry the build", limit, short)
		}
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
