package server

import (
	"context"
	"net/http"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

// start takes a manual build in. What its parameters lack is said at once, and nothing is stored.
func (a *api) start(ctx context.Context, in *startIn) (*jsonOut[client.Trigger], error) {
	s := in.Body
	if s.Project == "" {
		return nil, problem(http.StatusUnprocessableEntity, "the request names no project", "GET /api/v1/projects lists them")
	}
	if err := badCommit(s.Commit); err != nil {
		return nil, err
	}
	ref, err := fullRef(s.Ref)
	if err != nil {
		return nil, err
	}
	if err := badEnv(s.Env); err != nil {
		return nil, err
	}
	p, err := a.Scheduler.Project(s.Project)
	if err != nil {
		return nil, err
	}
	chosen, err := p.Choose(s.Parameters)
	if err != nil {
		return nil, fieldProblems(err, "the build was not started", func(field string) string { return field })
	}
	return a.accept(ctx, in.KeyInput, scheduler.Trigger{
		Kind: scheduler.KindManual, Projects: []string{s.Project}, Ref: ref, Commit: s.Commit,
		Override: scheduler.Override{Image: s.Image, Env: s.Env, Debug: s.Debug, Parameters: chosen},
	})
}

func showParameters(chosen []config.Chosen) (out []client.Parameter) {
	for _, c := range chosen {
		out = append(out, client.Parameter{Name: c.Name, Variable: c.Variable, Value: c.Value})
	}
	return out
}

func showParameterSettings(settings map[string]config.Parameter) map[string]client.ParameterSetting {
	return eachValue(settings, func(p config.Parameter) client.ParameterSetting { return client.ParameterSetting(p) })
}

func readParameterSettings(settings map[string]client.ParameterSetting) map[string]config.Parameter {
	return eachValue(settings, func(p client.ParameterSetting) config.Parameter { return config.Parameter(p) })
}

// eachValue turns the values of a map into others; of none it makes nil.
func eachValue[A, B any](from map[string]A, turn func(A) B) map[string]B {
	if len(from) == 0 {
		return nil
	}
	out := make(map[string]B, len(from))
	for name, value := range from {
		out[name] = turn(value)
	}
	return out
}
