package server

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/client"
)

// Webhooks is what the server needs of whoever keeps the webhooks of projects at their forges.
type Webhooks interface {
	Show(project string) (client.Webhook, error)
	Connect(ctx context.Context, project string) (client.Webhook, error)
	Disconnect(ctx context.Context, project string) (client.Webhook, error)
}

func (a *api) routeProjectHooks() {
	tags := []string{"projects"}
	const path = "/api/v1/projects/{name}/webhook"
	add(a, huma.Operation{
		OperationID: "show-webhook", Method: http.MethodGet, Path: path, Tags: tags,
		Summary: "What is known of the project's webhook at its forge, and the newest delivery",
	}, a.withHooks(func(_ context.Context, h Webhooks, name string) (client.Webhook, error) { return h.Show(name) }))
	add(a, huma.Operation{
		OperationID: "connect-webhook", Method: http.MethodPost, Path: path, Tags: tags,
		Summary:     "Register the project's webhook, or bring it up to date, and try it out",
		Description: "What was done, and what was not, is in the answer. The secret is in it when somebody has to enter it by hand.",
	}, a.withHooks(func(ctx context.Context, h Webhooks, name string) (client.Webhook, error) {
		out, err := h.Connect(ctx, name)
		if err == nil {
			a.Logger.Info("webhook tried", "project", name, "state", out.State, "problem", out.Problem, "by", callerOf(ctx))
		}
		return out, err
	}))
	add(a, huma.Operation{
		OperationID: "remove-webhook", Method: http.MethodDelete, Path: path, Tags: tags,
		Summary: "Remove the webhook that the daemon registered for the project",
	}, a.withHooks(func(ctx context.Context, h Webhooks, name string) (client.Webhook, error) {
		return h.Disconnect(ctx, name)
	}))
}

// withHooks answers for a daemon that keeps no webhooks.
func (a *api) withHooks(do func(context.Context, Webhooks, string) (client.Webhook, error)) func(context.Context, *ProjectInput) (*jsonOut[client.Webhook], error) {
	return func(ctx context.Context, in *ProjectInput) (*jsonOut[client.Webhook], error) {
		if a.Webhooks == nil {
			return nil, problem(http.StatusNotFound, "this daemon keeps no webhooks", "it was started for one build")
		}
		out, err := do(ctx, a.Webhooks, in.Name)
		if err != nil {
			return nil, err
		}
		return answer(out)
	}
}
