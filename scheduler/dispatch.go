package scheduler

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner"
)

// sweepEvery is how often the dispatcher looks at what only time changes: queue time-outs, waiting attempts.
const sweepEvery = time.Second

// dispatchLoop hands out slots until ctx ends.
func (s *Scheduler) dispatchLoop(ctx context.Context, t *activity.Task) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		t.Does("giving free slots away")
		for s.dispatchOne(ctx) {
		}
		t.Waits(nil)
		select {
		case <-ctx.Done():
			return
		case <-s.runKick:
		case <-tick.C:
			t.Does("looking for what waited too long")
			s.sweepQueue(time.Now())
			s.sweepTests(time.Now())
		}
	}
}

// dispatchOne gives one free slot away, and tells whether there may be more to do.
func (s *Scheduler) dispatchOne(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	short := s.ShortOfSpace() != ""
	s.mu.Lock()
	s.hindered.note(hinderedBy(short, s.draining), time.Now())
	var e *entry
	if !s.draining && !short && s.queue.waiting > 0 {
		began := time.Now()
		e = next(s.queue, s.limits())
		s.meter.Decision(time.Since(began))
	}
	if e != nil {
		s.queue.lease(e)
		s.turn++
		s.served[e.project] = s.turn
	}
	s.mu.Unlock()
	if e == nil {
		return false
	}
	l, err := s.lease(ctx, e)
	if errors.Is(err, ErrEnded) || errors.Is(err, ErrNotFound) {
		err = s.forgetEnded(e.build)
		if err == nil {
			return true
		}
	}
	if err != nil {
		s.log.Error("leasing a job", "build", e.build, "job", e.job, "error", err)
		s.mu.Lock()
		s.queue.wait(e, e.queued, time.Now().Add(leaseRetry))
		s.mu.Unlock()
		return true
	}
	s.each(taskAttempts, aboutAttempt, func() { s.runLease(ctx, e, l) })
	return true
}

// leaseRetry is how long a job waits whose lease could not be stored: the disk is full, most likely.
const leaseRetry = 5 * time.Second

func (s *Scheduler) limits() limits {
	return limits{
		slots: s.slotsNow(), served: s.served, now: time.Now(),
		maxJobs: s.maxJobs(),
	}
}

// slotsNow is how many jobs may run at once. A job's slot is free when its result is stored, while its sandbox is still
// being removed; of these there may be as many as there are slots, and each further one takes a slot, so that removals
// that are slower than jobs do not pile up.
func (s *Scheduler) slotsNow() int {
	slots := s.config().Slots
	return slots - max(0, s.pool.leaving()-slots)
}

// maxJobs looks each project up once for one choice.
func (s *Scheduler) maxJobs() func(project string) int {
	known := make(map[string]int)
	return func(name string) int {
		n, ok := known[name]
		if !ok {
			if p, err := s.Project(name); err == nil {
				n = p.MaxJobs
			}
			known[name] = n
		}
		return n
	}
}

// leased is what a lease committed.
type leased struct {
	build   *Build
	job     *Job
	attempt Attempt  // Sent is of what happened, not of what was committed ahead of it
	sent    bool     // it is committed that the job may be out
	holding *holding // nil: nothing is counted
}

// lease commits the sandbox's row and the attempt that is bound to it, before anything is asked of an engine. A sandbox
// that waits is bound to it by the same commit, which says that its job may be out, too.
func (s *Scheduler) lease(ctx context.Context, e *entry) (leased, error) {
	p, _ := s.Project(e.project) // of one that was removed, the default engine says so
	engine := s.engineOf(&p)
	key, err := keyOf(e.build)
	if err != nil {
		return leased{}, err
	}
	w, err := s.wantOfEntry(ctx, &p, e, key, engine)
	if err != nil {
		return leased{}, err
	}
	hold := s.hold(w)
	var l leased
	err = s.db.Update(func(tx *bbolt.Tx) error {
		b, err := s.load(tx, key)
		if err != nil {
			return err
		}
		j, err := findJob(tx, key, e.index, e.job)
		if err != nil {
			return err
		}
		if j.State == JobEnded {
			return fmt.Errorf("job %s of %s: %w", j.ID, e.build, ErrEnded)
		}
		if j.State != JobQueued {
			return fmt.Errorf("job %s of %s is %s, not queued", j.ID, e.build, j.State)
		}
		if l, err = s.bind(tx, b, j, engine, hold.box, time.Now()); err != nil {
			return err
		}
		return putJob(tx, key, e.index, j)
	})
	if err != nil {
		hold.giveBack()
		return l, err
	}
	failpoint.Pass("3/lease-committed")
	hold.leased()
	l.holding = hold
	s.hub.tell(e.build)
	return l, nil
}

