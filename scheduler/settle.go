package scheduler

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// aftermath is what the picture in memory must follow once a transaction stands.
type aftermath struct {
	ended  []string // jobs
	queued []string // jobs whose dependencies are met now
	stop   map[string]runner.StopRequest

	results []result // of the jobs that it ended
	build   *Build   // nil: it goes on
	granted []granted
}

// reasonDependency is of jobs that were not started because of another one.
const reasonDependency = "dependency_failed"

// settle draws the consequences of ended jobs: dependents are queued or fail, siblings stop under fast-fail, and
// when nothing is left to happen the build has its result. It looks at all jobs; settleOne spares that.
func (s *Scheduler) settle(tx *bbolt.Tx, b *Build, now time.Time) (*aftermath, error) {
	key := buildKey(b.Project, b.Number)
	jobs, err := jobsOf(tx, key)
	if err != nil {
		return nil, err
	}
	after := &aftermath{stop: make(map[string]runner.StopRequest)}
	before := make([]Job, len(jobs))
	copy(before, jobs)
	if req, due := stopRequest(b, jobs); due {
		stopJobs(jobs, req, now, after)
		if b.StopBy == "" {
			b.StopCause = req.Reason
		}
	}
	blocked := make([]int, 0, len(jobs))
	for i := range jobs {
		if jobs[i].State == JobBlocked {
			blocked = append(blocked, i)
		}
	}
	rows := func(i int) (*Job, error) { return &jobs[i], nil }
	if _, err := followDependencies(b, blocked, rows, now); err != nil {
		return nil, err
	}
	b.Open = 0
	for i := range jobs {
		j := &jobs[i]
		switch {
		case j.State == JobEnded:
			after.ended = append(after.ended, j.ID)
		case j.State == JobQueued && before[i].State == JobBlocked:
			after.queued = append(after.queued, j.ID)
			b.Open++
		default:
			b.Open++
		}
		if j.State == JobEnded && before[i].State != JobEnded {
			after.ends(j)
		}
		if j.State != before[i].State || j.Why != before[i].Why {
			if err := putJob(tx, key, i, j); err != nil {
				return nil, err
			}
		}
	}
	if b.Open == 0 {
		b.Status, b.Reason, b.Message = verdict(b, jobs)
		b.Phase, b.EndedAt = phaseCompleted, now
		closePhases(b.Phases, b.Status, now)
		after.build = b
		if err := errors.Join(dueEnd(tx, b.ID(), jobs), s.dueOfEnd(tx, b)); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(putBuild(tx, b), s.dueStatus(tx, b)); err != nil || b.Open > 0 {
		return after, err
	}
	after.granted, err = s.passPlace(tx, b, now)
	return after, err
}

// settleOne draws the consequences of one job that has just ended, whose row is stored. It reads the rows of jobs that
// depend on it alone, so that the jobs of a large batch do not each cost a walk through all of them.
func (s *Scheduler) settleOne(tx *bbolt.Tx, b *Build, index int, j *Job, now time.Time) (*aftermath, error) {
	if b.Open <= 1 || (b.Plan.FastFail && failure(b, j)) {
		after, err := s.settle(tx, b, now) // the last one, a row of an older version, or all of them are to stop
		if err == nil {
			after.ends(j)
		}
		return after, err
	}
	key := buildKey(b.Project, b.Number)
	after := &aftermath{ended: []string{j.ID}}
	after.ends(j)
	read := map[int]*Job{index: j}
	rows := func(i int) (*Job, error) {
		if read[i] == nil {
			row, err := get[Job](tx, bucketJobs, jobKey(key, i))
			if err != nil {
				return nil, fmt.Errorf("job %d of build %s: %w", i, b.ID(), err)
			}
			read[i] = row
		}
		return read[i], nil
	}
	changed, err := followDependencies(b, b.indexed().dependents[index], rows, now)
	if err != nil {
		return nil, err
	}
	b.Open--
	for _, i := range changed {
		switch d := read[i]; d.State {
		case JobEnded:
			after.ended = append(after.ended, d.ID)
			after.ends(d)
			b.Open--
		case JobQueued:
			after.queued = append(after.queued, d.ID)
		}
		if err := putJob(tx, key, i, read[i]); err != nil {
			return nil, err
		}
	}
	if b.Open <= 0 {
		results := after.results
		if after, err = s.settle(tx, b, now); err == nil {
			after.results = append(after.results, results...)
		}
		return after, err
	}
	return after, errors.Join(putBuild(tx, b), s.dueStatus(tx, b))
}

// followDependencies looks at blocked jobs, by their places in the plan: it queues those whose dependencies succeeded,
// and ends those whose never will, and then those that depend on these: one failure can run down a whole chain. It
// returns the places of the jobs that it changed.
func followDependencies(b *Build, blocked []int, row func(int) (*Job, error), now time.Time) (changed []int, err error) {
	x := b.indexed()
	for work := blocked; len(work) > 0; work = work[1:] {
		i := work[0]
		j, err := row(i)
		if err != nil {
			return nil, err
		}
		if j.State != JobBlocked {
			continue
		}
		open, broken, err := dependencies(b, &b.Plan.Jobs[i], row)
		if err != nil {
			return nil, err
		}
		why := j.Why
		switch {
		case broken != "":
			j.end(Failed, reasonDependency, fmt.Sprintf("not started: it depends on %s, which did not succeed", broken), now)
			work = append(work[:len(work):len(work)], x.dependents[i]...)
		case len(open) == 0 && b.held():
			j.Why = waitsForGroup
		case len(open) == 0:
			j.State, j.Queued, j.Why = JobQueued, now, waitsForSlot
		default:
			j.Why = waitsFor(open)
		}
		if j.State != JobBlocked || j.Why != why {
			changed = append(changed, i)
		}
	}
	return changed, nil
}

// dependencies tells which jobs a job still waits for, and one because of which it will never run.
func dependencies(b *Build, pj *buildspec.Job, row func(int) (*Job, error)) (open []string, broken string, err error) {
	x := b.indexed()
	for _, id := range pj.DependsOn {
		i, known := x.at[id]
		if !known {
			open = append(open, id)
			continue
		}
		d, err := row(i)
		if err != nil {
			return nil, "", err
		}
		switch {
		case d.State != JobEnded:
			open = append(open, d.Name)
		case d.Status == Succeeded:
		// What failed and may is as good as done; what was not even started has not been done.
		case d.Reason == reasonDependency || !ignored(b, id):
			broken = d.Name
		}
	}
	return open, broken, nil
}

func ignored(b *Build, job string) bool {
	pj, err := planJob(b, job)
	return err == nil && pj.IgnoreFailure
}

// failure tells whether a job failed in a way that counts for its build.
func failure(b *Build, j *Job) bool {
	return j.State == JobEnded && j.Status != Succeeded && j.Status != Stopped && !ignored(b, j.ID)
}

// stopRequest tells whether the jobs of a build are to stop, because a person asked for it or one of them has failed,
// and how.
func stopRequest(b *Build, jobs []Job) (req runner.StopRequest, due bool) {
	if b.StopBy != "" {
		reason, message := b.whyStopped()
		return runner.StopRequest{Status: wire.StatusStopped, Reason: reason, Message: message}, true
	}
	if b.Plan == nil || !b.Plan.FastFail {
		return req, false
	}
	for i := range jobs {
		if failure(b, &jobs[i]) {
			return runner.StopRequest{
				Status: wire.StatusStopped, Reason: "fast_fail",
				Message: fmt.Sprintf("stopped because %s failed and the build has fast-fail", jobs[i].Name),
			}, true
		}
	}
	return req, false
}

// stopJobs ends what has not begun, and asks for the end of what runs.
func stopJobs(jobs []Job, req runner.StopRequest, now time.Time, after *aftermath) {
	for i := range jobs {
		j := &jobs[i]
		switch j.State {
		case JobQueued, JobBlocked:
			j.end(Stopped, req.Reason, req.Message, now)
		case JobLeased:
			after.stop[j.ID] = req
		}
	}
}

// maxNames bounds how many jobs a build's message names.
const maxNames = 10

// verdict is the build's result from its jobs': stopped by a person first, then the worst that a job met, with the
// user's own failure before the machine's. The message names the jobs.
func verdict(b *Build, jobs []Job) (Status, string, string) {
	if b.StopBy != "" {
		reason, message := b.whyStopped()
		return Stopped, reason, message
	}
	notStarted := 0
	for i := range jobs {
		if jobs[i].Reason == reasonDependency {
			notStarted++
		}
	}
	for _, worst := range []Status{Failed, TimedOut, Fault, Stopped} {
		var names []string
		var first *Job
		for i := range jobs {
			j := &jobs[i]
			if j.Status == worst && !ignored(b, j.ID) && j.Reason != reasonDependency {
				names = append(names, j.Name)
				if first == nil {
					first = j
				}
			}
		}
		if first == nil {
			continue
		}
		if len(jobs) == 1 {
			return worst, first.Reason, first.Message
		}
		return worst, first.Reason, first.Name + ": " + first.Message + others(names[1:], notStarted)
	}
	return Succeeded, "", ""
}

// others says which jobs met the same as the one that a message is about, and how many were not started for it.
func others(names []string, notStarted int) string {
	var parts []string
	if rest := len(names) - maxNames; rest > 0 {
		parts = append(parts, fmt.Sprintf("also %s and %d more", strings.Join(names[:maxNames], ", "), rest))
	} else if len(names) > 0 {
		parts = append(parts, "also "+strings.Join(names, ", "))
	}
	switch {
	case notStarted == 1:
		parts = append(parts, "1 job that depends on it was not started")
	case notStarted > 1:
		parts = append(parts, fmt.Sprintf("%d jobs that depend on it were not started", notStarted))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

// apply makes the picture in memory follow what was committed.
func (s *Scheduler) apply(build string, after *aftermath) {
	wake(s.reportsKick)
	wake(s.tracesKick)
	if after == nil {
		return
	}
	s.follow(build, after)
	s.countEnds(after)
	s.attemptsEnded(build)
	s.followPlaces(after.granted)
}

func (s *Scheduler) follow(build string, after *aftermath) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range after.ended {
		s.queue.remove(entryKey(build, id))
	}
	for _, id := range after.queued {
		if e := s.queue.get(build, id); e != nil {
			s.queue.wait(e, time.Now(), time.Time{})
		}
	}
	for id, req := range after.stop {
		if e := s.queue.get(build, id); e != nil {
			e.tellStop(req)
		}
	}
}
