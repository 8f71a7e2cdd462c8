package metrics

import (
	"strconv"
	"time"
)

// Trigger counts a trigger whose fate is known.
func (m *Metrics) Trigger(kind, outcome string) { m.triggers.WithLabelValues(kind, outcome).Inc() }

// Build counts a build that has ended.
func (m *Metrics) Build(project, status, reason string, took time.Duration) {
	m.builds.WithLabelValues(m.projects.label(project), status, known(reason)).Inc()
	m.buildTook.WithLabelValues(status).Observe(took.Seconds())
}

// Job counts a job that has ended.
func (m *Metrics) Job(status, reason string) { m.jobs.WithLabelValues(status, known(reason)).Inc() }

// Waited notes how long a job waited for its first slot.
func (m *Metrics) Waited(d time.Duration) { m.jobWaited.Observe(d.Seconds()) }

// Attempt counts an attempt that has ended.
func (m *Metrics) Attempt(engine string, warm bool) {
	m.attempts.WithLabelValues(engine, strconv.FormatBool(warm)).Inc()
}

// Phase notes how long a phase of an attempt took.
func (m *Metrics) Phase(name string, took time.Duration) {
	m.phaseTook.WithLabelValues(name).Observe(took.Seconds())
}

// Decision notes how long the choice of the next job took.
func (m *Metrics) Decision(took time.Duration) { m.decisionTook.Observe(took.Seconds()) }

// Commit notes a transaction of a store, and how many writes shared it.
func (m *Metrics) Commit(store string, writes int, took time.Duration) {
	m.commitTook.WithLabelValues(store).Observe(took.Seconds())
	m.commitWrites.WithLabelValues(store).Observe(float64(writes))
}

// Webhook notes how a webhook was answered.
func (m *Metrics) Webhook(forge string, code int, took time.Duration) {
	m.hookTook.WithLabelValues(forge, strconv.Itoa(code)).Observe(took.Seconds())
}

// EngineCall notes a call to an engine.
func (m *Metrics) EngineCall(engine, operation string, took time.Duration, failed bool) {
	m.engineTook.WithLabelValues(engine, operation).Observe(took.Seconds())
	if failed {
		m.engineErrors.WithLabelValues(engine, operation).Inc()
	}
}

// Trace counts a part of a trace by what became of it: "exported", "failed" or "dropped".
func (m *Metrics) Trace(outcome string) { m.traces.WithLabelValues(outcome).Inc() }

// Outbox counts an item of the outbox by what became of it: "sent", "failed" or "dropped".
func (m *Metrics) Outbox(kind, outcome string) { m.outbox.WithLabelValues(kind, outcome).Inc() }

// TaskError counts an error of a long-lived task.
func (m *Metrics) TaskError(task string) { m.taskErrors.WithLabelValues(task).Inc() }
