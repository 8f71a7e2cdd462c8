package daemon

import (
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/daemon/statuses"
	"github.com/runner-ci/runner/server"
)

// tellForges has forges told of builds, from the same records that the API shows. Call it before start.
func (p *parts) tellForges(cfg func() *config.Config) error {
	client, err := trusting(cfg())
	if err != nil {
		return err
	}
	p.forges = client
	show := server.Shower(server.Options{Scheduler: p.scheduler, Artifacts: p.artifacts, Tests: p.tests, Logger: p.log})
	p.tellPeople(cfg, show)
	statuses.New(p.scheduler, show, func() string { return cfg().URL }, client).Use(p.scheduler.Outbox())
	return nil
}
