package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/scheduler"
)

// The protocols of OTLP that there are.
const (
	HTTP = "http/protobuf"
	GRPC = "grpc"
)

// Options say where traces go. What is empty is taken from OTEL_EXPORTER_OTLP_* or its default.
type Options struct {
	Endpoint string // http(s)://host:port; with HTTP, /v1/traces is added to one without a path
	Protocol string // HTTP (default) or GRPC
	Headers  map[string]string

	Version, Instance string
	Logger            *slog.Logger
	Done              func(outcome string) // counts parts: "exported", "failed", "dropped"
}

// Queue is what of the scheduler an Exporter needs.
type Queue interface {
	NextTrace() (*scheduler.DueTrace, error)
	TraceDone(*scheduler.DueTrace) error
	TracesKick() <-chan struct{}
}

// Exporter brings what is due to a collector.
type Exporter struct {
	o        Options
	to       sdk.SpanExporter
	resource *resource.Resource
	queue    Queue
	pause    time.Duration // after the first failure
}

const (
	// exportTimeout bounds one request to the collector.
	exportTimeout = 10 * time.Second
	// exportPause lies after a failure; it doubles up to exportPauseMost.
	exportPause     = 2 * time.Second
	exportPauseMost = 5 * time.Minute
	// exportTries is how often one part is tried: with these pauses for about half an hour. Then it is dropped, so that one
	// that a collector refuses does not hold up all others.
	exportTries = 14
	// spansAtOnce bounds one request.
	spansAtOnce = 500
	// idleLook is how often the queue is looked at when nothing is said of it.
	idleLook = time.Minute
)

// New makes an exporter. It talks to nobody yet.
func New(ctx context.Context, q Queue, o Options) (*Exporter, error) {
	var err error
	e := &Exporter{o: o, queue: q, pause: exportPause}
	if o.Protocol == GRPC {
		e.to, err = overGRPC(ctx, o)
	} else {
		e.to, err = overHTTP(ctx, o)
	}
	if err != nil {
		return nil, fmt.Errorf("preparing to export traces: %w", err)
	}
	e.resource, err = resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("runner"), semconv.ServiceVersion(o.Version), semconv.ServiceInstanceID(o.Instance)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("reading OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	return e, nil
}

func overHTTP(ctx context.Context, o Options) (sdk.SpanExporter, error) {
	opts := []otlptracehttp.Option{
		otlptracehttp.WithTimeout(exportTimeout), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}), otlptracehttp.WithCompression(otlptracehttp.GzipCompression),
	}
	if o.Endpoint != "" {
		opts = append(opts, otlptracehttp.WithEndpointURL(tracesURL(o.Endpoint)))
	}
	if len(o.Headers) > 0 {
		opts = append(opts, otlptracehttp.WithHeaders(o.Headers))
	}
	return otlptrace.New(ctx, otlptracehttp.NewClient(opts...))
}

func overGRPC(ctx context.Context, o Options) (sdk.SpanExporter, error) {
	opts := []otlptracegrpc.Option{
		otlptracegrpc.WithTimeout(exportTimeout), otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{}),
	}
	if o.Endpoint != "" {
		opts = append(opts, otlptracegrpc.WithEndpointURL(o.Endpoint))
	}
	if len(o.Headers) > 0 {
		opts = append(opts, otlptracegrpc.WithHeaders(o.Headers))
	}
	return otlptrace.New(ctx, otlptracegrpc.NewClient(opts...))
}

// Run exports what is due until ctx ends. Nothing here fails or delays a build.
func (e *Exporter) Run(ctx context.Context, t *activity.Task) {
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = e.to.Shutdown(closing)
	}()
	for tries := 0; ctx.Err() == nil; {
		d, err := e.queue.NextTrace()
		if d != nil && err == nil {
			t.Does("exporting " + d.Build.ID())
			if err = e.export(ctx, d); err == nil {
				failpoint.Pass("6/trace-exported")
			}
		}
		if ctx.Err() != nil {
			return
		}
		t.Waits(err)
		if wait := e.settle(d, err, &tries); wait > 0 {
			e.wait(ctx, wait, err == nil)
		}
	}
}

// settle says what became of a part, and returns how long to wait before the next.
func (e *Exporter) settle(d *scheduler.DueTrace, err error, tries *int) time.Duration {
	gone := errors.Is(err, scheduler.ErrNotFound)
	switch {
	case d == nil && err == nil:
		return idleLook
	case d != nil && (err == nil || gone || *tries+1 >= exportTries):
		outcome := "exported"
		if err != nil {
			outcome = "dropped"
			e.o.Logger.Warn("a part of a trace is dropped", "build", d.Build.ID(), "error", err)
		}
		*tries = 0
		if err := e.queue.TraceDone(d); err != nil {
			e.o.Logger.Error("noting that a part of a trace was exported; it is exported again", "error", err)
			return e.pause
		}
		e.o.Done(outcome)
		return 0
	}
	e.o.Done("failed")
	if *tries == 0 {
		e.o.Logger.Warn("traces cannot be exported; builds are not touched by it, and it is tried again", "error", err)
	}
	*tries++
	return min(e.pause<<(*tries-1), exportPauseMost)
}

func (e *Exporter) export(ctx context.Context, d *scheduler.DueTrace) error {
	for some := range slices.Chunk(spansOf(e.o.Instance, e.resource, d), spansAtOnce) {
		short, cancel := context.WithTimeout(ctx, exportTimeout)
		err := e.to.ExportSpans(short, some)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// wait waits for a time or, when nothing has failed, for more to export.
func (e *Exporter) wait(ctx context.Context, d time.Duration, kicked bool) {
	var kick <-chan struct{}
	if kicked {
		kick = e.queue.TracesKick()
	}
	select {
	case <-ctx.Done():
	case <-kick:
	case <-time.After(d):
	}
}
