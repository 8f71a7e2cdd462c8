package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/internal/failpoint"
)

const (
	// atOnce is how many lanes are sent to at once: one that lets each of its items run into sendTimeout takes one place.
	atOnce = 8
	// sendTimeout bounds one try at one item.
	sendTimeout = 30 * time.Second
	// firstPause lies before the second try of an item; it doubles up to mostPause, so that what waits is told within
	// minutes of a receiver's coming back.
	firstPause = 2 * time.Second
	mostPause  = 5 * time.Minute
	// laneMost bounds the pause of a whole lane, after which the next of its items is tried.
	laneMost = time.Minute
	// mostAsked bounds the pause that a receiver asks for.
	mostAsked = time.Hour
	// notePause lies after the state could not be read or written.
	notePause = time.Second
)

// Run sends what waits until ctx ends, and returns when nothing is being sent any more.
func (b *Box) Run(ctx context.Context, tasks *activity.Registry) {
	tasks.Run("outbox", "tells forges and others what has become of builds", func(t *activity.Task) { b.run(ctx, tasks, t) })
}

func (b *Box) run(ctx context.Context, tasks *activity.Registry, t *activity.Task) {
	var sending sync.WaitGroup
	defer sending.Wait()
	places := make(chan struct{}, atOnce)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return
		case places <- struct{}{}:
		}
		lane, seq, at := b.take()
		if seq == 0 {
			<-places
			t.Waits(nil)
			b.wait(ctx, at)
			continue
		}
		t.Does("sending to " + lane)
		sending.Go(func() {
			tasks.Many("outbox senders", "sends one item of the outbox", func(t *activity.Task) {
				t.Does("sending to " + lane)
				t.Waits(b.send(ctx, lane, seq))
			})
			<-places
			b.wake()
		})
	}
}

func (b *Box) take() (lane string, seq uint64, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lanes.take(time.Now())
}

// wait waits until something may be due.
func (b *Box) wait(ctx context.Context, at time.Time) {
	var due <-chan time.Time
	if !at.IsZero() {
		timer := time.NewTimer(time.Until(at))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-b.kick:
	case <-due:
	}
}

// send tries one item, notes what became of it, and lets its lane go on.
func (b *Box) send(ctx context.Context, lane string, seq uint64) (err error) {
	failed, until := false, time.Time{}
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.lanes.free(lane, failed, until)
	}()
	r, err := b.read(seq)
	if err != nil {
		failed, until = true, time.Now().Add(notePause)
		return err
	}
	if r == nil { // it was replaced or dropped
		b.forget(lane, seq)
		return nil
	}
	short, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	err = b.call(short, r.Item)
	if err != nil && ctx.Err() != nil {
		return nil // the next start sends it; if it was sent even so, once more
	}
	failpoint.Pass("6/item-sent")
	pause := time.Duration(0)
	if err != nil {
		pause = b.pauseOf(r, err)
		failed, until = b.laneWaits(lane, err, pause)
	}
	if noting := b.note(seq, r, err, pause); noting != nil {
		failed, until = true, time.Now().Add(notePause)
		b.o.Logger.Error("noting what became of an item of the outbox; it is sent again", "kind", r.Kind, "key", r.Key, "error", noting)
		return noting
	}
	if waitsAlone(err) {
		return nil
	}
	return err
}

func (b *Box) read(seq uint64) (r *row, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		r, err = readRow(tx, seq)
		return err
	})
	return r, err
}

func (b *Box) forget(lane string, seq uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lanes.remove(lane, seq)
}

// call has the item's sender send it. A sender that panics has failed.
func (b *Box) call(ctx context.Context, it Item) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("sending it failed in a way that nobody foresaw: %v", p)
		}
	}()
	b.mu.Lock()
	send := b.senders[it.Kind]
	b.mu.Unlock()
	if send == nil {
		return fmt.Errorf("nobody here sends items of the kind %s; a newer release may", it.Kind)
	}
	return send(ctx, it)
}

// pauseOf is how long an item waits for its next try.
func (b *Box) pauseOf(r *row, err error) time.Duration {
	var later *Later
	if errors.As(err, &later) && later.After > 0 {
		return min(later.After, mostAsked)
	}
	return grown(b.o.Pause, r.Tries, mostPause)
}

// laneWaits is how long the whole lane waits: a receiver that does not answer one item will not answer the next. One
// that refuses an item, or a sender that is not ready for its own reasons, says nothing about the others.
func (b *Box) laneWaits(lane string, err error, pause time.Duration) (failed bool, until time.Time) {
	if isRefused(err) || waitsAlone(err) {
		return false, time.Time{}
	}
	if later := (*Later)(nil); errors.As(err, &later) && later.After > 0 {
		return true, time.Now().Add(pause)
	}
	b.mu.Lock()
	failures := b.lanes.failuresOf(lane)
	b.mu.Unlock()
	return true, time.Now().Add(grown(b.o.Pause, failures, laneMost))
}

// grown is a pause that doubles with each failure, and is up to a quarter longer, so that what failed together does not
// come back together.
func grown(first time.Duration, failures int, most time.Duration) time.Duration {
	d := most
	if failures < 20 {
		d = min(first<<failures, most)
	}
	return d + rand.N(d/4+1)
}
