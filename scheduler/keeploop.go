package scheduler

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner"
)

const (
	// tendEvery is how often kept sandboxes are looked at when nothing happens.
	tendEvery = 10 * time.Second
	// closeWait bounds the ending of what runs in one.
	closeWait = time.Minute
	// mostWeighed is where measuring one ends that no limit of the configuration bounds.
	mostWeighed = 1 << 40
)

// findKept brings the sandboxes into the picture that a former daemon kept. Whether people were in them is not known, and
// nobody is now.
func (s *Scheduler) findKept() error {
	return s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketSandboxes).ForEach(func(k, _ []byte) error {
			row, err := get[sandboxRow](tx, bucketSandboxes, k)
			if err == nil && row.Kept != nil {
				s.kept.add(*row)
			}
			return err
		})
	})
}

// keepLoop ends, measures and removes kept sandboxes until ctx ends.
func (s *Scheduler) keepLoop(ctx context.Context, t *activity.Task) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		t.Does("looking which kept sandboxes are to go")
		s.tendKept(ctx, time.Now())
		t.Waits(nil)
		select {
		case <-ctx.Done():
			return
		case <-s.kept.kick:
		case <-tick.C:
		}
	}
}

// tendKept looks at each of them once.
func (s *Scheduler) tendKept(ctx context.Context, now time.Time) {
	for _, b := range s.kept.of("", "") {
		if ctx.Err() != nil {
			return
		}
		switch {
		case s.isInside(b):
		case s.outlived(b, now), s.closeKept(ctx, b):
			s.dropKept(ctx, b)
		default:
			s.weighKept(ctx, b)
		}
	}
	limit := s.config().KeepFailedBytes
	count, bytes := make(map[string]int), make(map[string]int64)
	boxes := s.kept.of("", "")
	for i := len(boxes) - 1; i >= 0; i-- { // the newest first
		project, row := s.projectAndRow(boxes[i])
		count[project]++
		bytes[project] += row.Bytes
		if count[project] > maxKept || limit > 0 && bytes[project] > limit {
			s.log.Info("a kept sandbox goes, because its project has too many or too large ones", "sandbox", boxes[i].row.ID, "build", boxes[i].row.Build, "bytes", row.Bytes)
			s.dropKept(ctx, boxes[i])
		}
	}
}

func (s *Scheduler) projectAndRow(b *keptBox) (string, kept) {
	project, _, _ := ParseBuildID(b.row.Build)
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	return project, *b.row.Kept
}

func (s *Scheduler) isInside(b *keptBox) bool {
	s.kept.mu.Lock()
	defer s.kept.mu.Unlock()
	return b.inside > 0
}

// outlived tells whether a sandbox is of use to nobody any more.
func (s *Scheduler) outlived(b *keptBox, now time.Time) bool {
	project, row := s.projectAndRow(b)
	if !now.Before(row.Until) {
		return true
	}
	p, err := s.Project(project)
	if errors.Is(err, ErrNotFound) || err == nil && s.config().KeepFailedOf(&p.Project) == 0 {
		return true
	}
	_, err = s.Build(b.row.Build)
	return errors.Is(err, ErrNotFound)
}

// closeKept ends what runs in a sandbox that nobody is in. It tells whether the engine has it no more.
func (s *Scheduler) closeKept(ctx context.Context, b *keptBox) (gone bool) {
	b.turn.Lock()
	defer b.turn.Unlock()
	if b.closed || s.isInside(b) {
		return false
	}
	short, cancel := context.WithTimeout(ctx, closeWait)
	defer cancel()
	err := s.runner.Close(short, b.row.Engine, b.row.ID)
	if errors.Is(err, runner.ErrNoSandbox) {
		s.log.Info("a kept sandbox is gone from its engine", "sandbox", b.row.ID, "build", b.row.Build)
		return true
	}
	if err != nil {
		s.sayOnce("what runs in kept sandbox "+b.row.ID+" cannot be ended; trying again", err.Error())
		return false
	}
	b.closed = true
	failpoint.Pass("6/kept-closed")
	return false
}

// weighKept measures a sandbox in which nothing runs.
func (s *Scheduler) weighKept(ctx context.Context, b *keptBox) {
	if _, row := s.projectAndRow(b); row.Bytes > 0 {
		return
	}
	most := s.config().KeepFailedBytes
	if most <= 0 {
		most = mostWeighed
	}
	bytes, err := s.runner.Weigh(ctx, b.row.Engine, b.row.ID, most)
	if err == nil {
		err = s.changeKept(b, func(k *kept) { k.Bytes = max(1, bytes) })
	}
	if err != nil && ctx.Err() == nil {
		s.sayOnce("what kept sandbox "+b.row.ID+" takes of the disk cannot be measured; trying again", err.Error())
	}
}

// dropKept removes a kept sandbox that nobody is in. What fails is tried again.
func (s *Scheduler) dropKept(ctx context.Context, b *keptBox) {
	if !s.kept.leave(b) {
		return
	}
	failpoint.Pass("6/kept-leaves")
	s.destroy(ctx, b.row.Engine, b.row.ID)
	if _, err := s.sandboxRow(b.row.ID); errors.Is(err, ErrNotFound) {
		s.kept.forget(b.row.ID)
		s.hub.tell(b.row.Build)
		return
	}
	s.kept.stays(b)
}

// EvictKept removes kept sandboxes, the oldest first, until there is enough space. It returns how many went.
func (s *Scheduler) EvictKept(ctx context.Context, enough func() bool) (gone int) {
	for _, b := range s.kept.of("", "") {
		if enough() || ctx.Err() != nil {
			return gone
		}
		s.dropKept(ctx, b)
		if s.kept.get(b.row.ID) == nil {
			gone++
		}
	}
	return gone
}
