package scheduler

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner"
)

// finish commits an attempt's result and all that follows from it, in one transaction: another attempt, or the
// job's end, its dependents, its siblings under fast-fail, and the build's own result.
func (s *Scheduler) finish(e *entry, token uint64, res runner.Result) error {
	key, err := keyOf(e.build)
	if err != nil {
		return err
	}
	var after *aftermath
	again, pause := false, time.Duration(0)
	var ended Attempt
	var queued time.Time
	var keep *sandboxRow
	span := s.keepSpan(e)
	policy := s.faultPolicy(e, res)
	waited := s.waitedForTests(e.build) // its lock comes before a transaction
	fresh := s.freshKey(context.Background(), e, Status(res.Status))
	err = s.db.Update(func(tx *bbolt.Tx) error {
		b, err := s.load(tx, key)
		if err != nil {
			return err
		}
		j, a, err := holder(tx, key, e.index, e.job, token)
		if err != nil {
			return err
		}
		now := time.Now()
		var message string
		again, pause, message = anotherAttempt(b, j, a, res, policy, now)
		res := res // this may run twice
		res.Message = message
		endAttempt(a, res, now)
		a.Waited = waited[workerID(e.build, e.job, a.Number)]
		ended, queued = *a, j.Queued
		if err := dueOf(tx, e.build, e.index, a); err != nil {
			return err
		}
		if again {
			j.State, j.Queued = JobQueued, now // the wait for its next slot begins now
			if j.Again != nil {
				b.Faults++
				if err := putBuild(tx, b); err != nil {
					return err
				}
			}
			return putJob(tx, key, e.index, j)
		}
		j.end(a.Status, a.Reason, a.Message, now)
		if keep, err = s.keeps(tx, b, j, a, span, now); err != nil {
			return err
		}
		if err := recordProof(tx, b, e.index, j, fresh); err != nil {
			return err
		}
		if err := putJob(tx, key, e.index, j); err != nil {
			return err
		}
		if err := s.dueTrace(tx, e.build, e.index); err != nil {
			return err
		}
		after, err = s.settleOne(tx, b, e.index, j, now)
		return err
	})
	if err != nil {
		return err
	}
	if keep != nil {
		s.kept.add(*keep)
	}
	failpoint.Pass("6/result-committed")
	s.countAttempt(&ended, queued)
	if again {
		s.waitAgain(e, pause)
	} else {
		s.apply(e.build, after)
	}
	s.hub.tell(e.build)
	return nil
}

// waitAgain follows the end of an attempt that is not its job's.
func (s *Scheduler) waitAgain(e *entry, pause time.Duration) {
	wake(s.reportsKick)
	s.mu.Lock()
	now := time.Now()
	s.queue.wait(e, now, now.Add(pause))
	select {
	case <-e.resume: // was meant for the attempt that has ended
	default:
	}
	s.mu.Unlock()
	s.attemptsEnded(e.build)
}

// anotherAttempt decides whether a job is tried again, after which pause, and says so on its row. A job can forge its
// result, so that the count is kept here, from the plan. The message is the result's, with what there is to say of that.
func anotherAttempt(b *Build, j *Job, a *Attempt, res runner.Result, policy string, now time.Time) (again bool, pause time.Duration, message string) {
	if b.StopBy != "" || b.StopCause != "" {
		return false, 0, res.Message
	}
	if res.Retry && Status(res.Status) == Failed {
		pj, err := planJob(b, j.ID)
		if err != nil || retries(j) >= maxRetries(pj) {
			return false, 0, res.Message
		}
		a.Retry = true
		j.Why = fmt.Sprintf("attempt %d failed and is tried again, as on-failure: RETRY asks", a.Number)
		return true, 0, res.Message
	}
	wait, why := afterFault(b, j, res, policy, now)
	if wait == nil {
		return false, 0, withWhy(res.Message, why)
	}
	j.Again = wait
	j.Why = fmt.Sprintf("attempt %d ended by the machine's fault (%s), and is tried again in %s: %s", a.Number, res.Reason, shownPause(wait.Pause), firstLine(res.Message))
	return true, wait.Pause, res.Message
}

// retries counts the attempts after which on-failure: RETRY asked for another one.
func retries(j *Job) (n int) {
	for i := range j.Attempts {
		if j.Attempts[i].Retry {
			n++
		}
	}
	return n
}

// maxRetries is how often a job's phases can ask for another attempt.
func maxRetries(pj *buildspec.Job) (most int) {
	for _, p := range pj.Phases {
		if p.OnFailure == "RETRY" && p.Retry != nil {
			most = max(most, p.Retry.Count)
		}
	}
	return most
}

// endAttempt writes a result into an attempt's record.
func endAttempt(a *Attempt, res runner.Result, now time.Time) {
	a.Status, a.Reason, a.Message, a.Exit, a.EndedAt = Status(res.Status), res.Reason, res.Message, res.Exit, now
	if res.Set != "" {
		a.Set = res.Set
	}
	a.Images, a.Cache = res.Images, res.Cache
	a.Secondary, a.Reports, a.Exported, a.Paused, a.Resume = res.Secondary, res.Reports, res.Exported, time.Time{}, ""
	closePhases(a.Phases, a.Status, now)
	a.Phases = append(a.Phases, Phase{Name: phaseCompleted, Status: Succeeded, Started: now})
	a.Phase = phaseCompleted
	switch {
	case a.Status == Succeeded:
		a.Command = ""
	case res.Command != "": // what ran last, finally or POST_BUILD, is not to blame
		a.Command = res.Command
	}
}
