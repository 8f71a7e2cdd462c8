package scheduler

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner"
)

// recover makes the picture in memory from the rows, and returns the builds that have no plan yet.
func (s *Scheduler) recover() (unplanned []Build, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketActive).ForEach(func(key, _ []byte) error {
			b, err := s.load(tx, key)
			if err != nil {
				return err
			}
			jobs, err := jobsOf(tx, key)
			if err != nil {
				return err
			}
			if len(jobs) == 0 {
				unplanned = append(unplanned, *b)
				return nil
			}
			s.enqueue(b, jobs)
			return nil
		})
	})
	return unplanned, err
}

// enqueue adds a build's open jobs to the picture.
func (s *Scheduler) enqueue(b *Build, jobs []Job) {
	priority := 0
	if p, err := s.Project(b.Project); err == nil {
		priority = p.Priority
	}
	stop, due := stopRequest(b, jobs) // asked for before a restart, perhaps, and not obeyed yet
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range jobs {
		if jobs[i].State == JobEnded {
			continue
		}
		if s.queue.get(b.ID(), jobs[i].ID) != nil {
			continue // leased with the plan
		}
		e := newEntry(b, &jobs[i], i, priority)
		if due {
			e.tellStop(stop)
		}
		e.tellResume(resumeOf(&jobs[i])) // promised before a restart, perhaps, and not done yet
		if e.state == JobLeased && len(jobs[i].Attempts) > 0 {
			e.leased = jobs[i].newest().Started
		}
		s.queue.add(e)
	}
}

// leases returns the entries that hold a lease. Before the dispatcher runs, they are those of a former daemon.
func (s *Scheduler) leases() (held []*entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.queue.all {
		if e.state == JobLeased {
			held = append(held, e)
		}
	}
	return held
}

// adopt takes up attempts of a former daemon: the sandbox still runs, or ended meanwhile, or vanished.
func (s *Scheduler) adopt(ctx context.Context, held []*entry) {
	for _, e := range held {
		l, err := s.held(e)
		if err != nil {
			s.log.Error("adopting an attempt", "build", e.build, "job", e.job, "error", err)
			continue
		}
		failpoint.Pass("7/adopting")
		s.log.Info("adopting", "build", e.build, "job", e.job, "sandbox", l.attempt.Sandbox, "sent", l.attempt.Sent)
		s.each(taskAttempts, aboutAttempt, func() {
			l.holding = s.holds(ctx, l)
			s.runLease(ctx, e, l)
		})
	}
}

// held reads the lease that an entry holds.
func (s *Scheduler) held(e *entry) (leased, error) {
	key, err := keyOf(e.build)
	if err != nil {
		return leased{}, err
	}
	var l leased
	err = s.db.View(func(tx *bbolt.Tx) error {
		if l.build, err = s.load(tx, key); err != nil {
			return err
		}
		if l.job, err = findJob(tx, key, e.index, e.job); err != nil {
			return err
		}
		if len(l.job.Attempts) == 0 {
			return errors.New("it is leased and has no attempt")
		}
		l.attempt = l.job.Attempts[len(l.job.Attempts)-1]
		l.sent = l.attempt.Sent
		return nil
	})
	return l, err
}

const (
	// tidyEvery is how often rows are compared with what engines and disk hold.
	tidyEvery = time.Minute
	// forgetEvery is how often old delivery ids are dropped.
	forgetEvery = time.Hour
)

