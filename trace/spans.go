package trace

import (
	"cmp"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	otel "go.opentelemetry.io/otel/trace"

	"github.com/runner-ci/runner/scheduler"
)

// The first parts of the paths of spans that are of no job. Ids of jobs hold no blank.
const (
	partTrigger = "the trigger"
	partBuild   = "the build"
)

// maker makes the spans of one build.
type maker struct {
	instance string
	build    *scheduler.Build
	resource *resource.Resource
	spans    tracetest.SpanStubs
}

// spansOf are the spans of what is due.
func spansOf(instance string, res *resource.Resource, d *scheduler.DueTrace) []sdk.ReadOnlySpan {
	m := &maker{instance: instance, build: &d.Build, resource: res}
	if d.Job != nil {
		m.job(d.Job)
		return m.spans.Snapshots()
	}
	m.trigger(&d.Trigger)
	m.wholeBuild()
	for i := range d.Unbegun {
		m.job(&d.Unbegun[i])
	}
	return m.spans.Snapshots()
}

// path names a span by the way to it; none is the root's parent.
type path []string

// add adds a span. One that ends before it begins, as clocks may have it, ends when it begins.
func (m *maker) add(name string, parent, at path, began, ended time.Time, attributes ...attribute.KeyValue) *tracetest.SpanStub {
	if ended.Before(began) {
		ended = began
	}
	s := tracetest.SpanStub{
		Name: name, SpanContext: m.context(at), StartTime: began, EndTime: ended, SpanKind: otel.SpanKindInternal,
		Attributes: attributes, Resource: m.resource,
	}
	s.InstrumentationScope.Name = "github.com/runner-ci/runner"
	if parent != nil {
		s.Parent = m.context(parent)
	}
	m.spans = append(m.spans, s)
	return &m.spans[len(m.spans)-1]
}

func (m *maker) context(at path) otel.SpanContext {
	return otel.NewSpanContext(otel.SpanContextConfig{
		TraceID: scheduler.TraceID(m.instance, m.build.ID()), SpanID: scheduler.SpanID(m.instance, m.build.ID(), at...),
		TraceFlags: otel.FlagsSampled,
	})
}

func (m *maker) trigger(t *scheduler.Trigger) {
	b := m.build
	taken := b.Created
	if len(b.Phases) > 0 {
		taken = b.Created.Add(b.Phases[0].Took)
	}
	s := m.add("trigger "+cmp.Or(string(t.Kind), "unknown"), nil, path{partTrigger}, b.Created, taken,
		attribute.String("runner.trigger.id", b.Trigger), attribute.String("runner.trigger.kind", string(t.Kind)))
	s.SpanKind = otel.SpanKindServer
	if from, ok := parse(t.Parent); ok {
		s.Links = append(s.Links, sdk.Link{SpanContext: from})
	}
}

func (m *maker) wholeBuild() {
	b := m.build
	s := m.add("build "+b.Project, path{partTrigger}, path{partBuild}, b.Created, b.EndedAt,
		semconv.CICDPipelineName(b.Project), semconv.CICDPipelineRunID(b.ID()), semconv.CICDPipelineResultKey.String(resultOf(b.Status)),
		semconv.VCSRefHeadRevision(b.Commit), semconv.VCSRefHeadName(strings.TrimPrefix(strings.TrimPrefix(b.Ref, "refs/heads/"), "refs/tags/")))
	verdict(s, b.Status, b.Reason, b.Message)
	for _, p := range b.Phases[min(1, len(b.Phases)):] { // the first is the trigger
		m.phase(p, path{partBuild}, b.Created, b.EndedAt)
	}
}

func (m *maker) job(j *scheduler.Job) {
	began := j.Queued
	if len(j.Attempts) > 0 && (began.IsZero() || j.Attempts[0].Started.Before(began)) { // a further attempt is queued anew
		began = j.Attempts[0].Started
	}
	if began.IsZero() {
		began = j.EndedAt // it never waited
	}
	at := path{j.ID}
	s := m.add("job "+j.Name, path{partBuild}, at, began, j.EndedAt,
		semconv.CICDPipelineTaskName(j.Name), semconv.CICDPipelineTaskRunID(m.build.ID()+"/"+j.ID),
		semconv.CICDPipelineTaskRunResultKey.String(resultOf(j.Status)))
	verdict(s, j.Status, j.Reason, j.Message)
	for i := range j.Attempts {
		m.attempt(j, &j.Attempts[i])
	}
}