// bind gives a job its next attempt, bound to a sandbox that waits for it, or that does not exist yet.
func (s *Scheduler) bind(tx *bbolt.Tx, b *Build, j *Job, engine string, box *warmBox, now time.Time) (leased, error) {
	token, err := tx.Bucket(bucketTokens).NextSequence()
	if err != nil {
		return leased{}, err
	}
	n := len(j.Attempts) + 1
	a := Attempt{
		Number: n, Token: token, Engine: engine, Sandbox: s.sandboxID(token),
		Status: InProgress, Phase: runner.PhaseProvisioning, Started: now, Boot: s.boot,
		Phases: []Phase{{Name: runner.PhaseProvisioning, Status: InProgress, Started: now}},
		Log:    fmt.Sprintf("%s/%d/%s/%d", b.Project, b.Number, j.ID, n),
	}
	hindered := s.hindered.during(j.Queued, now)
	a.WaitedSpace, a.WaitedDrain = hindered[bySpace], hindered[byDrain]
	if box != nil {
		a.Sandbox, a.Warm, a.Sent = box.id, true, true
	}
	row := sandboxRow{ID: a.Sandbox, Engine: engine, Build: b.ID(), Job: j.ID, Created: now}
	if err := put(tx, bucketSandboxes, []byte(a.Sandbox), row); err != nil {
		return leased{}, err
	}
	j.Attempts = append(j.Attempts, a)
	j.State, j.Why, j.Status, j.Again = JobLeased, "", InProgress, nil
	if j.Started.IsZero() {
		j.Started = now
	}
	if b.Started.IsZero() {
		b.Started = now
		endPhase(&b.Phases, phaseQueued, Succeeded, now)
		b.Phase = runner.PhaseProvisioning
		if err := putBuild(tx, b); err != nil {
			return leased{}, err
		}
	}
	if err := s.dueStatus(tx, b); err != nil {
		return leased{}, err
	}
	sent := a.Sent
	a.Sent = false // nobody else has sent it
	return leased{build: b, job: j, attempt: a, sent: sent}, nil
}

// sandboxRow names a sandbox before it exists, and until it is gone for certain.
type sandboxRow struct {
	ID      string    `json:"id"`
	Engine  string    `json:"engine"`
	Build   string    `json:"build"`
	Job     string    `json:"job"`
	Created time.Time `json:"created"`

	Warm   bool           `json:"warm,omitempty"` // it waits for a job, and has none
	Image  *runner.Image  `json:"image,omitempty"`
	Limits *runner.Limits `json:"limits,omitempty"`
	// Network is that of the jobs that a warm one is for.
	Network runner.Network `json:"network,omitempty"`
	Make    string         `json:"make,omitempty"` // of the daemon that made it

	Kept *kept `json:"kept,omitempty"` // its job failed, and people may look into it
}

// runLease runs one attempt to its result, commits that, and destroys the sandbox.
func (s *Scheduler) runLease(ctx context.Context, e *entry, l leased) {
	engine, sandbox := l.attempt.Engine, l.attempt.Sandbox
	s.take(sandbox, true)
	defer s.take(sandbox, false)
	if !s.runAttempt(ctx, e, l) {
		return // the next daemon adopts it
	}
	s.wakeDispatcher()
	if b := s.kept.get(sandbox); b != nil {
		if s.closeKept(context.WithoutCancel(ctx), b) {
			s.dropKept(ctx, b)
		}
		wake(s.kept.kick)
		return
	}
	s.destroy(ctx, engine, sandbox)
}

// runAttempt runs one attempt and commits its result. It tells whether there was one before the daemon leaves.
func (s *Scheduler) runAttempt(ctx context.Context, e *entry, l leased) bool {
	defer l.holding.ended()
	defer l.holding.begun()
	a, err := s.attempt(ctx, e, l)
	if err != nil {
		return s.store(ctx, e, l.attempt.Token, cannotStart(err))
	}
	ev := &attemptEvents{s: s, build: e.build, job: e.job, index: e.index, token: l.attempt.Token, sent: l.sent, sealed: len(a.Job.Secrets) > 0, holding: l.holding}
	res, err := s.runner.Run(ctx, l.attempt.Engine, a, ev)
	if errors.Is(err, runner.ErrDetached) {
		return false
	}
	return s.store(ctx, e, l.attempt.Token, res)
}

// take notes that a sandbox is in hand, or no longer is.
func (s *Scheduler) take(sandbox string, inHand bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if inHand {
		s.inHand[sandbox] = true
	} else {
		delete(s.inHand, sandbox)
	}
}

// store commits a result, however long the disk refuses it. It gives up when ctx ends: the sandbox's spool still
// has the result for the next daemon.
func (s *Scheduler) store(ctx context.Context, e *entry, token uint64, res runner.Result) bool {
	for wait := time.Second; ; wait = min(wait*2, time.Minute) {
		err := s.finish(e, token, res)
		if err == nil || errors.Is(err, ErrFenced) {
			return true
		}
		if errors.Is(err, syscall.ENOSPC) && s.last != nil && s.last() {
			s.log.Warn("the disk is full: the last space that was kept is given up for a result", "build", e.build, "job", e.job)
			continue
		}
		s.log.Error("storing a result; trying again", "build", e.build, "job", e.job, "error", err, "in", wait)
		select {
		case <-ctx.Done():
			return false
		case <-time.After(wait):
		}
	}
}

// destroyWait bounds one removal. A daemon that leaves finishes the removals that it began, as far as time allows:
// what it leaves behind, the next start removes.
const destroyWait = time.Minute

// destroy removes a sandbox, then its row; what fails is left to the reaper.
func (s *Scheduler) destroy(ctx context.Context, engine, sandbox string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), destroyWait)
	defer cancel()
	s.pool.count(0, 1)
	defer s.wakeDispatcher()
	defer s.pool.count(0, -1)
	if err := s.runner.Destroy(ctx, engine, sandbox); err != nil {
		s.log.Warn("a sandbox could not be removed; the reaper will try again", "sandbox", sandbox, "error", err)
		return
	}
	err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketSandboxes).Delete([]byte(sandbox)) })
	if err != nil {
		s.log.Warn("forgetting a sandbox", "sandbox", sandbox, "error", err)
	}
	failpoint.Pass("6/row-removed")
}
