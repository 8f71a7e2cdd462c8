package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is the registry of one daemon, and what is added to it. Its methods may be called from many goroutines.
type Metrics struct {
	registry *prometheus.Registry
	projects bounded
	pictures *pictures

	triggers, builds, jobs, attempts, engineErrors, traces, outbox, taskErrors *prometheus.CounterVec

	buildTook, phaseTook, hookTook, engineTook, commitTook, commitWrites *prometheus.HistogramVec
	jobWaited, decisionTook                                              prometheus.Histogram
}

var (
	// long is for what takes as long as a build does: seconds to hours.
	long = []float64{1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600, 1200, 1800, 3600, 7200}
	// short is for answers and commits: tenths of a millisecond to ten seconds.
	short = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	// phase is for phases: some end in milliseconds.
	phase = []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}
	// tiny is for what happens in memory: microseconds to tens of milliseconds.
	tiny = []float64{.00001, .00005, .0001, .0005, .001, .005, .01, .05}
)

// New makes a registry with all metrics, those of the Go runtime and of the process included.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), projects: bounded{most: MaxProjects}, pictures: &pictures{}}
	m.triggers = counters("runner_triggers_total", "Triggers by what made them and what became of them.", "kind", "outcome")
	m.builds = counters("runner_builds_total", "Builds that have ended.", "project", "status", "reason")
	m.jobs = counters("runner_jobs_total", "Jobs that have ended, those that never began included.", "status", "reason")
	m.attempts = counters("runner_attempts_total", "Attempts that have ended, by engine and by whether their sandbox was made ahead of the job.", "engine", "warm")
	m.engineErrors = counters("runner_engine_errors_total", "Calls to an engine that failed: no answer, or an answer of 500 and above.", "engine", "operation")
	m.traces = counters("runner_traces_total", "Parts of traces by what became of them: exported, failed and to be tried again, dropped.", "outcome")
	m.outbox = counters("runner_outbox_items_total", "Things that the outside had to be told, by what became of them: sent, failed and to be tried again, dropped.", "kind", "outcome")
	m.taskErrors = counters("runner_task_errors_total", "Errors of the daemon's long-lived tasks.", "task")
	m.buildTook = histograms("runner_build_duration_seconds", "From a build's trigger to its end.", long, "status")
	m.phaseTook = histograms("runner_phase_duration_seconds", "How long phases of attempts took.", phase, "phase")
	m.hookTook = histograms("runner_webhook_duration_seconds", "From a webhook's header to its answer, by the answer's status code.", short, "forge", "code")
	m.engineTook = histograms("runner_engine_call_duration_seconds", "Calls to an engine, up to the header of its answer.", short, "engine", "operation")
	m.commitTook = histograms("runner_commit_duration_seconds", "Transactions of a store that several writers share, the sync to disk included.", short, "store")
	m.commitWrites = histograms("runner_commit_writes", "Writes that shared one transaction.", []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}, "store")
	m.jobWaited = prometheus.NewHistogram(histogram("runner_job_wait_seconds", "How long jobs waited for a slot before their first attempt.", phase))
	m.decisionTook = prometheus.NewHistogram(histogram("runner_scheduling_decision_seconds", "How long choosing the next job took.", tiny))
	m.registry.MustRegister(m.triggers, m.builds, m.jobs, m.attempts, m.engineErrors, m.traces, m.outbox, m.taskErrors,
		m.buildTook, m.phaseTook, m.hookTook, m.engineTook, m.commitTook, m.commitWrites, m.jobWaited, m.decisionTook,
		m.pictures, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Identify says which daemon it is. Call it once.
func (m *Metrics) Identify(version, instance string) {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "runner_build_info", Help: "1, with the version of the daemon and its instance id.",
		ConstLabels: prometheus.Labels{"version": version, "instance_id": instance},
	})
	info.Set(1)
	m.registry.MustRegister(info)
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// histogram has classic buckets, and native ones for servers that ask for them.
func histogram(name, help string, buckets []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
	}
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(histogram(name, help, buckets), labels)
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}
