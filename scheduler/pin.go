package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// pinRetry is when a repository that gave no answer is asked again, pinPatience until when.
	pinRetry    = time.Minute
	pinPatience = time.Hour
)

// unpinned tells whether a trigger would have to wait for an approval, and its forge did not tell the commit that it would
// be for. It stays pending until that is known: a daemon that dies meanwhile leaves it to the next.
func (d *decision) unpinned(t *Trigger) bool { return d.waits && t.Commit == "" }

// pin finds the commit that an unpinned trigger's ref points to now, and fixes it: that is the one to look at and to
// approve, whatever is pushed later. Of any other trigger it does nothing, and says false.
func (s *Scheduler) pin(ctx context.Context, t *Trigger, tip func(context.Context, *Trigger) (string, error)) bool {
	d, err := s.decide(t, nil)
	if err != nil || !d.unpinned(t) {
		return false
	}
	commit, err := tip(ctx, t)
	switch {
	case ctx.Err() != nil:
		return true
	case err == nil:
		err = s.fixCommit(t, commit)
	case sourceFailure(err).passing && time.Since(t.Received) < pinPatience:
		s.log.Warn("the commit of a pull request cannot be looked up", "trigger", t.ID, "error", err)
		time.AfterFunc(pinRetry, s.wakePlanner)
		return true
	default:
		t.Skip = fmt.Sprintf("the commit of pull request #%d, which somebody would have to approve, could not be found: %v", t.PullRequest, err)
		_, err = s.commitTrigger(t, decision{reason: t.Skip})
	}
	var builds []Build
	if err == nil && t.Outcome == OutcomePending {
		builds, err = s.planTrigger(t)
	}
	if err != nil {
		s.laterTrigger(t, err)
	}
	s.toPlan(builds)
	return true
}

// tipOf asks a trigger's repository what its ref points to.
func (s *Scheduler) tipOf(ctx context.Context, t *Trigger) (string, error) {
	for _, name := range t.Projects {
		p, err := s.Project(name)
		if errors.Is(err, ErrNotFound) {
			continue // removed meanwhile
		}
		if err != nil {
			return "", err
		}
		remote, err := s.remote(&p)
		if err != nil {
			return "", err
		}
		return s.source.Tip(ctx, remote, t.Ref)
	}
	return "", fmt.Errorf("its project was removed: %w", ErrNotFound)
}

// fixCommit stores the commit of a trigger that is still pending.
func (s *Scheduler) fixCommit(t *Trigger, commit string) error {
	seq, err := triggerSeq(t.ID)
	if err != nil {
		return err
	}
	return s.group.update(func(tx *bbolt.Tx) error {
		row, err := get[Trigger](tx, bucketTriggers, number(seq))
		if err != nil {
			return err
		}
		if *t = *row; t.Outcome != OutcomePending {
			return nil
		}
		t.Commit = commit
		return putTrigger(tx, t)
	})
}
