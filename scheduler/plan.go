package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner"
)

// planLoop turns pending triggers into builds, and builds into plans, until ctx ends. It begins with the builds
// that a former daemon had not planned to the end.
func (s *Scheduler) planLoop(ctx context.Context, t *activity.Task, unplanned []Build) {
	s.toPlan(unplanned)
	for {
		t.Does("making builds of triggers")
		for _, b := range append(s.takeNumbered(), s.planTriggers(ctx)...) {
			s.plan(ctx, b)
		}
		t.Waits(nil)
		select {
		case <-ctx.Done():
			return
		case <-s.planKick:
		}
	}
}

// planTriggers makes builds of the pending triggers, and returns them. About some of these git is asked first.
func (s *Scheduler) planTriggers(ctx context.Context) []Build {
	var pending []Trigger
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketPending).ForEach(func(k, _ []byte) error {
			if s.isLooking(triggerID(decodeNumber(k))) {
				return nil
			}
			t, err := get[Trigger](tx, bucketTriggers, k)
			if err == nil {
				pending = append(pending, *t)
			}
			return err
		})
	})
	if err != nil {
		s.log.Error("reading pending triggers", "error", err)
	}
	var out []Build
	for i := range pending {
		builds, err := s.planTrigger(&pending[i])
		switch {
		case err != nil:
			s.laterTrigger(&pending[i], err)
		case pending[i].Outcome == OutcomePending:
			s.look(ctx, pending[i])
		}
		out = append(out, builds...)
	}
	return out
}

// laterTrigger has the planner come back to a trigger whose fate could not be stored.
func (s *Scheduler) laterTrigger(t *Trigger, err error) {
	s.log.Error("making builds of a trigger; it stays pending", "trigger", t.ID, "error", err)
	time.AfterFunc(leaseRetry, s.wakePlanner)
}

// atOnce returns what becomes of a trigger where the commit that accepts it can say so: what it builds depends on nothing that
// has to be asked for, and somebody is there to plan it. In a rush triggers are only accepted, which is what is waited for.
func (s *Scheduler) atOnce(t *Trigger) (d decision, ok bool) {
	s.mu.Lock()
	started := s.started
	s.mu.Unlock()
	if t.Skip == "" && s.group.rushed() {
		return d, false
	}
	d, err := s.decide(t, nil)
	return d, err == nil && !d.waits && !d.asks && (started || len(d.projects) == 0)
}

// toPlan hands builds to the planner.
func (s *Scheduler) toPlan(builds []Build) {
	s.mu.Lock()
	s.numbered = append(s.numbered, builds...)
	s.mu.Unlock()
	s.wakePlanner()
}

// takeNumbered returns the builds that were handed over.
func (s *Scheduler) takeNumbered() []Build {
	s.mu.Lock()
	defer s.mu.Unlock()
	builds := s.numbered
	s.numbered = nil
	return builds
}

// planBuild fetches, reads, expands and queues one build. Its context ends when the build is stopped; daemon ends
// when the daemon leaves, and then the build stays as it is for the next start. After a fault of the machine it returns how
// long the build waits for another try.
func (s *Scheduler) planBuild(ctx, daemon context.Context, b Build) (again time.Duration) {
	made, failure := s.makePlan(ctx, &b)
	if daemon.Err() != nil && failure != nil {
		return 0
	}
	var err error
	if failure != nil && ctx.Err() == nil {
		if again, err = s.planAgain(&b, failure); again > 0 {
			s.log.Warn("a build could not be planned; trying again", "build", b.ID(), "reason", failure.reason, "error", failure.message, "in", again)
			s.hub.tell(b.ID())
			return again
		}
		if err != nil {
			s.log.Error("storing that a build is to be planned again", "build", b.ID(), "error", err)
		}
	}
	for wait := time.Second; ; wait = min(wait*2, time.Minute) {
		if cur, err := s.Build(b.ID()); err == nil && cur.StopBy != "" {
			failure = &planFailure{status: Stopped}
			failure.reason, failure.message = cur.whyStopped()
		}
		if failure != nil {
			err = s.failBuild(b, failure)
		} else {
			err = s.queueBuild(daemon, b, made)
		}
		if err == nil {
			break
		}
		s.log.Error("storing a plan; trying again", "build", b.ID(), "error", err, "in", wait)
		select {
		case <-daemon.Done():
			return 0
		case <-time.After(wait):
		}
	}
	s.hub.tell(b.ID())
	s.wakeDispatcher()
	return 0
}