// tidyLoop compares what the state says with what engines and disk hold, at the start and then on a timer.
func (s *Scheduler) tidyLoop(ctx context.Context, t *activity.Task) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	var forgot time.Time
	for {
		t.Does("comparing rows with what engines and disk hold")
		s.Reap(ctx)
		var failed error
		if time.Since(forgot) > forgetEvery {
			forgot = time.Now()
			t.Does("forgetting old deliveries")
			if failed = s.forgetDeliveries(ctx, forgot); failed != nil {
				s.log.Warn("forgetting old deliveries", "error", failed)
			}
		}
		t.Waits(failed)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Reap removes sandboxes of this instance that no lease needs: those whose row was left by a crash, and those that
// an engine or the disk holds without a row. It touches nothing of another instance. It returns how many went.
func (s *Scheduler) Reap(ctx context.Context) (removed int) {
	// The engines are asked first: a sandbox made after that has its row before it exists, so it is never taken
	// for a leftover.
	found, err := s.runner.Leftovers(ctx)
	if err != nil {
		s.log.Warn("not every engine can be compared with the state", "error", err)
	}
	rows, wanted, err := s.sandboxRows()
	if err != nil {
		s.log.Error("reading sandbox rows", "error", err)
		return 0
	}
	drop := make(map[string]string) // sandbox → engine
	for id, row := range rows {
		if !wanted[id] && !s.isInHand(id) {
			drop[id] = row.Engine
		}
	}
	for engine, ids := range found {
		for _, id := range ids {
			if _, known := rows[id]; !known && drop[id] == "" {
				drop[id] = engine
			}
		}
	}
	for id, engine := range drop {
		if ctx.Err() != nil {
			return removed
		}
		if s.isInHand(id) {
			continue // it has got a job meanwhile
		}
		failpoint.Pass("7/leftover-found")
		s.log.Info("removing a leftover sandbox", "sandbox", id, "engine", engine)
		s.destroy(ctx, engine, id)
		removed++
	}
	return removed
}

// isInHand keeps the reaper from what a finishing attempt is about to remove itself, from what waits for a job, and from what is
// kept, which the keeper removes.
func (s *Scheduler) isInHand(sandbox string) bool {
	if s.pool.has(sandbox) || s.kept.get(sandbox) != nil {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inHand[sandbox]
}

// sandboxRows returns all rows, and which of them a lease needs.
func (s *Scheduler) sandboxRows() (rows map[string]sandboxRow, wanted map[string]bool, err error) {
	rows, wanted = make(map[string]sandboxRow), make(map[string]bool)
	err = s.db.View(func(tx *bbolt.Tx) error {
		err := tx.Bucket(bucketSandboxes).ForEach(func(k, _ []byte) error {
			row, err := get[sandboxRow](tx, bucketSandboxes, k)
			if err == nil {
				rows[string(k)] = *row
			}
			return err
		})
		if err != nil {
			return err
		}
		return tx.Bucket(bucketActive).ForEach(func(key, _ []byte) error {
			jobs, err := jobsOf(tx, key)
			for _, j := range jobs {
				if j.State == JobLeased && len(j.Attempts) > 0 {
					wanted[j.Attempts[len(j.Attempts)-1].Sandbox] = true
				}
			}
			return err
		})
	})
	return rows, wanted, err
}

// Active returns the commits whose snapshots are needed, and the ids of logs and artifact sets that grow.
func (s *Scheduler) Active() (commits, blobs map[string]bool) {
	commits, blobs = make(map[string]bool), make(map[string]bool)
	_ = s.db.View(func(tx *bbolt.Tx) error {
		if err := s.keptCommits(tx, commits); err != nil {
			return err
		}
		return tx.Bucket(bucketActive).ForEach(func(key, _ []byte) error {
			b, err := get[Build](tx, bucketBuilds, key)
			if err != nil {
				return err
			}
			commits[b.Commit] = true
			jobs, err := jobsOf(tx, key)
			for _, j := range jobs {
				for i := range j.Attempts {
					for _, id := range j.Attempts[i].blobs() {
						blobs[id] = true
					}
				}
			}
			return err
		})
	})
	return commits, blobs
}

// ActiveImages returns the ids of the images that builds have which have not ended.
func (s *Scheduler) ActiveImages() map[string]bool {
	images := make(map[string]bool)
	_ = s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketActive).ForEach(func(key, _ []byte) error {
			b, err := get[Build](tx, bucketBuilds, key)
			if err != nil {
				return err
			}
			for _, image := range b.Images {
				images[image.ID] = true
			}
			return nil
		})
	})
	return images
}

// blobs are the ids of what an attempt left in the artifact store.
func (a *Attempt) blobs() []string {
	ids := []string{a.Log}
	if a.Set != "" {
		ids = append(ids, a.Set)
	}
	for _, id := range a.Secondary {
		ids = append(ids, id)
	}
	if a.Reports != nil {
		ids = append(ids, a.Reports.Set)
	}
	return ids
}

// RemoveAll removes every sandbox of this instance, whatever needs it: for a state that is about to be thrown away.
func (s *Scheduler) RemoveAll(ctx context.Context, r *runner.Runner) {
	found, err := r.Leftovers(ctx)
	if err != nil {
		s.log.Warn("not every engine could be asked for what was left", "error", err)
	}
	for engine, ids := range found {
		for _, id := range ids {
			if err := r.Destroy(ctx, engine, id); err != nil {
				s.log.Warn("a sandbox stays behind", "sandbox", id, "error", err)
			}
		}
	}
}
