package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Queue is what the scheduler says at a scrape.
type Queue struct {
	Waiting, Running, Slots, Planning int
	Oldest                            time.Time // since when the job waits that waits longest; zero: none does
	Draining                          bool
	Warm                              int // sandboxes that wait for a job
	Outbox                            int // items that the outside has yet to be told
}

// Sizes is what is measured beside the scrapes, once a minute: for some of it rows are read.
type Sizes struct {
	Stores map[string]int64 // bytes by store
	Free   int64            // bytes that the disk of the data directory has left

	Caches       int     // that are kept
	CacheHits    int64   // of those
	CacheSeconds float64 // that those saved
}

// pictures asks for the gauges at each scrape.
type pictures struct {
	mu      sync.Mutex
	queue   func() Queue
	sizes   *Sizes
	engines map[string]bool // whether each answered when it was last asked
}

// UseQueue sets how the scheduler is asked.
func (m *Metrics) UseQueue(ask func() Queue) {
	m.pictures.mu.Lock()
	defer m.pictures.mu.Unlock()
	m.pictures.queue = ask
}

// Measured notes sizes for the scrapes that follow.
func (m *Metrics) Measured(s Sizes) {
	m.pictures.mu.Lock()
	defer m.pictures.mu.Unlock()
	m.pictures.sizes = &s
}

// EngineUp notes whether an engine answers.
func (m *Metrics) EngineUp(engine string, up bool) {
	m.pictures.mu.Lock()
	defer m.pictures.mu.Unlock()
	if m.pictures.engines == nil {
		m.pictures.engines = make(map[string]bool)
	}
	m.pictures.engines[engine] = up
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	descWaiting  = desc("runner_queue_jobs", "Jobs that wait for a slot.")
	descAge      = desc("runner_queue_oldest_age_seconds", "How long the job waits that waits longest; 0 when none does.")
	descSlots    = desc("runner_slots", "Jobs that may run at once.")
	descUsed     = desc("runner_slots_used", "Jobs that hold a slot.")
	descPlanning = desc("runner_planning_builds", "Builds that are fetched and planned, or wait for it.")
	descDraining = desc("runner_draining", "1 while the daemon drains and starts no job.")
	descWarm     = desc("runner_warm_sandboxes", "Sandboxes that wait for a job.")
	descOutbox   = desc("runner_outbox_waiting", "Things that the outside has yet to be told.")
	descEngine   = desc("runner_engine_up", "1 where the engine answered when it was last asked.", "engine")
	descStore    = desc("runner_store_size_bytes", "What a store has on the disk.", "store")
	descFree     = desc("runner_disk_free_bytes", "What the disk of the data directory has left.")
	descCaches   = desc("runner_caches", "Caches that are kept.")
	descHits     = desc("runner_cache_hits", "How often the caches that are kept were given to a job.")
	descSaved    = desc("runner_cache_saved_seconds", "What the caches that are kept have saved, restoring and saving them subtracted.")
)

// Describe is of prometheus.Collector.
func (p *pictures) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descWaiting, descAge, descSlots, descUsed, descPlanning, descDraining, descWarm, descOutbox, descEngine, descStore, descFree,
		descCaches, descHits, descSaved,
	} {
		out <- d
	}
}

// Collect is of prometheus.Collector. What is not known yet is left out.
func (p *pictures) Collect(out chan<- prometheus.Metric) {
	p.mu.Lock()
	defer p.mu.Unlock()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if p.queue != nil {
		q := p.queue()
		age := 0.0
		if !q.Oldest.IsZero() {
			age = max(0, time.Since(q.Oldest).Seconds())
		}
		gauge(descWaiting, float64(q.Waiting))
		gauge(descAge, age)
		gauge(descSlots, float64(q.Slots))
		gauge(descUsed, float64(q.Running))
		gauge(descPlanning, float64(q.Planning))
		gauge(descDraining, number(q.Draining))
		gauge(descWarm, float64(q.Warm))
		gauge(descOutbox, float64(q.Outbox))
	}
	for engine, up := range p.engines {
		gauge(descEngine, number(up), engine)
	}
	if s := p.sizes; s != nil {
		for store, n := range s.Stores {
			gauge(descStore, float64(n), store)
		}
		gauge(descFree, float64(s.Free))
		gauge(descCaches, float64(s.Caches))
		gauge(descHits, float64(s.CacheHits))
		gauge(descSaved, s.CacheSeconds)
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
