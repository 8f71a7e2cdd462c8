package scheduler

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner"
)

// Room is what a machine has left for sandboxes that only wait for a job.
type Room struct {
	Memory int64  // bytes that can be had; 0: not known
	Short  string // what is so scarce that none may wait; "" is nothing
}

// UseRoom sets how the machine is asked for room. Call it before Start; without it there is always room.
func (s *Scheduler) UseRoom(ask func() Room) { s.room = ask }

// warmCost is the memory that a waiting sandbox costs, the engine's part in it included: its agent has 2 MiB, the
// process that watches over its container ten times that.
const warmCost = 32 << 20

// warmShare is the part of the memory at hand that waiting sandboxes may have together, where nobody says how many there
// are to be.
const warmShare = 8

// warmLimit is how many sandboxes may wait.
func warmLimit(cfg *config.Config, room Room, have int) int {
	if cfg.Warm == config.WarmOff || room.Short != "" {
		return 0
	}
	n := cfg.Slots
	if number, err := strconv.Atoi(cfg.Warm); err == nil {
		n = min(n, number)
	} else if room.Memory > 0 {
		n = min(n, int((room.Memory+int64(have)*warmCost)/warmShare/warmCost))
	}
	if cfg.WarmMemoryBytes > 0 {
		n = min(n, int(cfg.WarmMemoryBytes/warmCost))
	}
	return n
}

// warmEvery is how often the pool is looked at when nothing happens.
const warmEvery = time.Second

// warmLoop keeps sandboxes waiting for the jobs that will likely come, until ctx ends. Those that wait then are taken up
// by the next start.
func (s *Scheduler) warmLoop(ctx context.Context, t *activity.Task) {
	tick := time.NewTicker(warmEvery)
	defer tick.Stop()
	for {
		t.Does("looking whether a sandbox is to be made ahead or removed")
		again := s.warmStep(ctx)
		for again && ctx.Err() == nil {
			again = s.warmStep(ctx)
		}
		t.Waits(nil)
		select {
		case <-ctx.Done():
			return
		case <-s.pool.kick:
			select { // a job has just begun or ended: what is made for it comes first
			case <-time.After(warmCalm):
			case <-ctx.Done():
				return
			}
		case <-tick.C:
		}
	}
}

// Warm tells how many sandboxes wait for a job, and what keeps more of them from it, if anything does.
func (s *Scheduler) Warm() (waiting int, why string) {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	for _, b := range s.pool.boxes {
		if b.state == warmReady {
			waiting++
		}
	}
	return waiting, s.pool.why
}

// warmStep does the next thing, and tells whether there may be more.
func (s *Scheduler) warmStep(ctx context.Context) (again bool) {
	work := s.pool.next(s.warmLimitNow(), s.backlog(), time.Now())
	for _, b := range work.drop {
		s.dropWarm(ctx, b)
	}
	switch {
	case work.look != nil:
		s.lookAtWarm(ctx, work.look)
	case work.make != nil:
		s.makeWarm(ctx, *work.make)
	default:
		return false
	}
	return true
}

// backlog tells whether jobs wait for a slot, or soon will.
func (s *Scheduler) backlog() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queue.waiting > 0 || len(s.planning) > 0
}

func (s *Scheduler) warmLimitNow() int {
	if s.isDraining() {
		return 0
	}
	var room Room
	if s.room != nil {
		room = s.room()
	}
	s.pool.mu.Lock()
	have, was := len(s.pool.boxes), s.pool.short
	if s.pool.short = room.Short; was != room.Short {
		s.pool.why = room.Short
	}
	s.pool.mu.Unlock()
	if room.Short != "" {
		s.sayOnce("no sandbox waits for its job", room.Short)
	}
	return warmLimit(s.config(), room, have)
}

