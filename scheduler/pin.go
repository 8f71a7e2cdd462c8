package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// pinsAtOnce bounds how many repositories are asked for a commit at once.
	pinsAtOnce = 2
	// pinRetry is when a repository that gave no answer is asked again, pinPatience until when.
	pinRetry    = time.Minute
	pinPatience = time.Hour
)

// pins are the triggers that have to wait for an approval, and whose forge did not tell the commit that it would be for.
// They stay pending meanwhile: a daemon that starts finds them there.
type pins struct {
	asked map[string]bool // by trigger, until it is answered
	next  []Trigger
	turns chan struct{}
}

func newPins() pins {
	return pins{asked: make(map[string]bool), turns: make(chan struct{}, pinsAtOnce)}
}

// wantPin has a trigger's commit looked up.
func (s *Scheduler) wantPin(t *Trigger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.pins.asked[t.ID] {
		s.pins.asked[t.ID] = true
		s.pins.next = append(s.pins.next, *t)
	}
}

// takeUnpinned returns the triggers whose commits have to be looked up.
func (s *Scheduler) takeUnpinned() []Trigger {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.pins.next
	s.pins.next = nil
	return next
}

// pin finds the commit that a trigger's ref points to now, and fixes it: that is the one to look at and to approve,
// whatever is pushed later.
func (s *Scheduler) pin(ctx context.Context, t Trigger) {
	commit, err := s.tipOf(ctx, &t)
	if ctx.Err() != nil {
		return // the next daemon asks again
	}
	wait := time.Duration(0)
	switch {
	case err == nil:
		err = s.pinned(&t, func() { t.Commit = commit })
	case sourceFailure(err).passing && time.Since(t.Received) < pinPatience:
		wait = pinRetry
	default:
		why := fmt.Sprintf("the commit of pull request #%d, which somebody would have to approve, could not be found: %v", t.PullRequest, err)
		err = s.pinned(&t, func() { t.Outcome, t.Reason = OutcomeSkipped, why })
	}
	if err != nil {
		s.log.Warn("looking up the commit of a pull request", "trigger", t.ID, "error", err)
		wait = max(wait, leaseRetry)
	}
	time.AfterFunc(wait, func() {
		s.mu.Lock()
		delete(s.pins.asked, t.ID)
		s.mu.Unlock()
		s.wakePlanner()
	})
}

// tipOf asks a trigger's repository what its ref points to.
func (s *Scheduler) tipOf(ctx context.Context, t *Trigger) (string, error) {
	select {
	case s.pins.turns <- struct{}{}:
		defer func() { <-s.pins.turns }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
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

// pinned stores what came of looking for a trigger's commit, unless somebody else was first.
func (s *Scheduler) pinned(t *Trigger, change func()) error {
	seq, err := triggerSeq(t.ID)
	if err != nil {
		return err
	}
	err = s.group.update(func(tx *bbolt.Tx) error {
		row, err := get[Trigger](tx, bucketTriggers, number(seq))
		if err != nil || row.Outcome != OutcomePending || row.Commit != "" {
			return err
		}
		*t = *row
		change()
		return putTrigger(tx, t)
	})
	if err == nil && t.Outcome != OutcomePending {
		s.meter.Trigger(string(t.Kind), string(t.Outcome))
		s.hub.tell(t.ID)
	}
	return err
}
