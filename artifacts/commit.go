package artifacts

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

const (
	// A group has 8 MiB, or, where transactions take longer than commitTarget, as little as 4: smaller ones cost more
	// in syncs than they spare a log that waits, since much of a slow disk's time is in the sync, not in the bytes.
	maxGroupBytes = 8 << 20
	minGroupBytes = 4 << 20
	// commitTarget is what a bulk transaction should take at most, because a live log waits for it.
	commitTarget = 60 * time.Millisecond
	// maxSmallOps bounds one shared transaction.
	maxSmallOps = 1024
)

type op struct {
	fn   func(*bolt.Tx) error
	done chan error
}

// committer is the only writer. Small operations share a transaction and go before bulk ones; after each shared
// transaction one bulk operation has its turn, so that neither lane starves.
type committer struct {
	db    *bolt.DB
	small chan *op
	bulk  chan *op
	quit  chan struct{}
	ended sync.WaitGroup
	told  func(writes int, took time.Duration)

	// groupBytes is how much a bulk operation should write, learned from how long the last ones took.
	groupBytes atomic.Int64
}

func newCommitter(db *bolt.DB, told func(writes int, took time.Duration)) *committer {
	if told == nil {
		told = func(int, time.Duration) {}
	}
	c := &committer{db: db, told: told, small: make(chan *op), bulk: make(chan *op), quit: make(chan struct{})}
	c.groupBytes.Store(maxGroupBytes)
	c.ended.Go(c.run)
	return c
}

func (c *committer) stop() {
	close(c.quit)
	c.ended.Wait()
}

// write commits fn together with other small operations. It may be run more than once, so it must set what it
// returns by reference anew each time. When write returns, fn is durable or has had no effect.
func (c *committer) write(ctx context.Context, fn func(*bolt.Tx) error) error {
	return c.submit(ctx, c.small, fn)
}

// writeBulk commits fn in a transaction of its own.
func (c *committer) writeBulk(ctx context.Context, fn func(*bolt.Tx) error) error {
	return c.submit(ctx, c.bulk, fn)
}

// submit obeys ctx until the operation is taken; from then on it waits, for the outcome must be known.
func (c *committer) submit(ctx context.Context, lane chan *op, fn func(*bolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o := &op{fn: fn, done: make(chan error, 1)}
	select {
	case lane <- o:
		return <-o.done
	case <-ctx.Done():
		return ctx.Err()
	case <-c.quit:
		return ErrClosed
	}
}

func (c *committer) run() {
	for {
		select {
		case <-c.quit:
			return
		case o := <-c.small:
			c.commitSmall(c.gather(o))
			select {
			case o := <-c.bulk:
				c.commitBulk(o)
			default:
			}
		case o := <-c.bulk:
			if first := c.poll(); first != nil {
				c.commitSmall(c.gather(first))
			}
			c.commitBulk(o)
		}
	}
}

func (c *committer) poll() *op {
	select {
	case o := <-c.small:
		return o
	default:
		return nil
	}
}

func (c *committer) gather(first *op) []*op {
	ops := []*op{first}
	for len(ops) < maxSmallOps {
		o := c.poll()
		if o == nil {
			break
		}
		ops = append(ops, o)
	}
	return ops
}

// commitSmall commits ops together. One that fails is answered, taken out, and the others are done again.
func (c *committer) commitSmall(ops []*op) {
	for len(ops) > 0 {
		failed := -1
		began := time.Now()
		err := c.update(func(tx *bolt.Tx) error {
			for i, o := range ops {
				failed = i
				if err := o.fn(tx); err != nil {
					return err
				}
			}
			failed = -1
			return nil
		})
		if err == nil {
			c.told(len(ops), time.Since(began))
		}
		if err == nil || failed < 0 {
			for _, o := range ops {
				o.done <- err
			}
			return
		}
		ops[failed].done <- err
		ops = append(ops[:failed], ops[failed+1:]...)
	}
}

func (c *committer) commitBulk(o *op) {
	began := time.Now()
	err := c.update(o.fn)
	took := time.Since(began)
	if err == nil {
		c.told(1, took)
	}
	size := c.groupBytes.Load()
	switch {
	case took > commitTarget:
		size -= 2 << 20
	case took < commitTarget/2:
		size += 1 << 20
	}
	c.groupBytes.Store(min(max(size, minGroupBytes), maxGroupBytes))
	o.done <- err
}

func (c *committer) update(fn func(*bolt.Tx) error) error {
	err := guard(func() error {
		return c.db.Update(func(tx *bolt.Tx) error {
			keepFreePages(c.db)
			return fn(tx)
		})
	})
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return diskFull(c.db.Path(), err)
}

// diskFull says what to do where err says that the disk of path is full.
func diskFull(path string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("writing %s: %w; free some space, or keep artifacts for a shorter time", path, err)
	}
	return err
}

// maxFreePages is how many free pages are written down with each commit: 32 KiB, a page of their own.
const maxFreePages = 4096

// keepFreePages lets the transaction that runs write down which pages are free, if they are few. The next start then need
// not read the whole file to find out; where much was removed, each commit would cost more than that.
func keepFreePages(db *bolt.DB) {
	stats := db.Stats()
	db.NoFreelistSync = stats.FreePageN+stats.PendingPageN > maxFreePages
}
