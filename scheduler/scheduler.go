package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/outbox"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/secrets"
	"github.com/runner-ci/runner/source"
)

// Scheduler is the durable queue and the state machine of builds.
type Scheduler struct {
	db       *bbolt.DB
	group    group // of writes that many ask for at once
	instance string
	epoch    uint64
	boot     string // of the machine
	log      *slog.Logger
	hub      hub
	plans    plans
	cfg      atomic.Pointer[config.Config]

	runner *runner.Runner
	source *source.Store
	vault  Vault
	tests  testBooks
	pool   *warmPool
	kept   *keeper
	room   func() Room   // nil: there is always room
	last   func() bool   // gives up what was kept for a result; nil: nothing was
	space  func() string // why no job may start for lack of disk space, "" if any may; nil: there is always enough
	said   sync.Map      // what is said once
	meter  Meter
	tasks  *activity.Registry
	traces bool // what ends is noted for them
	outbox *outbox.Box

	mu       sync.Mutex // guards what follows: the picture of the active builds that the dispatcher decides on
	queue    *queue
	planning map[string]*planning // by build id
	numbered []Build              // for the planner
	looking  looking
	draining bool
	inHand   map[string]bool   // sandboxes that an attempt of this process uses, or is about to remove
	served   map[string]uint64 // project → turn in which it was last given a slot
	planned  map[string]uint64 // project → turn in which it was last given a planner
	turn     uint64
	started  bool

	inbox     inbox
	histories histories

	planKick, runKick, reportsKick, tracesKick chan struct{}
	schedulesKick                              chan struct{}
	work                                       sync.WaitGroup
}

// Vault answers for the parameters and secrets of builds; *secrets.Store is one. Errors wrap those of package secrets.
type Vault interface {
	// Check tells whether a build may have a value, without giving it.
	Check(ctx context.Context, who secrets.Subject, ref secrets.Ref) error
	// Value opens a value for a build, and notes that in the audit log.
	Value(ctx context.Context, who secrets.Subject, ref secrets.Ref) (string, error)
}

// UseVault sets where parameters and secrets come from. Call it before Start.
func (s *Scheduler) UseVault(v Vault) { s.vault = v }

// Open opens or makes the state file, and counts the start. Nothing runs before Start.
func Open(path string, cfg *config.Config, log *slog.Logger) (*Scheduler, error) {
	db, instance, epoch, err := openState(path, log)
	if err != nil {
		return nil, err
	}
	s := &Scheduler{
		db: db, group: group{db: db, meter: noMeter{}}, meter: noMeter{}, instance: instance, epoch: epoch, boot: bootID(), log: log,
		queue: newQueue(), planning: make(map[string]*planning),
		pool: newWarmPool(), kept: newKeeper(), inHand: make(map[string]bool), served: make(map[string]uint64), planned: make(map[string]uint64),
		planKick: make(chan struct{}, 1), runKick: make(chan struct{}, 1), reportsKick: make(chan struct{}, 1), tracesKick: make(chan struct{}, 1),
		schedulesKick: make(chan struct{}, 1),
		tests:         testBooks{hold: testHold},
	}
	if s.outbox, err = outbox.Open(db, outbox.Options{Logger: log}); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := errors.Join(s.Configure(cfg), s.readInbox()); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// Outbox is what the outside has yet to be told. It lies in the same file, so that what is put there is committed together
// with the fact that it tells of.
func (s *Scheduler) Outbox() *outbox.Box { return s.outbox }

// Instance is the daemon's own id, minted with the state file.
func (s *Scheduler) Instance() string { return s.instance }

// Epoch counts the starts of the daemon on this state file.
func (s *Scheduler) Epoch() uint64 { return s.epoch }

func (s *Scheduler) config() *config.Config { return s.cfg.Load() }

// Configure takes new settings. It refuses, and changes nothing, when a project's name is in state.db too.
func (s *Scheduler) Configure(cfg *config.Config) error {
	if err := s.checkNames(cfg); err != nil {
		return err
	}
	s.cfg.Store(cfg)
	s.hub.tell()
	wake(s.schedulesKick)
	s.wakePlanner()
	s.wakeDispatcher()
	return nil
}

// Start takes up what a former daemon left: it adopts running attempts, plans pending triggers, and goes on until
// ctx ends. Close waits for all of it to let go.
func (s *Scheduler) Start(ctx context.Context, r *runner.Runner, src *source.Store) error {
	s.runner, s.source = r, src
	unplanned, err := s.recover()
	if err != nil {
		return fmt.Errorf("taking up the stored builds: %w", err)
	}
	failpoint.Pass("7/rows-read")
	if err := s.findWarm(); err != nil {
		return fmt.Errorf("taking up the sandboxes that wait for a job: %w", err)
	}
	if err := s.findKept(); err != nil {
		return fmt.Errorf("taking up the sandboxes that are kept: %w", err)
	}
	s.mu.Lock()
	s.started = true
	s.mu.Unlock()
	held := s.leases() // now: what the dispatcher leases has its holder already
	s.goDo(func() { s.adopt(ctx, held) })
	s.runTask("planner", "turns triggers into builds, and lets builds be planned", func(t *activity.Task) { s.planLoop(ctx, t, unplanned) })
	s.runTask("dispatcher", "gives slots to jobs", func(t *activity.Task) { s.dispatchLoop(ctx, t) })
	s.runTask("schedules", "starts builds by the clock", func(t *activity.Task) { s.scheduleLoop(ctx, t) })
	s.runTask("inbox", "writes down which webhooks came, and what became of each", func(t *activity.Task) { s.inboxLoop(ctx, t) })
	s.runTask("reaper", "compares rows with what engines and disk hold", func(t *activity.Task) { s.tidyLoop(ctx, t) })
	s.runTask("keeper", "keeps the sandboxes of failed jobs for a while, and removes them", func(t *activity.Task) { s.keepLoop(ctx, t) })
	s.runTask("warm pool", "keeps sandboxes waiting for the jobs that will likely come", func(t *activity.Task) { s.warmLoop(ctx, t) })
	return nil
}

// runTask is goDo for what lives as long as the daemon.
func (s *Scheduler) runTask(name, about string, f func(*activity.Task)) {
	s.goDo(func() { s.tasks.Run(name, about, f) })
}

// each is goDo for one of many: attempts, plans.
func (s *Scheduler) each(name, about string, f func()) {
	s.goDo(func() { s.tasks.Many(name, about, func(*activity.Task) { f() }) })
}

const (
	taskAttempts = "attempts"
	aboutAttempt = "runs one attempt at a job from its lease to its result"
)

func (s *Scheduler) goDo(f func()) {
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		f()
	}()
}

// Close waits until everything that Start began has let go (end its context first), then closes the state file.
func (s *Scheduler) Close() error {
	s.work.Wait()
	return s.db.Close()
}

func (s *Scheduler) wakePlanner()    { wake(s.planKick) }
func (s *Scheduler) wakeDispatcher() { wake(s.runKick) }

func wake(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Drain stops new jobs from starting, or lets them start again. Running jobs go on.
func (s *Scheduler) Drain(on bool) {
	s.mu.Lock()
	s.draining = on
	s.mu.Unlock()
	s.hub.tell()
	s.wakeDispatcher()
}

// Draining tells whether Drain is on.
func (s *Scheduler) Draining() bool { return s.isDraining() }

func (s *Scheduler) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// Running counts the jobs that hold a slot.
func (s *Scheduler) Running() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.running
}

// Queued counts the jobs that wait for a slot.
func (s *Scheduler) Queued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.waiting
}
