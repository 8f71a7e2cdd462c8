package server

import (
	"context"
	_ "embed"
	"html/template"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/runner-ci/runner/client"
)

// Meter is told how webhooks were answered.
type Meter interface {
	Webhook(forge string, code int, took time.Duration)
}

// noMeter counts nothing.
type noMeter struct{}

func (noMeter) Webhook(string, int, time.Duration) {}

// routeStatus adds what tells an admin what the daemon does right now, and Prometheus what it did.
func (a *api) routeStatus() {
	add(a, huma.Operation{
		OperationID: "status", Method: http.MethodGet, Path: "/api/v1/status", Tags: []string{"daemon"},
		Summary: "What the daemon does right now: slots, queue, engines, space and every long-lived goroutine",
	}, func(ctx context.Context, _ *struct{}) (*jsonOut[client.Status], error) { return answer(a.Status(ctx)) })
	add(a, huma.Operation{
		OperationID: "status-page", Method: http.MethodGet, Path: "/status", Tags: []string{"daemon"},
		Summary: "The same as a plain page",
	}, func(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
		s := a.Status(ctx)
		return &huma.StreamResponse{Body: func(hctx huma.Context) {
			_, w := humago.Unwrap(hctx)
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
			if err := statusPage.Execute(w, s); err != nil {
				a.Logger.Debug("writing the status page", "error", err)
			}
		}}, nil
	})
	add(a, huma.Operation{
		OperationID: "metrics", Method: http.MethodGet, Path: "/metrics", Tags: []string{"daemon"},
		Summary: "What the daemon counts and measures, in the format of Prometheus",
	}, func(context.Context, *struct{}) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(hctx huma.Context) {
			r, w := humago.Unwrap(hctx)
			a.Metrics.ServeHTTP(w, r)
		}}, nil
	})
}

//go:embed status.html
var statusHTML string

var statusPage = template.Must(template.New("status").Funcs(pageFuncs).Parse(statusHTML))

var pageFuncs = template.FuncMap{
	"ago": func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return time.Since(t).Round(time.Second).String()
	},
	"seconds": func(s float64) string { return (time.Duration(s) * time.Second).String() },
	"mib":     func(n int64) int64 { return n >> 20 },
	"took": func(s float64) string {
		return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond).String()
	},
}
