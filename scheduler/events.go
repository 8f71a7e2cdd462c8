package scheduler

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// attemptEvents writes what package runner tells of one attempt into its row. A holder that lost its lease is
// refused by the fencing token.
type attemptEvents struct {
	s          *Scheduler
	build, job string
	index      int // of the job in the plan
	token      uint64
	sent       bool // it is committed that the job may be out
	sealed     bool // it is given what is secret, and that is not committed
	holding    *holding
}

var _ runner.Events = (*attemptEvents)(nil)

func (ev *attemptEvents) Sent(ctx context.Context) error {
	ev.holding.begun()
	if ev.sent && !ev.sealed {
		return nil
	}
	err := ev.update(func(_ *Build, _ *Job, a *Attempt) (buildChanged bool) {
		a.Sent, a.Sealed = true, a.Sealed || ev.sealed
		return false
	})
	if err == nil {
		ev.sent, ev.sealed = true, false
	}
	return err
}

func (ev *attemptEvents) Cold(ctx context.Context) error {
	ev.sent = false
	return ev.update(func(_ *Build, _ *Job, a *Attempt) (buildChanged bool) {
		a.Sent, a.Warm = false, false
		return false
	})
}

func (ev *attemptEvents) Progress(ctx context.Context, p runner.Progress) error {
	return ev.update(func(b *Build, j *Job, a *Attempt) (buildChanged bool) {
		if p.Frame != 0 && p.Frame <= a.Frame {
			return false
		}
		a.Frame = max(a.Frame, p.Frame)
		for _, ph := range p.Phases {
			applyPhase(a, ph)
		}
		applyCommands(a, p.Commands)
		if p.Command != nil {
			a.Command, a.Begun = p.Command.Text, true
		}
		if a.Phase == wire.PhaseUpload {
			a.Command = "" // all of them are over
		}
		if p.Paused != nil {
			a.Paused, a.Pause, a.Resume, j.Why = time.Time{}, p.Pause, "", ""
			j.Key = "" // somebody can change what it works on
			if *p.Paused {
				a.Paused = time.Now()
				j.Why = pausedWhy(ev.build, a.Paused)
			}
		}
		if phaseRank(a.Phase) <= phaseRank(b.Phase) {
			return false
		}
		b.Phase = a.Phase
		return true
	})
}

func (ev *attemptEvents) update(change func(*Build, *Job, *Attempt) (buildChanged bool)) error {
	key, err := keyOf(ev.build)
	if err != nil {
		return err
	}
	err = ev.s.db.Update(func(tx *bbolt.Tx) error {
		b, err := get[Build](tx, bucketBuilds, key)
		if err != nil {
			return err
		}
		j, a, err := holder(tx, key, ev.index, ev.job, ev.token)
		if err != nil {
			return err
		}
		if change(b, j, a) {
			if err := putBuild(tx, b); err != nil {
				return err
			}
		}
		return putJob(tx, key, ev.index, j)
	})
	if err == nil {
		ev.s.hub.tell(ev.build)
	}
	return err
}

// holder returns the attempt that holds a job's lease, if the token is its token.
func holder(tx *bbolt.Tx, build []byte, index int, job string, token uint64) (*Job, *Attempt, error) {
	j, err := findJob(tx, build, index, job)
	if err != nil {
		return nil, nil, err
	}
	if len(j.Attempts) == 0 || j.State != JobLeased {
		return nil, nil, fmt.Errorf("job %s: %w", job, ErrFenced)
	}
	a := &j.Attempts[len(j.Attempts)-1]
	if a.Token != token {
		return nil, nil, fmt.Errorf("job %s: %w", job, ErrFenced)
	}
	return j, a, nil
}

// phaseOrder is CodeBuild's, with a job's own source step inside PROVISIONING.
var phaseOrder = map[string]int{
	phaseSubmitted: 1, phaseSource: 2, phaseQueued: 3, "PROVISIONING": 4, "INSTALL": 5, "PRE_BUILD": 6, "BUILD": 7,
	"POST_BUILD": 8, "UPLOAD_ARTIFACTS": 9, runner.PhaseImages: 10, "FINALIZING": 11, phaseCompleted: 12,
}

func phaseRank(name string) int { return phaseOrder[name] }
