package server

import (
	"context"
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
		OperationID: "metrics", Method: http.MethodGet, Path: "/metrics", Tags: []string{"daemon"},
		Summary: "What the daemon counts and measures, in the format of Prometheus",
	}, func(context.Context, *struct{}) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(hctx huma.Context) {
			r, w := humago.Unwrap(hctx)
			a.Metrics.ServeHTTP(w, r)
		}}, nil
	})
}
