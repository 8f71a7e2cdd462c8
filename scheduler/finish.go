package scheduler

import (
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

const (
	// maxAttempts bounds the tries at a job whose sandbox could not be made. None of its commands ran, so trying
	// again is always safe.
	maxAttempts = 3
	// attemptPause lies before the second try; it doubles.
	attemptPause = 2 * time.Second
)

// finish commits an attempt's result and all that follows from it, in one transaction: another attempt, or the
// job's end, its dependents, its siblings under fast-fail, and the build's own result.
func (s *Scheduler) finish(e *entry, token uint64, res runner.Result) error {
	key, err := keyOf(e.build)
	if err != nil {
		return err
	}
	var after *aftermath
	again := false
	err = s.db.Update(func(tx *bbolt.Tx) error {
		b, err := getBuild(tx, key)
		if err != nil {
			return err
		}
		j, index, a, err := holder(tx, key, e.job, token)
		if err != nil {
			return err
		}
		now := time.Now()
		endAttempt(a, res, now)
		if again = res.Transient && b.StopBy == "" && len(j.Attempts) < maxAttempts; again {
			j.State, j.Why = JobQueued, fmt.Sprintf("attempt %d could not start: %s; trying again", a.Number, res.Message)
			return putJob(tx, key, index, j)
		}
		j.State, j.Status, j.Reason, j.Message, j.EndedAt = JobEnded, a.Status, a.Reason, a.Message, now
		if err := putJob(tx, key, index, j); err != nil {
			return err
		}
		after, err = s.settle(tx, b, now)
		return err
	})
	if err != nil {
		return err
	}
	if again {
		s.mu.Lock()
		e.state, e.notBefore = JobQueued, time.Now().Add(attemptPause)
		s.mu.Unlock()
	} else {
		s.apply(e.build, after)
	}
	s.hub.tell(e.build)
	return nil
}

func endAttempt(a *Attempt, res runner.Result, now time.Time) {
	a.Status, a.Reason, a.Message, a.Exit, a.EndedAt = Status(res.Status), res.Reason, res.Message, res.Exit, now
	if res.Set != "" {
		a.Set = res.Set
	}
	closePhases(a.Phases, a.Status, now)
	a.Phases = append(a.Phases, Phase{Name: phaseCompleted, Status: Succeeded, Started: now})
	a.Phase = phaseCompleted
	if a.Status == Succeeded {
		a.Command = ""
	}
}

// aftermath is what the picture in memory must follow once a transaction stands.
type aftermath struct {
	ended  []string // jobs
	queued []string // jobs whose dependencies are met now
	stop   map[string]runner.StopRequest
}

// settle draws the consequences of ended jobs: dependents are queued or fail, siblings stop under fast-fail, and
// when nothing is left to happen the build has its result.
func (s *Scheduler) settle(tx *bbolt.Tx, b *Build, now time.Time) (*aftermath, error) {
	key := buildKey(b.Project, b.Number)
	jobs, err := jobsOf(tx, key)
	if err != nil {
		return nil, err
	}
	after := &aftermath{stop: make(map[string]runner.StopRequest)}
	before := make([]JobState, len(jobs))
	for i := range jobs {
		before[i] = jobs[i].State
	}
	if culprit := firstFailure(b, jobs); culprit != nil && b.Plan.FastFail && b.StopBy == "" {
		stopJobs(jobs, "fast_fail", fmt.Sprintf("stopped because %s failed and the build has fast-fail", culprit.Name), now, after)
	}
	followDependencies(b, jobs, now)
	left := 0
	for i := range jobs {
		switch {
		case jobs[i].State == JobEnded:
			after.ended = append(after.ended, jobs[i].ID)
		case jobs[i].State == JobQueued && before[i] == JobBlocked:
			after.queued = append(after.queued, jobs[i].ID)
			left++
		default:
			left++
		}
		if jobs[i].State != before[i] {
			if err := putJob(tx, key, i, &jobs[i]); err != nil {
				return nil, err
			}
		}
	}
	if left == 0 {
		b.Status, b.Reason, b.Message = verdict(b, jobs)
		b.Phase, b.EndedAt = phaseCompleted, now
		closePhases(b.Phases, b.Status, now)
		return after, putBuild(tx, b)
	}
	return after, nil
}

// stopJobs ends what has not begun, and asks for the end of what runs.
func stopJobs(jobs []Job, reason, message string, now time.Time, after *aftermath) {
	for i := range jobs {
		j := &jobs[i]
		switch j.State {
		case JobQueued, JobBlocked:
			j.State, j.Status, j.Reason, j.Message, j.EndedAt = JobEnded, Stopped, reason, message, now
		case JobLeased:
			after.stop[j.ID] = runner.StopRequest{Status: wire.StatusStopped, Reason: reason, Message: message}
		}
	}
}

// followDependencies queues jobs whose dependencies succeeded, and fails those whose never will, until nothing
// changes any more: one failure can run down a whole chain.
func followDependencies(b *Build, jobs []Job, now time.Time) {
	byID := make(map[string]*Job, len(jobs))
	for i := range jobs {
		byID[jobs[i].ID] = &jobs[i]
	}
	for changed := true; changed; {
		changed = false
		for i := range jobs {
			j := &jobs[i]
			if j.State != JobBlocked {
				continue
			}
			pj, err := planJob(b, j.ID)
			if err != nil {
				continue
			}
			ready, broken := true, ""
			for _, id := range pj.DependsOn {
				d := byID[id]
				switch {
				case d == nil || d.State != JobEnded:
					ready = false
				case d.Status != Succeeded && !ignored(b, id):
					broken = d.Name
				}
			}
			switch {
			case broken != "":
				j.State, j.Status, j.Reason, j.EndedAt = JobEnded, Failed, "dependency_failed", now
				j.Message = fmt.Sprintf("not started: it depends on %s, which did not succeed", broken)
				changed = true
			case ready:
				j.State, j.Queued, j.Why = JobQueued, now, "waits for a slot"
				changed = true
			}
		}
	}
}

func ignored(b *Build, job string) bool {
	pj, err := planJob(b, job)
	return err == nil && pj.IgnoreFailure
}

func firstFailure(b *Build, jobs []Job) *Job {
	for i := range jobs {
		j := &jobs[i]
		if j.State == JobEnded && j.Status != Succeeded && j.Status != Stopped && !ignored(b, j.ID) {
			return j
		}
	}
	return nil
}

// verdict is the build's result from its jobs': stopped by a person first, then the worst that a job met, with the
// user's own failure before the machine's. The message names the jobs.
func verdict(b *Build, jobs []Job) (Status, string, string) {
	if b.StopBy != "" {
		return Stopped, "stopped", "stopped by " + b.StopBy
	}
	for _, worst := range []Status{Failed, TimedOut, Fault, Stopped} {
		var names []string
		var first *Job
		for i := range jobs {
			j := &jobs[i]
			if j.Status == worst && !ignored(b, j.ID) && j.Reason != "dependency_failed" {
				names = append(names, j.Name)
				if first == nil {
					first = j
				}
			}
		}
		if first == nil {
			continue
		}
		message := first.Message
		if len(jobs) > 1 {
			message = fmt.Sprintf("%s: %s", first.Name, first.Message)
			if len(names) > 1 {
				message += fmt.Sprintf(" (also %s)", strings.Join(names[1:], ", "))
			}
		}
		return worst, first.Reason, message
	}
	return Succeeded, "", ""
}

// apply makes the picture in memory follow what was committed.
func (s *Scheduler) apply(build string, after *aftermath) {
	if after == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range after.ended {
		delete(s.queue, entryKey(build, id))
	}
	for _, id := range after.queued {
		if e := s.queue[entryKey(build, id)]; e != nil {
			e.state, e.queued = JobQueued, time.Now()
		}
	}
	for id, req := range after.stop {
		if e := s.queue[entryKey(build, id)]; e != nil {
			select {
			case e.stop <- req:
			default: // told already
			}
		}
	}
}
