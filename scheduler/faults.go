package scheduler

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// What ended by the machine's fault is tried again: a job as another attempt in a sandbox of its own, a build that has no
// plan yet by planning it once more. FAILED is the user's, and is never tried again unasked.
const (
	// maxFaults is how often one job, or one build's planning, is tried again. With the pauses below that outlasts the
	// restart of an engine, and ends within two minutes.
	maxFaults = 3
	// buildFaults is how often the jobs of one build are tried again together, so that a broken machine is not hammered by
	// all jobs of a large batch. Where a build has more than ten times as many jobs, it is a tenth of them.
	buildFaults = 10
	// faultPause lies before the first try after a fault; each further pause is faultGrowth times as long: 2, 10, 50 s.
	faultPause  = 2 * time.Second
	faultGrowth = 5
	// faultJitter is the share of a pause by which it is longer or shorter, so that jobs that met one fault together do not
	// all come back together.
	faultJitter = 0.25
)

// Again is a try that a job, or a build without a plan, waits for after a fault. It is part of the row, so that the wait
// outlives the daemon.
type Again struct {
	At     time.Time     `json:"at"`
	Pause  time.Duration `json:"pause"` // from the fault to At
	Reason string        `json:"reason"`
}

// left is how much of the wait is still to come. A clock that was set back makes it no longer than it was to be.
func (a *Again) left(now time.Time) time.Duration {
	if a == nil {
		return 0
	}
	return min(max(0, a.At.Sub(now)), a.Pause)
}

// againAfter is the wait before the try that follows a number of retries.
func againAfter(retries int, reason string, now time.Time) *Again {
	pause := faultPause
	for range retries {
		pause *= faultGrowth
	}
	pause += time.Duration((2*rand.Float64() - 1) * faultJitter * float64(pause))
	return &Again{At: now.Add(pause), Pause: pause, Reason: reason}
}

// shownPause is a pause as people read it.
func shownPause(d time.Duration) time.Duration { return max(d.Round(time.Second), time.Second) }

// faultsOf is how many retries after faults the jobs of a build may have together.
func faultsOf(jobs int) int { return max(buildFaults, jobs/10) }

// faultPolicy is what holds for a job that ended by a fault: the project's word, else the daemon's, else the careful one
// where the job was given what is for trusted builds alone.
func (s *Scheduler) faultPolicy(e *entry, res runner.Result) string {
	if res.Status != wire.StatusFault || !res.Transient {
		return ""
	}
	p, _ := s.Project(e.project) // of one that was removed, the daemon's word holds
	if policy := cmp.Or(p.RetryFaults, s.config().RetryFaults); policy != "" {
		return policy
	}
	if s.givenSecrets(e, &p) {
		return config.RetryBeforeCommands
	}
	return config.RetryAlways
}

// givenSecrets tells whether a job was given parameters or secrets as a trusted build. What cannot be known counts as yes.
func (s *Scheduler) givenSecrets(e *entry, p *Project) bool {
	b, err := s.Build(e.build)
	if err != nil {
		return true
	}
	if !b.Trusted {
		return false
	}
	t, err := s.Trigger(b.Trigger)
	if err != nil {
		return true
	}
	key, err := keyOf(e.build)
	if err != nil {
		return true
	}
	var pj *buildspec.Job
	err = s.db.View(func(tx *bbolt.Tx) error {
		whole, err := s.load(tx, key)
		if err == nil {
			pj, err = planJob(whole, e.job)
		}
		return err
	})
	if err != nil {
		return true
	}
	vars := variables(p, &b, &t, pj)
	last := winners(vars)
	for i, v := range vars {
		if v.sealed != nil && last[v.name] == i {
			return true
		}
	}
	return gitCredentials(p, &b, pj, "x") != nil
}

// afterFault decides whether a job whose attempt ended by a fault is tried again; where it is not, why says so, as the end of
// the attempt's message.
func afterFault(b *Build, j *Job, res runner.Result, policy string, now time.Time) (again *Again, why string) {
	if res.Status != wire.StatusFault || !res.Transient {
		return nil, ""
	}
	retry := fmt.Sprintf("runner retry %s tries again", b.ID())
	before := len(j.Attempts) - 1 - retries(j) // the faults before this one
	switch {
	case policy == config.RetryNever:
		return nil, ""
	case policy == config.RetryBeforeCommands && res.Begun:
		return nil, "not tried again by itself, because a command had begun, or may have, and retry-faults is before-commands: look at what it did, then " + retry
	case before >= maxFaults:
		return nil, fmt.Sprintf("tried %d times; %s", before+1, retry)
	case b.Faults >= faultsOf(len(b.Plan.Jobs)):
		return nil, fmt.Sprintf("not tried again, because faults have made %d more attempts at jobs of this build already: see to the machine, then %s", b.Faults, retry)
	}
	return againAfter(before, res.Reason, now), ""
}

// withWhy adds to a message why there is no other try.
func withWhy(message, why string) string {
	if why == "" {
		return message
	}
	return strings.TrimRight(message, "\n") + "; " + why
}

// preface is what the log of an attempt begins with that follows a fault.
func preface(j *Job, a *Attempt) string {
	if a.Number < 2 || a.Number > len(j.Attempts) {
		return ""
	}
	former := &j.Attempts[a.Number-2]
	if former.Status != Fault {
		return ""
	}
	return fmt.Sprintf("Attempt %d: attempt %d ended by the machine's fault (%s): %s", a.Number, former.Number, former.Reason, firstLine(former.Message))
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// planAgain commits that a build without a plan waits for another try at it, and returns how long. 0: there is no other.
func (s *Scheduler) planAgain(b *Build, f *planFailure) (time.Duration, error) {
	p, _ := s.Project(b.Project)
	policy := cmp.Or(p.RetryFaults, s.config().RetryFaults)
	if f.status != Fault || !f.passing || policy == config.RetryNever {
		return 0, nil
	}
	wait := time.Duration(0)
	err := s.group.update(func(tx *bbolt.Tx) error {
		wait = 0
		cur, err := s.load(tx, buildKey(b.Project, b.Number))
		if err != nil || cur.Status.Ended() || cur.StopBy != "" || cur.Faults >= maxFaults {
			return err
		}
		cur.Again = againAfter(cur.Faults, f.reason, time.Now())
		cur.Faults++
		wait = cur.Again.Pause
		cur.Reason = f.reason
		cur.Message = fmt.Sprintf("%s; trying again in %s (%d of %d)", strings.TrimRight(f.message, "\n"), shownPause(wait), cur.Faults, maxFaults)
		return putBuild(tx, cur)
	})
	failpoint.Pass("2/again-committed")
	return wait, err
}

// bootID names this run of the machine's kernel; "" where it has no name. What the agent spooled before another one may
// have been lost with the machine's memory.
func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}