// makeWarm commits the row of a sandbox, then makes it.
func (s *Scheduler) makeWarm(ctx context.Context, w want) {
	engine, image := w.kind.engine, w.image
	if err := s.runner.CanWarm(ctx, engine, runner.WarmSandbox{Image: image, Limits: w.limits, Network: w.kind.network}); err != nil {
		s.noWarm(ctx, w.kind, err)
		return
	}
	b := &warmBox{kind: w.kind, limits: w.limits, state: warmMaking}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		token, err := tx.Bucket(bucketTokens).NextSequence()
		if err != nil {
			return err
		}
		b.id = s.sandboxID(token)
		s.pool.enter(b)
		return put(tx, bucketSandboxes, []byte(b.id), sandboxRow{
			ID: b.id, Engine: engine, Created: time.Now(), Warm: true, Image: &image, Limits: &w.limits, Network: w.kind.network, Make: s.runner.Make,
		})
	})
	if err != nil {
		s.pool.gave(b)
		s.noWarm(ctx, w.kind, err)
		return
	}
	failpoint.Pass("3/warm-row-committed")
	if err := s.runner.Warm(ctx, engine, runner.WarmSandbox{ID: b.id, Image: image, Limits: w.limits, Network: w.kind.network}); err != nil {
		if ctx.Err() == nil {
			s.noWarm(ctx, w.kind, err)
			s.dropWarm(ctx, b)
		}
		return
	}
	failpoint.Pass("3/warm-made")
	s.pool.ready(b, time.Now())
}

func (s *Scheduler) sandboxID(token uint64) string { return fmt.Sprintf("%s-%d", s.instance, token) }

// noWarm says, once for each reason, that jobs of a kind start without a sandbox that waits for them.
func (s *Scheduler) noWarm(ctx context.Context, kind warmKind, err error) {
	if ctx.Err() != nil {
		return
	}
	s.pool.fails(kind, err.Error(), time.Now())
	s.sayOnce("no sandbox waits for its job", err.Error())
}

func (s *Scheduler) sayOnce(what, because string) {
	if _, said := s.said.LoadOrStore(what+because, true); !said {
		s.log.Info(what, "because", because)
	}
}

// lookAtWarm finds out whether a sandbox that a former daemon made, or died making, can be used: it was made as this
// daemon would make it, and runs. Else it is removed.
func (s *Scheduler) lookAtWarm(ctx context.Context, b *warmBox) {
	err := s.adoptWarm(ctx, b)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.log.Info("a sandbox that waited for a job is not used", "sandbox", b.id, "because", err)
		s.dropWarm(ctx, b)
		return
	}
	s.pool.ready(b, time.Now())
}

func (s *Scheduler) adoptWarm(ctx context.Context, b *warmBox) error {
	if !b.usable {
		return errors.New("it was made by another version, or with other settings of its engine")
	}
	row, err := s.sandboxRow(b.id)
	if err != nil {
		return err
	}
	err = s.runner.Warm(ctx, row.Engine, runner.WarmSandbox{ID: b.id, Image: *row.Image, Limits: *row.Limits, Network: row.Network})
	if err != nil {
		return err
	}
	state, err := s.runner.Executors[row.Engine].Inspect(ctx, b.id)
	if err == nil && !state.Running {
		err = errors.New("it runs no more")
	}
	return err
}

func (s *Scheduler) sandboxRow(id string) (row *sandboxRow, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		row, err = get[sandboxRow](tx, bucketSandboxes, []byte(id))
		return err
	})
	return row, err
}

// dropWarm removes a sandbox that nobody will use. A reaper sees to what fails.
func (s *Scheduler) dropWarm(ctx context.Context, b *warmBox) {
	s.destroy(ctx, b.kind.engine, b.id)
	s.pool.gave(b)
}

// findWarm brings the sandboxes into the picture that a former daemon kept waiting. That there were so many is what is
// known of the demand.
func (s *Scheduler) findWarm() error {
	if s.config().Warm == config.WarmOff {
		return nil // the reaper removes them
	}
	s.pool.mu.Lock()
	s.pool.newest = time.Now() // jobs that wait come first: what was found is given to them as it is
	s.pool.mu.Unlock()
	return s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketSandboxes).ForEach(func(k, _ []byte) error {
			row, err := get[sandboxRow](tx, bucketSandboxes, k)
			if err != nil || !row.Warm || row.Image == nil || row.Limits == nil {
				return err
			}
			b := &warmBox{id: row.ID, kind: warmKind{row.Engine, row.Image.ID, row.Network}, limits: *row.Limits, made: row.Created, usable: row.Make == s.runner.Make}
			s.pool.found(b, *row.Image, time.Now())
			return nil
		})
	})
}
