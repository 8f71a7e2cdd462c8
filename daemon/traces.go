package daemon

import (
	"cmp"
	"context"
	"fmt"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/trace"
)

// openTraces prepares the export of traces, if it is configured, by the file or by the variables of OpenTelemetry. Without
// it, nothing is noted and nothing runs.
func (p *parts) openTraces(ctx context.Context, cfg *config.Config, version string) error {
	o := cfg.Telemetry.OTLP
	protocol, set := trace.FromEnvironment()
	if o.Endpoint == "" && !set {
		return nil
	}
	headers := make(map[string]string)
	for name, ref := range o.Headers {
		value, err := ref.Resolve()
		if err != nil {
			return fmt.Errorf("telemetry.otlp.headers.%s: %w", name, err)
		}
		headers[name] = string(value)
	}
	var err error
	p.traces, err = trace.New(ctx, p.scheduler, trace.Options{
		Endpoint: o.Endpoint, Protocol: cmp.Or(o.Protocol, protocol), Headers: headers,
		Version: version, Instance: p.scheduler.Instance(), Logger: p.log, Done: p.metrics.Trace,
	})
	if err != nil {
		return err
	}
	p.scheduler.UseTraces()
	return nil
}

// exportTraces exports until ctx ends.
func (p *parts) exportTraces(ctx context.Context) {
	if p.traces == nil {
		return
	}
	p.reading.Go(func() {
		p.tasks.Run("traces", "exports traces of builds that have ended", func(t *activity.Task) { p.traces.Run(ctx, t) })
	})
}
