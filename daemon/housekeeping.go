package daemon

import (
	"context"
	"path"
	"time"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/config"
)

const (
	// keepEvery is how often retention is applied.
	keepEvery = 10 * time.Minute
	// watchDiskEvery is how often free space is looked at.
	watchDiskEvery = 2 * time.Second
	// prepareEvery is how often repositories are looked at for whose next commit nothing is prepared.
	prepareEvery = 20 * time.Second
	// snapshotAge is how long an unused snapshot is kept for the next build of its commit.
	snapshotAge = 7 * 24 * time.Hour
	// snapshotBytes bounds all unused snapshots; the least recently used go first.
	snapshotBytes = 20 << 30
)

// housekeeping applies retention, evicts what no build needs and repacks mirrors, until ctx ends.
func (p *parts) housekeeping(ctx context.Context, t *activity.Task, cfg func() *config.Config) {
	keep, disk := time.NewTicker(keepEvery), time.NewTicker(watchDiskEvery)
	defer keep.Stop()
	defer disk.Stop()
	for {
		t.Waits(nil)
		select {
		case <-ctx.Done():
			return
		case <-disk.C:
			t.Does("looking at the free space")
			if spend(p.layout.data) {
				p.log.Error("the disk is full: builds will fail until space is free below the data directory", "data", p.layout.data)
			}
		case <-keep.C:
			t.Does("applying retention")
			p.keep(ctx, cfg().Retention)
		}
	}
}

// prepare has the source make its copies beside the watch over the disk, which must not wait for them.
func (p *parts) prepare(ctx context.Context, t *activity.Task) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(prepareEvery):
		}
		t.Does("making copies for the next commits")
		err := p.source.Prepare(ctx)
		if ctx.Err() != nil {
			return
		}
		if t.Waits(err); err != nil {
			p.log.Warn("preparing for the next commits", "error", err)
		}
	}
}

func (p *parts) keep(ctx context.Context, r config.Retention) {
	commits, blobs := p.scheduler.Active()
	_, err := p.artifacts.Expire(ctx, artifacts.Policy{
		MaxAge: r.Age, MaxBytes: r.Bytes, Pinned: func(id string) bool { return pinned(blobs, id) },
	})
	if err != nil {
		p.log.Warn("applying retention to logs and artifacts", "error", err)
	}
	p.keepBuilds(ctx, r.Builds)
	p.keepTests(r)
	p.keepAudit(r)
	if _, err := p.artifacts.Collect(ctx); err != nil {
		p.log.Warn("collecting unreferenced chunks", "error", err)
	}
	if _, err := p.artifacts.EvictCaches(ctx, artifacts.CachePolicy{MaxBytes: r.CacheBytes, MaxAge: r.Age}); err != nil {
		p.log.Warn("evicting caches", "error", err)
	}
	err = p.source.Evict(ctx, func(commit string) bool { return commits[commit] }, snapshotAge, snapshotBytes)
	if err != nil {
		p.log.Warn("evicting snapshots", "error", err)
	}
	p.keepBuilders(ctx)
	if err := p.source.Maintain(ctx); err != nil {
		p.log.Warn("repacking mirrors", "error", err)
	}
	if err := reserve(p.layout.data); err != nil {
		p.log.Warn("no space could be set aside for a full disk", "error", err)
	}
}

// pinned tells whether a log or set is of a running build: its id, or that of the attempt whose secondary artifacts or
// reports it holds.
func pinned(blobs map[string]bool, id string) bool { return blobs[id] || blobs[path.Dir(id)] }
