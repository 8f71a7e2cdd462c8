package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/runner/wire"
)

// liveLog writes the daemon's own work into a job's log behind the agent's last frame, while it is done. Each piece that is
// made durable counts as a frame, so that a daemon which takes the work up writes on behind it. It has the recorder for
// itself until close.
type liveLog struct {
	ctx context.Context
	rec *recorder

	mu    sync.Mutex
	dirty bool
	err   error
	end   chan struct{}
	over  sync.WaitGroup
}

func newLiveLog(ctx context.Context, rec *recorder) *liveLog {
	l := &liveLog{ctx: context.WithoutCancel(ctx), rec: rec, end: make(chan struct{})}
	rec.closed = false
	l.over.Go(func() {
		tick := time.NewTicker(flushEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.locked(l.flush)
			case <-l.end:
				return
			}
		}
	})
	return l
}

func (l *liveLog) locked(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// Write takes output, which is masked as a job's is. It fails once the log cannot be stored.
func (l *liveLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rec.print(l.rec.mask.output(p))
	if l.dirty = true; len(l.rec.out) >= flushBytes {
		l.flush()
	}
	return len(p), l.err
}

// say writes a line of ours.
func (l *liveLog) say(format string, args ...any) {
	l.locked(func() {
		l.rec.print(l.rec.mask.rest())
		l.rec.print(ownLine(l.rec.mask.masker.String(fmt.Sprintf(format, args...))))
		l.dirty = true
	})
}

// phase tells of a phase of ours.
func (l *liveLog) phase(p wire.PhaseEnded) {
	l.locked(func() {
		if p.Status == "" {
			p.Offset = l.rec.bytes
		}
		l.rec.provisioning(p)
		l.dirty = true
		l.flush()
	})
}

// sync makes durable what was written.
func (l *liveLog) sync() { l.locked(l.flush) }

// flush makes durable what was written. A log that is sealed was written to its end by a former daemon.
func (l *liveLog) flush() {
	if !l.dirty {
		return
	}
	l.dirty = false
	l.rec.frame++
	if err := l.rec.flush(l.ctx); err != nil && !errors.Is(err, artifacts.ErrSealed) {
		l.err = err
	}
}

// close makes the rest durable and gives the recorder back.
func (l *liveLog) close() error {
	close(l.end)
	l.over.Wait()
	l.locked(func() {
		l.rec.print(l.rec.mask.rest())
		l.dirty = true
		l.flush()
	})
	return l.err
}
