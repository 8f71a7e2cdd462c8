package scheduler

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/runner"
)

// attemptEvents writes what package runner tells of one attempt into its row. A holder that lost its lease is
// refused by the fencing token.
type attemptEvents struct {
	s          *Scheduler
	build, job string
	token      uint64
}

var _ runner.Events = (*attemptEvents)(nil)

func (ev *attemptEvents) Sent(ctx context.Context) error {
	return ev.update(func(_ *Build, a *Attempt) (buildChanged bool) {
		a.Sent = true
		return false
	})
}

func (ev *attemptEvents) Progress(ctx context.Context, p runner.Progress) error {
	return ev.update(func(b *Build, a *Attempt) (buildChanged bool) {
		if p.Frame != 0 && p.Frame <= a.Frame {
			return false
		}
		a.Frame = max(a.Frame, p.Frame)
		for _, ph := range p.Phases {
			applyPhase(a, ph)
		}
		if p.Command != nil {
			a.Command = p.Command.Text
		}
		if phaseRank(a.Phase) <= phaseRank(b.Phase) {
			return false
		}
		b.Phase = a.Phase
		return true
	})
}

func (ev *attemptEvents) update(change func(*Build, *Attempt) (buildChanged bool)) error {
	key, err := keyOf(ev.build)
	if err != nil {
		return err
	}
	err = ev.s.db.Update(func(tx *bbolt.Tx) error {
		b, err := get[Build](tx, bucketBuilds, key)
		if err != nil {
			return err
		}
		j, index, a, err := holder(tx, key, ev.job, ev.token)
		if err != nil {
			return err
		}
		if change(b, a) {
			if err := putBuild(tx, b); err != nil {
				return err
			}
		}
		return putJob(tx, key, index, j)
	})
	if err == nil {
		ev.s.hub.tell(ev.build)
	}
	return err
}

// holder returns the attempt that holds a job's lease, if the token is its token.
func holder(tx *bbolt.Tx, build []byte, job string, token uint64) (*Job, int, *Attempt, error) {
	j, index, err := findJob(tx, build, job)
	if err != nil {
		return nil, 0, nil, err
	}
	if len(j.Attempts) == 0 || j.State != JobLeased {
		return nil, 0, nil, fmt.Errorf("job %s: %w", job, ErrFenced)
	}
	a := &j.Attempts[len(j.Attempts)-1]
	if a.Token != token {
		return nil, 0, nil, fmt.Errorf("job %s: %w", job, ErrFenced)
	}
	return j, index, a, nil
}

// phaseOrder is CodeBuild's, with a job's own source step inside PROVISIONING.
var phaseOrder = map[string]int{
	phaseSubmitted: 1, phaseSource: 2, phaseQueued: 3, "PROVISIONING": 4, "INSTALL": 5, "PRE_BUILD": 6, "BUILD": 7,
	"POST_BUILD": 8, "UPLOAD_ARTIFACTS": 9, "FINALIZING": 10, phaseCompleted: 11,
}

func phaseRank(name string) int { return phaseOrder[name] }
