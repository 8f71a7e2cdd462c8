package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/internal/failpoint"
)

// OpenShell lets somebody in. Who went into a job that runs is committed before, and the job proves nothing any more.
func (s *Scheduler) OpenShell(ctx context.Context, place ShellPlace, c ShellCommand) (*OpenedShell, error) {
	env, _, err := s.shellEnv(place)
	if err != nil {
		return nil, err
	}
	door, err := s.passDoor(place, c.By)
	if err != nil {
		return nil, err
	}
	open := &OpenedShell{Over: door.over}
	if err = s.goIn(ctx, place, c.By, door); err == nil {
		open.Shell, err = s.runner.Shell(ctx, place.at.attempt.Engine, place.at.attempt.Sandbox, s.shellCommand(place, c, env))
	}
	if err != nil {
		s.goOut(place, door)
		return nil, err
	}
	s.log.Info("somebody goes into a job", "build", place.Build, "job", place.Job, "at", place.At, "by", c.By)
	open.Leave = sync.OnceFunc(func() {
		open.Shell.End(ctx)
		s.goOut(place, door)
		s.log.Info("somebody has left a job", "build", place.Build, "job", place.Job, "at", place.At, "by", c.By)
	})
	return open, nil
}

// door is somebody's way in.
type door struct {
	by   string
	box  *keptBox // nil of a job that runs
	over chan string
}

// passDoor counts somebody in, if there is room. From then on a kept sandbox is not removed.
func (s *Scheduler) passDoor(place ShellPlace, by string) (*door, error) {
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	id := place.at.attempt.Sandbox
	d := &door{by: by, over: make(chan string, 1)}
	if place.At == ShellFailed {
		if d.box = s.kept.boxes[id]; d.box == nil || d.box.leaves {
			return nil, &ConflictError{"the sandbox of job " + place.Job + " has just been removed", "runner retry " + place.Build + " --failed makes it again"}
		}
	}
	if err := s.kept.room(id, by); err != nil {
		return nil, err
	}
	s.kept.shells[id]++
	s.kept.whose[by]++
	s.kept.people++
	if d.box != nil {
		d.box.inside++
		d.box.doors = append(d.box.doors, d)
	}
	s.work.Add(1)
	return d, nil
}

// room tells why there is none for one more shell. The lock is held.
func (k *keeper) room(id, by string) error {
	const whose = "close one of them; runner audit --action open-shell shows whose they are"
	switch {
	case k.shells[id] >= maxShells:
		return &ConflictError{fmt.Sprintf("%d shells are open in that job already, as many as may be", maxShells), whose}
	case k.whose[by] >= maxOwnShells:
		return &ConflictError{fmt.Sprintf("%s has %d shells open already, as many as one may have", by, maxOwnShells), "close one of them; one that nobody uses ends by itself after 30 minutes"}
	case k.people >= maxAllShells:
		return &ConflictError{fmt.Sprintf("%d shells are open already, as many as may be in all jobs", maxAllShells), whose}
	}
	return nil
}

// goIn makes the way to a sandbox that runs.
func (s *Scheduler) goIn(ctx context.Context, place ShellPlace, by string, d *door) error {
	if d.box == nil {
		return s.noteEntered(place, by)
	}
	d.box.turn.Lock()
	defer d.box.turn.Unlock()
	if d.box.guard != nil {
		return nil // somebody else is in it
	}
	if !d.box.closed { // its agent may be about to leave
		if err := s.runner.Close(ctx, place.at.attempt.Engine, place.at.attempt.Sandbox); err != nil {
			return fmt.Errorf("opening the sandbox of job %s again: %w", place.Job, err)
		}
	}
	limits := s.limitsFor(ctx, s.limitsOf(&place.p), place.pj, place.at.attempt.Engine)
	a, err := s.attemptOf(&place.p, place.at, limits)
	if err != nil {
		return err
	}
	d.box.closed = false
	if err := s.runner.Reopen(ctx, place.at.attempt.Engine, a); err != nil {
		return fmt.Errorf("opening the sandbox of job %s again: %w", place.Job, err)
	}
	failpoint.Pass("6/kept-opened")
	box := d.box
	box.guard = s.runner.Guard(context.WithoutCancel(ctx), place.at.attempt.Engine, a, func(why string) { s.kept.endAll(box, why) })
	return nil
}

// noteEntered commits who goes into a job that runs.
func (s *Scheduler) noteEntered(place ShellPlace, by string) error {
	key, err := keyOf(place.Build)
	if err != nil {
		return err
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		index := place.at.build.indexed().at[place.Job]
		j, a, err := holder(tx, key, index, place.Job, place.at.attempt.Token)
		if err != nil {
			return err
		}
		if a.Entered == "" {
			a.Entered = by
		}
		j.Key = "" // a person can change what it works on
		return putJob(tx, key, index, j)
	})
	if errors.Is(err, ErrFenced) {
		return &ConflictError{"job " + place.Job + " has just ended", "runner shell " + place.Build + " --at failed opens what is kept of it, if it failed"}
	}
	if err == nil {
		failpoint.Pass("5/entered-committed")
		s.hub.tell(place.Build)
	}
	return err
}

// goOut counts somebody out. The last one to leave a kept sandbox ends it.
func (s *Scheduler) goOut(place ShellPlace, d *door) {
	defer s.work.Done()
	id := place.at.attempt.Sandbox
	s.kept.mu.Lock()
	if s.kept.shells[id]--; s.kept.shells[id] == 0 {
		delete(s.kept.shells, id)
	}
	if s.kept.whose[d.by]--; s.kept.whose[d.by] == 0 {
		delete(s.kept.whose, d.by)
	}
	s.kept.people--
	last := false
	if d.box != nil {
		d.box.inside--
		last = d.box.inside == 0
		d.box.doors = slices.DeleteFunc(d.box.doors, func(o *door) bool { return o == d })
	}
	s.kept.mu.Unlock()
	if !last {
		return
	}
	d.box.turn.Lock()
	if d.box.guard != nil && !s.isInside(d.box) {
		d.box.guard()
		d.box.guard = nil
	}
	d.box.turn.Unlock()
	if s.closeKept(context.Background(), d.box) {
		s.dropKept(context.Background(), d.box)
		return
	}
	until := time.Now().Add(prolonged)
	err := s.changeKept(d.box, func(k *kept) {
		if k.Bytes = 0; k.Until.Before(until) {
			k.Until = until
		}
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		s.log.Warn("prolonging the time of a kept sandbox", "sandbox", id, "error", err)
	}
	wake(s.kept.kick)
}
