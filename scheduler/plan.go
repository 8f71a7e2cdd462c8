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
		for _, b := range append(s.takeNumbered(), s.planTriggers()...) {
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

// planTriggers makes builds of the pending triggers, and returns them.
func (s *Scheduler) planTriggers() []Build {
	var pending []Trigger
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketPending).ForEach(func(k, _ []byte) error {
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
		if err != nil {
			s.log.Error("making builds of a trigger; it stays pending", "trigger", pending[i].ID, "error", err)
			time.AfterFunc(leaseRetry, s.wakePlanner)
			continue
		}
		out = append(out, builds...)
	}
	return out
}

// planTrigger decides a trigger's fate and commits it together with the builds it makes.
func (s *Scheduler) planTrigger(t *Trigger) ([]Build, error) {
	if t.Skip != "" {
		return nil, s.endTrigger(t, OutcomeSkipped, t.Skip)
	}
	var projects []Project
	for _, name := range t.Projects {
		p, err := s.Project(name)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		projects = append(projects, p)
	}
	if len(projects) == 0 {
		return nil, s.endTrigger(t, OutcomeSkipped, "its project was removed")
	}
	if waits(t, projects) {
		return nil, s.endTrigger(t, OutcomeWaiting, waitReason(t))
	}
	var builds []Build
	err := s.group.update(func(tx *bbolt.Tx) (err error) {
		if builds, err = makeBuilds(tx, t, projects); err != nil {
			return err
		}
		return errors.Join(putTrigger(tx, t), s.dueStatuses(tx, builds))
	})
	if err != nil {
		return nil, err
	}
	failpoint.Pass("2/builds-numbered")
	s.meter.Trigger(string(t.Kind), string(t.Outcome))
	s.hub.tell(append([]string{t.ID}, t.Builds...)...)
	return builds, nil
}

// makeBuilds numbers and stores the builds that a trigger makes, and names them in the trigger, which is the caller's to
// store.
func makeBuilds(tx *bbolt.Tx, t *Trigger, projects []Project) (builds []Build, err error) {
	now := time.Now()
	t.Builds, t.Outcome = nil, OutcomeBuilt
	for i := range projects {
		b := Build{
			Project: projects[i].Name, Trigger: t.ID, Commit: t.Commit, Ref: t.Ref, Title: t.Title, Author: t.Actor,
			RetryOf: t.RetryOf, Fork: stranger(t), Status: InProgress, Phase: phaseSource, Created: t.Received,
			PullRequest: t.PullRequest, Tells: event(t),
			Phases: []Phase{
				{Name: phaseSubmitted, Status: Succeeded, Started: t.Received, Took: now.Sub(t.Received)},
				{Name: phaseSource, Status: InProgress, Started: now},
			},
		}
		if err := newBuild(tx, &b); err != nil {
			return nil, err
		}
		builds = append(builds, b)
		t.Builds = append(t.Builds, b.ID())
	}
	return builds, nil
}

// atOnce returns the projects of a trigger whose builds can be made by the commit that accepts it: nothing keeps them
// from being made, and somebody is there to plan them. In a rush triggers are only accepted, which is what is waited for.
func (s *Scheduler) atOnce(t *Trigger) (projects []Project) {
	s.mu.Lock()
	started := s.started
	s.mu.Unlock()
	if !started || t.Skip != "" || s.group.rushed() {
		return nil
	}
	for _, name := range t.Projects {
		p, err := s.Project(name)
		if err != nil {
			return nil
		}
		projects = append(projects, p)
	}
	if waits(t, projects) {
		return nil
	}
	return projects
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
			failure = &planFailure{status: Stopped, reason: "stopped", message: "stopped by " + cur.StopBy}
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
	err := s.group.update(func(tx *bbolt.Tx) error {
		ended = nil // this may run twice
		cur, err := s.load(tx, buildKey(b.Project, b.Number))
		if err != nil || cur.Status.Ended() {
			return err
		}
		b := b // this may run twice
		b.Phases = slices.Clone(b.Phases)
		// What was planned so far lacks the rest, its images for one: a retry must not take it over.
		b.Plan, b.Images = nil, nil
		b.StopBy, b.Faults, b.Again = cur.StopBy, cur.Faults, nil
		b.Status, b.Reason, b.Message, b.EndedAt, b.Phase = f.status, f.reason, f.message, now, phaseCompleted
		if f.phase() != phaseSource {
			endPhase(&b.Phases, phaseSource, Succeeded, now)
		}
		rec := endPhase(&b.Phases, f.phase(), f.status, now)
		rec.Code, rec.Message = f.reason, f.message
		ended = &b
		return errors.Join(putBuild(tx, &b), s.dueTrace(tx, b.ID(), -1), s.dueStatus(tx, &b), s.dueNotices(tx, &b))
	})
	if err == nil && ended != nil {
		s.countBuild(ended)
		wake(s.tracesKick)
	}
	return err
}

// queueBuild commits the plan and its jobs, queued or blocked, in one transaction, and with them the lease of the first
// where a slot is free for it.
func (s *Scheduler) queueBuild(ctx context.Context, b Build, jobs []Job) error {
	now := time.Now()
	key := buildKey(b.Project, b.Number)
	var after *aftermath
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
		for i := range jobs {
			if jobs[i].State != JobEnded {
				jobs[i].Queued = now
			}
			if err := putJob(tx, key, i, &jobs[i]); err != nil {
				return err
			}
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
	}
	return nil
}
