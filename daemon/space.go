package daemon

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner/docker"
)

const (
	// evictEvery is how often eviction is tried while there is too little space. What can go went the first time.
	evictEvery = 30 * time.Second
	// mirrorIdle is how long nothing must have been fetched into a mirror before it goes for lack of space: cloning anew
	// is dear, and most repositories are built each week.
	mirrorIdle = 7 * 24 * time.Hour
	// imageIdle is how long an image must not have been used.
	imageIdle = time.Hour
	// scarceFiles is the part of all files that a disk can have below which it counts as full: one in so many.
	scarceFiles = 64
)

// disk is a file system whose space is watched.
type disk struct {
	path string // a directory on it, as an admin knows it
	id   uint64 // of the device
}

// disks are the file systems of the data directory and of the engines on this machine, each once.
func (p *parts) disks(ctx context.Context) []disk {
	paths := []string{p.layout.data}
	for _, id := range slices.Sorted(maps.Keys(p.runner.Executors)) {
		if engine, ok := p.runner.Executors[id].(*docker.Engine); ok {
			if root := engine.Root(ctx); root != "" {
				paths = append(paths, root)
			}
		}
	}
	var all []disk
	for _, path := range paths {
		var st unix.Stat_t
		if unix.Stat(path, &st) != nil {
			continue
		}
		d := disk{path, uint64(st.Dev)}
		if !slices.ContainsFunc(all, func(o disk) bool { return o.id == d.id }) {
			all = append(all, d)
		}
	}
	return all
}

// short tells why a disk has too little space, "" if it has enough.
func (d disk) short(space config.Space) string {
	var st unix.Statfs_t
	if unix.Statfs(d.path, &st) != nil {
		return ""
	}
	floor, err := space.Bytes(int64(st.Blocks) * int64(st.Bsize))
	if err != nil || floor == 0 {
		return ""
	}
	free := int64(st.Bavail) * int64(st.Bsize)
	switch {
	case free < floor:
		return fmt.Sprintf("waiting for space: %s free, floor %s on %s", gib(free), gib(floor), d.path)
	case st.Files > 0 && uint64(st.Ffree) < uint64(st.Files)/scarceFiles:
		return fmt.Sprintf("waiting for space: only %d more files can be made on %s (df -i)", st.Ffree, d.path)
	}
	return ""
}

func gib(n int64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// spaceWatch keeps the disks above their floor, and tells why no job may start while one is not.
type spaceWatch struct {
	why   atomic.Pointer[string]
	tried time.Time // when eviction was last tried
}

// reason is what jobs wait for; "" is nothing.
func (w *spaceWatch) reason() string {
	if why := w.why.Load(); why != nil {
		return *why
	}
	return ""
}

// watchSpace looks at the disks until ctx ends. Jobs wait from the moment that one is below its floor, also while what
// can be had again is being removed from it.
func (p *parts) watchSpace(ctx context.Context, t *activity.Task, cfg func() *config.Config) {
	tick := time.NewTicker(watchDiskEvery)
	defer tick.Stop()
	for {
		t.Does("looking at the disks")
		p.lookAtSpace(ctx, cfg())
		t.Waits(nil)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// firstLook is for what a start takes up: it asks no engine, which may be down.
func (p *parts) firstLook(cfg *config.Config) {
	why := disk{path: p.layout.data}.short(cfg.Space)
	p.space.why.Store(&why)
}

func (p *parts) lookAtSpace(ctx context.Context, cfg *config.Config) {
	disks := p.disks(ctx)
	why := shortest(disks, cfg.Space)
	was := p.space.reason()
	p.space.why.Store(&why)
	if why != "" && time.Since(p.space.tried) >= evictEvery {
		p.log.Info("a disk is below its floor: removing what can be had again", "reason", why)
		for _, d := range disks {
			if d.short(cfg.Space) != "" {
				p.makeRoom(ctx, d, cfg)
			}
		}
		p.space.tried = time.Now()
		why = shortest(disks, cfg.Space)
		p.space.why.Store(&why)
	}
	switch {
	case why != "" && was == "":
		p.log.Warn("no job starts until there is space; free some, add a disk, or lower space.floor", "reason", why)
	case why == "" && was != "":
		p.log.Info("there is space again; jobs start")
	}
}

// shortest is the first reason of the disks.
func shortest(disks []disk, space config.Space) string {
	for _, d := range disks {
		if why := d.short(space); why != "" {
			return why
		}
	}
	return ""
}

// makeRoom removes from a disk what can be had again, until it is above its floor: what cost the least to make goes first.
// Before that go sandboxes of failed jobs.
// Sandboxes that only wait for a job go by themselves (room). Logs and artifacts are not touched: they go by retention alone.
func (p *parts) makeRoom(ctx context.Context, d disk, cfg *config.Config) {
	enough := func() bool { return d.short(cfg.Space) == "" }
	if gone := p.scheduler.EvictKept(ctx, enough); gone > 0 {
		p.log.Info("removed sandboxes of failed jobs that were kept for runner shell", "sandboxes", gone)
	}
	var st unix.Stat_t
	if unix.Stat(p.layout.data, &st) == nil && uint64(st.Dev) == d.id {
		p.makeDataRoom(ctx, d, cfg, enough)
	}
	for _, id := range slices.Sorted(maps.Keys(p.runner.Executors)) {
		engine, ok := p.runner.Executors[id].(*docker.Engine)
		if !ok || enough() {
			continue
		}
		root := engine.Root(ctx)
		if root == "" || unix.Stat(root, &st) != nil || uint64(st.Dev) != d.id {
			continue
		}
		if p.evictBuilders(ctx, id, engine, builderIdle, enough); enough() {
			continue
		}
		needed := p.scheduler.ActiveImages()
		gone, err := engine.EvictImages(ctx, imageIdle, func(id string) bool { return needed[id] }, enough)
		if len(gone) > 0 {
			p.log.Info("removed images that this daemon had pulled", "engine", id, "images", gone)
		}
		if err != nil {
			p.log.Warn("removing unused images", "engine", id, "error", err)
		}
	}
}

// makeDataRoom removes snapshots, then caches, then mirrors from the disk of the data directory.
func (p *parts) makeDataRoom(ctx context.Context, d disk, cfg *config.Config, enough func() bool) {
	commits, _ := p.scheduler.Active()
	keep := func(commit string) bool { return commits[commit] }
	if err := p.source.DropSnapshots(ctx, keep, enough); err != nil {
		p.log.Warn("evicting snapshots", "error", err)
	}
	if !enough() {
		floor := int64(0)
		var st unix.Statfs_t
		if unix.Statfs(d.path, &st) == nil {
			floor, _ = cfg.Space.Bytes(int64(st.Blocks) * int64(st.Bsize)) // checked with the configuration
		}
		gone, err := p.artifacts.EvictCaches(ctx, artifacts.CachePolicy{Floor: floor})
		if err != nil {
			p.log.Warn("evicting caches", "error", err)
		}
		if gone.Caches > 0 {
			p.log.Info("removed caches that are worth the least", "caches", gone.Caches, "bytes", gone.Bytes)
		}
	}
	if err := p.source.DropMirrors(ctx, mirrorIdle, enough); err != nil {
		p.log.Warn("evicting mirrors", "error", err)
	}
}
