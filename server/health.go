package server

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
)

type health struct {
	Status string `json:"status" example:"ok"`
}

// routeHealth adds what a supervisor or load balancer asks. Neither says anything that a stranger may not know.
func (a *api) routeHealth() {
	addPublic(a, huma.Operation{
		OperationID: "healthz", Method: http.MethodGet, Path: "/healthz", Tags: []string{"health"},
		Summary: "Whether the process lives",
	}, func(context.Context, *struct{}) (*jsonOut[health], error) { return answer(health{"ok"}) })

	addPublic(a, huma.Operation{
		OperationID: "readyz", Method: http.MethodGet, Path: "/readyz", Tags: []string{"health"},
		Summary: "Whether the state is open and an engine answers", Errors: []int{http.StatusServiceUnavailable},
	}, func(ctx context.Context, _ *struct{}) (*jsonOut[health], error) {
		if err := a.readiness.ask(ctx, a.Ready); err != nil {
			a.Logger.Warn("not ready", "error", err)
			return nil, problem(http.StatusServiceUnavailable, "the daemon is not ready", "its log says why")
		}
		return answer(health{"ok"})
	})
}

// readiness remembers whether the daemon is ready for a second. Anyone may ask without a token, and asking costs the
// engines something.
type readiness struct {
	mu    sync.Mutex
	asked time.Time
	err   error
}

// readyTimeout bounds how long an engine may take to answer: one that hangs is one that does not.
const readyTimeout = 5 * time.Second

func (r *readiness) ask(ctx context.Context, ready func(context.Context) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.asked) > time.Second {
		// Whoever asked first may be gone before the answer, which the others wait for.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
		defer cancel()
		r.err = ready(ctx)
		r.asked = time.Now()
	}
	return r.err
}

type drainIn struct {
	Body struct {
		On bool `json:"on" doc:"true: start no new job; false: start jobs again"`
	}
}

// routeDaemon adds what concerns the daemon as a whole.
func (a *api) routeDaemon() {
	add(a, huma.Operation{
		OperationID: "daemon", Method: http.MethodGet, Path: "/api/v1/daemon", Tags: []string{"daemon"},
		Summary: "What the daemon says of itself",
	}, func(ctx context.Context, _ *struct{}) (*jsonOut[client.Daemon], error) {
		d := a.daemon()
		if !caller(ctx).grants.May(access.Read, access.Everything) {
			d.Warnings, d.Engines = nil, nil // they are about more than its projects
		}
		return answer(d)
	})

	add(a, huma.Operation{
		OperationID: "drain", Method: http.MethodPut, Path: "/api/v1/daemon/drain", Tags: []string{"daemon"},
		Summary: "Start no new job, or start jobs again. Jobs that run go on",
	}, func(ctx context.Context, in *drainIn) (*jsonOut[client.Daemon], error) {
		a.Scheduler.Drain(in.Body.On)
		a.Logger.Info("drain", "on", in.Body.On, "by", callerOf(ctx))
		return answer(a.daemon())
	})
}

func (a *api) daemon() client.Daemon {
	warm, why := a.Scheduler.Warm()
	return client.Daemon{
		Warm: warm, NoWarm: why,
		Version: a.Version, Instance: a.Instance, Slots: a.Slots(), Engines: a.Engines,
		Draining: a.Scheduler.Draining(), Running: a.Scheduler.Running(), Queued: a.Scheduler.Queued(), Warnings: a.Warnings(),
	}
}
