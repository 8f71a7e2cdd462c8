package scheduler

import (
	"context"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
)

// wantOf is the sandbox made ahead that would do for a job; nil: it needs one that is made for it alone.
func (s *Scheduler) wantOf(ctx context.Context, p *Project, b *Build, pj *buildspec.Job, engine string) *want {
	image := b.Images[pj.Image]
	if image.ID == "" || pj.Privileged || len(pj.Services) > 0 || s.runner == nil {
		return nil
	}
	return &want{
		kind: warmKind{engine, image.ID, s.networkOf(p, b, pj)}, image: image, limits: s.limitsFor(ctx, s.limitsOf(p), pj, engine),
	}
}

// wantOfEntry is wantOf for a job whose build is stored.
func (s *Scheduler) wantOfEntry(ctx context.Context, p *Project, e *entry, key []byte, engine string) (*want, error) {
	var b *Build
	err := s.db.View(func(tx *bbolt.Tx) (err error) {
		b, err = s.load(tx, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	pj, err := planJob(b, e.job)
	if err != nil {
		return nil, err
	}
	return s.wantOf(ctx, p, b, pj, engine), nil
}

// holding is what a job holds besides its slot, as the pool counts it.
type holding struct {
	s       *Scheduler
	want    *want // nil: nothing that could have been made ahead
	box     *warmBox
	started sync.Once
}

// hold takes a sandbox that waits, where there is one that fits.
func (s *Scheduler) hold(w *want) *holding {
	h := &holding{s: s, want: w}
	if w != nil {
		h.box = s.pool.take(*w, time.Now())
	}
	return h
}

// holds counts a job that a former daemon leased: that it runs is what is known of the demand.
func (s *Scheduler) holds(ctx context.Context, l leased) *holding {
	p, err := s.Project(l.build.Project)
	if err != nil {
		return nil
	}
	pj, err := planJob(l.build, l.job.ID)
	if err != nil {
		return nil
	}
	h := &holding{s: s, want: s.wantOf(ctx, &p, l.build, pj, l.attempt.Engine)}
	if h.want != nil {
		s.pool.began(*h.want, time.Now())
	}
	h.started.Do(func() {})
	return h
}

// leased follows a lease's commit: the sandbox is the attempt's, and kept from the reaper by that; or one is to be made.
func (h *holding) leased() {
	if h.box != nil {
		h.s.take(h.box.id, true)
		h.s.pool.gave(h.box)
		h.started.Do(func() {})
		return
	}
	h.s.pool.count(1, 0)
}

// giveBack undoes hold where there came no lease of it.
func (h *holding) giveBack() {
	if h.box != nil {
		h.s.pool.keep(h.box)
	}
	h.ended()
}

// begun notes that the sandbox is made.
func (h *holding) begun() {
	if h != nil {
		h.started.Do(func() { h.s.pool.count(-1, 0) })
	}
}

// ended notes that the job holds nothing any more.
func (h *holding) ended() {
	if h != nil && h.want != nil {
		h.s.pool.ended(h.want.kind, time.Now())
	}
}
