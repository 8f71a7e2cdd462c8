package daemon

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/metrics"
)

const (
	// lookEvery is how often each engine is asked whether it answers.
	lookEvery = 15 * time.Second
	// measureEvery is how often sizes are measured.
	measureEvery = time.Minute
)

// observed is what was last seen of engines and of the disk.
type observed struct {
	began time.Time

	mu      sync.Mutex
	engines map[string]error
	sizes   metrics.Sizes
}

// observe asks engines and measures sizes until ctx ends, for metrics and status.
func (p *parts) observe(ctx context.Context, t *activity.Task) {
	look, measure := time.NewTicker(lookEvery), time.NewTicker(measureEvery)
	defer look.Stop()
	defer measure.Stop()
	err := errors.Join(p.lookAtEngines(ctx, t), p.measure(t))
	for {
		if ctx.Err() == nil {
			t.Waits(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			err = p.lookAtEngines(ctx, t)
		case <-measure.C:
			err = p.measure(t)
		}
	}
}

func (p *parts) lookAtEngines(ctx context.Context, t *activity.Task) error {
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(p.runner.Executors)) {
		t.Does("asking engine " + id)
		err := p.runner.Executors[id].Ping(ctx)
		if ctx.Err() != nil {
			return nil
		}
		p.metrics.EngineUp(id, err == nil)
		p.observed.mu.Lock()
		p.observed.engines[id] = err
		p.observed.mu.Unlock()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// measure measures what the stores have on the disk. What cannot be measured keeps nothing else from being so.
func (p *parts) measure(t *activity.Task) error {
	t.Does("measuring what the stores have on the disk")
	s := metrics.Sizes{Stores: make(map[string]int64)}
	var errs []error
	for name, path := range map[string]string{"state.db": p.layout.state(), "tests.db": p.layout.tests(), "secrets.db": p.layout.secrets()} {
		info, err := os.Stat(path)
		if err == nil {
			s.Stores[name] = info.Size()
		} else if !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	blobs, err := p.artifacts.Stats()
	if errs = append(errs, err); err == nil {
		s.Stores["artifacts.db"] = blobs.FileBytes
	}
	caches, err := p.artifacts.CacheTotals()
	if errs = append(errs, err); err == nil {
		s.Stores["caches"], s.Caches, s.CacheHits, s.CacheSeconds = caches.Bytes, caches.Caches, caches.Hits, caches.SavedSeconds
	}
	mirrors, snapshots, err := p.source.Sizes()
	if errs = append(errs, err); err == nil {
		s.Stores["mirrors"], s.Stores["snapshots"] = mirrors, snapshots
	}
	free, err := freeBytes(p.layout.data)
	errs = append(errs, err)
	s.Free = int64(free)
	p.metrics.Measured(s)
	p.observed.mu.Lock()
	defer p.observed.mu.Unlock()
	p.observed.sizes = s
	return errors.Join(errs...)
}

// queuePicture is what the scheduler says at a scrape.
func (p *parts) queuePicture() metrics.Queue {
	q := p.scheduler.Picture()
	warm, _ := p.scheduler.Warm()
	return metrics.Queue{
		Waiting: q.Waiting, Running: q.Running, Slots: q.Slots, Planning: q.Planning, Oldest: q.Oldest, Draining: q.Draining, Warm: warm,
		Outbox: p.scheduler.Outbox().Count(),
	}
}

// status is what the daemon does right now.
func (p *parts) status(version string) client.Status {
	q := p.scheduler.Picture()
	s := client.Status{
		Version: version, Instance: p.scheduler.Instance(), Started: p.observed.began, Seconds: time.Since(p.observed.began).Seconds(),
		Draining: q.Draining, Slots: q.Slots, Queued: q.Waiting, Planning: q.Planning, Warnings: p.warnings(),
		Running: []client.Slot{}, Engines: []client.EngineStatus{}, Tasks: []client.Task{}, Stores: []client.Store{},
	}
	s.Warm, s.NoWarm = p.scheduler.Warm()
	for _, h := range q.Holders {
		s.Running = append(s.Running, client.Slot{Build: h.Build, Job: h.Job, Since: h.Since})
	}
	slices.SortFunc(s.Running, func(a, b client.Slot) int { return a.Since.Compare(b.Since) })
	if !q.Oldest.IsZero() {
		s.Oldest = time.Since(q.Oldest).Seconds()
	}
	if q.Waiting > 0 {
		s.Why = "no project may run more jobs than run (max-jobs), or each has just failed and waits to be tried again"
	}
	if n := q.Next; n != nil {
		s.Next, s.Why = &client.Slot{Build: n.Build, Job: n.Job, Since: n.Since}, "it is about to start"
		switch {
		case q.Draining:
			s.Why = "the daemon drains and starts no job; runner drain --off ends that"
		case q.Running >= q.Slots:
			s.Why = "every slot is in use"
		}
	}
	s.Outbox = p.outboxStatus()
	for _, t := range p.tasks.States() {
		s.Tasks = append(s.Tasks, client.Task{
			Name: t.Name, About: t.About, Many: t.Many, Count: t.Count, Doing: t.Doing, Since: t.Since, Beats: t.Beats, Error: t.Error, At: t.At,
		})
	}
	p.observed.mu.Lock()
	defer p.observed.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(p.runner.Executors)) {
		err, asked := p.observed.engines[id]
		e := client.EngineStatus{ID: id, Up: asked && err == nil}
		if err != nil {
			e.Error = err.Error()
		} else if !asked {
			e.Error = "it was not asked yet"
		}
		s.Engines = append(s.Engines, e)
	}
	for _, name := range slices.Sorted(maps.Keys(p.observed.sizes.Stores)) {
		s.Stores = append(s.Stores, client.Store{Name: name, Bytes: p.observed.sizes.Stores[name]})
	}
	if free, err := freeBytes(p.layout.data); err == nil {
		s.Free = int64(free)
	}
	return s
}