// planFailure ends a build before it has jobs.
type planFailure struct {
	status          Status
	reason, message string
	passing         bool // of FAULT: it may be over soon
}

// phase is where a person looks for the cause: images and engines have nothing to do with the source.
func (f *planFailure) phase() string {
	switch f.reason {
	case imageMissing, imagePull, engineUnavailable, engineUnknown:
		return runner.PhaseProvisioning
	}
	return phaseSource
}

func (s *Scheduler) failBuild(b Build, f *planFailure) error {
	now := time.Now()
	var ended *Build
	var places []granted
	err := s.group.update(func(tx *bbolt.Tx) error {
		ended, places = nil, nil // this may run twice
		cur, err := s.load(tx, buildKey(b.Project, b.Number))
		if err != nil || cur.Status.Ended() {
			return err
		}
		b := b // this may run twice
		b.Phases = slices.Clone(b.Phases)
		// What was planned so far lacks the rest, its images for one: a retry must not take it over.
		b.Plan, b.Images = nil, nil
		b.StopBy, b.StopCause, b.Faults, b.Again = cur.StopBy, cur.StopCause, cur.Faults, nil
		b.Status, b.Reason, b.Message, b.EndedAt, b.Phase = f.status, f.reason, f.message, now, phaseCompleted
		if f.phase() != phaseSource {
			endPhase(&b.Phases, phaseSource, Succeeded, now)
		}
		rec := endPhase(&b.Phases, f.phase(), f.status, now)
		rec.Code, rec.Message = f.reason, f.message
		ended = &b
		if err := errors.Join(putBuild(tx, &b), s.dueStatus(tx, &b), s.dueOfEnd(tx, &b)); err != nil {
			return err
		}
		places, err = s.passPlace(tx, &b, now)
		return err
	})
	if err == nil && ended != nil {
		s.countBuild(ended)
		wake(s.tracesKick)
		s.followPlaces(places)
	}
	return err
}

// queueBuild commits the plan and its jobs, queued or blocked, in one transaction, and with them the lease of the first
// where a slot is free for it.
func (s *Scheduler) queueBuild(ctx context.Context, b Build, jobs []Job) error {
	now := time.Now()
	key := buildKey(b.Project, b.Number)
	var after *aftermath
	if b.held() {
		hold(jobs)
	}
	slot := s.reserve(ctx, &b, jobs)
	err := s.db.Update(func(tx *bbolt.Tx) error {
		cur, err := s.load(tx, key)
		if err != nil || cur.Status.Ended() || cur.Plan != nil {
			return err
		}
		if cur.StopBy != "" {
			return errors.New("the build was stopped while its plan was being stored")
		}
		endPhase(&b.Phases, phaseSource, Succeeded, now)
		beginPhase(&b.Phases, phaseQueued, now)
		b.Phase = phaseQueued
		// What its planning met is over, and its jobs have their own count.
		b.Faults, b.Again, b.Reason, b.Message = 0, nil, "", ""
		if err := takePlace(tx, &b); err != nil {
			return err
		}
		for i := range jobs {
			if jobs[i].State != JobEnded {
				jobs[i].Queued = now
			}
			if err := putJob(tx, key, i, &jobs[i]); err != nil {
				return err
			}
		}
		if b.Started.IsZero() && allTaken(jobs) {
			b.Started = now
		}
		if err := putBuild(tx, &b); err != nil {
			return err
		}
		if err := dueTaken(tx, b.ID(), jobs); err != nil {
			return err
		}
		after, err = s.settle(tx, &b, now) // a retry may have taken over results that others depend on
		if err == nil && slot != nil {
			err = slot.lease(tx, &b, now)
		}
		return err
	})
	defer func() { slot.done(ctx, err) }()
	if err != nil {
		return fmt.Errorf("queueing build %s: %w", b.ID(), err)
	}
	failpoint.Pass("2/plan-committed")
	if after != nil {
		for i := range jobs {
			if jobs[i].State == JobEnded && jobs[i].TakenFrom == "" {
				after.ends(&jobs[i]) // refused, before settle looked
			}
		}
		s.enqueue(&b, jobs)
		s.apply(b.ID(), after)
		s.catchUp(&b)
	}
	return nil
}
