package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/forge"
	"github.com/runner-ci/runner/runner/docker"
	"github.com/runner-ci/runner/server"
	"github.com/runner-ci/runner/source"
)

// httpServer puts the HTTP face on the parts.
func (p *parts) httpServer(cfg func() *config.Config, token, version string) (*http.Server, error) {
	var engines []string
	for _, e := range cfg().Engines {
		engines = append(engines, e.ID)
	}
	var vault server.Secrets
	if p.secrets != nil {
		vault = p.secrets
	}
	options := server.Options{
		Secrets: vault, Scheduler: p.scheduler, Artifacts: p.artifacts, Source: mirrors{p.source}, Tests: p.tests,
		Forges:       forge.All(),
		Tokens:       []server.Token{server.NewToken("admin", token)},
		CheckProject: func(pr *config.Project) error { return cfg().CheckProject(pr) },
		Backup:       func(ctx context.Context, w io.Writer) error { return p.backup(ctx, version, w) },
		Ready:        p.ready,
		Warnings:     func() []string { return append(p.warnings(), p.accessTrouble(cfg())...) },
		Status:       func(context.Context) client.Status { return p.status(version) },
		Metrics:      p.metrics.Handler(),
		Meter:        p.metrics,
		Version:      version, Instance: p.scheduler.Instance(), Slots: func() int { return cfg().Slots }, Engines: engines, Logger: p.log,
	}
	p.webhookOptions(&options)
	if err := p.accessOptions(cfg, &options); err != nil {
		return nil, err
	}
	return server.NewHTTPServer(server.New(options), p.log), nil
}

// ready tells why the daemon cannot build right now.
func (p *parts) ready(ctx context.Context) error {
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(p.runner.Executors)) {
		if err := p.runner.Executors[id].Ping(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// warnings are what an admin should look at although builds run.
func (p *parts) warnings() (out []string) {
	if why := p.space.reason(); why != "" {
		out = append(out, "no job starts, "+why)
	}
	for _, id := range slices.Sorted(maps.Keys(p.runner.Executors)) {
		engine, ok := p.runner.Executors[id].(*docker.Engine)
		if !ok {
			continue
		}
		if err := engine.FirewallTrouble(); err != nil {
			out = append(out, fmt.Sprintf("jobs on engine %s can reach metadata services and the engine's host: %v", id, err))
		}
	}
	return out
}

// mirrors speaks of projects where the source store speaks of URLs.
type mirrors struct{ store *source.Store }

// Known tells which commits the project's mirror has.
func (m mirrors) Known(ctx context.Context, p config.Project, commits []string) ([]string, error) {
	return m.store.Known(ctx, p.URL, commits)
}

// Receive puts a laptop's pack into the project's mirror.
func (m mirrors) Receive(ctx context.Context, p config.Project, commit, ref string, pack io.Reader) error {
	_, err := m.store.Receive(ctx, p.URL, ref, commit, pack, server.DefaultMaxPack)
	if err == nil {
		return nil
	}
	var fe *source.FetchError
	if errors.As(err, &fe) && fe.UserFault() {
		return &server.RefusedError{Reason: err.Error()}
	}
	return fmt.Errorf("taking the pack in: %w", err)
}