func (m *maker) attempt(j *scheduler.Job, a *scheduler.Attempt) {
	at := path{j.ID, strconv.Itoa(a.Number)}
	s := m.add("attempt "+strconv.Itoa(a.Number), path{j.ID}, at, a.Started, a.EndedAt,
		semconv.CICDWorkerID(a.Sandbox), semconv.CICDWorkerName(a.Engine), attribute.Bool("runner.sandbox.warm", a.Warm),
		semconv.CICDPipelineTaskRunResultKey.String(resultOf(a.Status)))
	verdict(s, a.Status, a.Reason, a.Message)
	known := make(map[string]bool)
	for _, p := range a.Phases {
		if p.Name != "COMPLETED" {
			m.phase(p, at, a.Started, a.EndedAt)
			known[p.Name] = true
		}
	}
	for _, c := range a.Commands {
		parent := at
		if known[c.Phase] {
			parent = append(append(path{}, at...), c.Phase)
		}
		began := within(c.Began, a.Started, a.EndedAt)
		s := m.add(cmp.Or(c.Text, "command"), parent,
			append(append(path{}, at...), c.Phase, strconv.Itoa(c.Index), strconv.FormatBool(c.Finally), strconv.FormatInt(c.Began.UnixNano(), 10)),
			began, within(began.Add(c.Took), began, a.EndedAt), semconv.ProcessExitCode(c.Exit))
		if c.Exit != 0 {
			s.Status.Code = codes.Error
		}
	}
}

// phase adds a phase, whose times an agent told: they lie within those of what it is part of.
func (m *maker) phase(p scheduler.Phase, parent path, from, to time.Time) {
	began := within(p.Started, from, to)
	s := m.add(p.Name, parent, append(append(path{}, parent...), p.Name), began, within(began.Add(p.Took), began, to),
		semconv.CICDPipelineActionNameKey.String("BUILD"), attribute.String("runner.phase.status", string(p.Status)))
	verdict(s, p.Status, p.Code, p.Message)
}

func within(t, from, to time.Time) time.Time {
	switch {
	case t.Before(from):
		return from
	case t.After(to):
		return to
	}
	return t
}

// verdict says how something ended.
func verdict(s *tracetest.SpanStub, status scheduler.Status, reason, message string) {
	if status == scheduler.Succeeded {
		s.Status.Code = codes.Ok
		return
	}
	s.Status.Code, s.Status.Description = codes.Error, message
	s.Attributes = append(s.Attributes, semconv.ErrorTypeKey.String(cmp.Or(reason, strings.ToLower(string(status)))))
}

// resultOf is a status in the words of the semantic conventions.
func resultOf(s scheduler.Status) string {
	switch s {
	case scheduler.Succeeded:
		return "success"
	case scheduler.Failed:
		return "failure"
	case scheduler.TimedOut:
		return "timeout"
	case scheduler.Stopped:
		return "cancellation"
	}
	return "error"
}

// parse reads a traceparent.
func parse(text string) (otel.SpanContext, bool) {
	parts := strings.Split(text, "-")
	if len(parts) != 4 || parts[0] != "00" || len(parts[3]) != 2 {
		return otel.SpanContext{}, false
	}
	trace, err := otel.TraceIDFromHex(parts[1])
	if err != nil {
		return otel.SpanContext{}, false
	}
	span, err := otel.SpanIDFromHex(parts[2])
	if err != nil {
		return otel.SpanContext{}, false
	}
	flags, err := hex.DecodeString(parts[3])
	if err != nil {
		return otel.SpanContext{}, false
	}
	return otel.NewSpanContext(otel.SpanContextConfig{TraceID: trace, SpanID: span, TraceFlags: otel.TraceFlags(flags[0]), Remote: true}), true
}
