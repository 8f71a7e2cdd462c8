package daemon

import (
	"context"
	"time"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

// forgetFor bounds how long builds are forgotten at a time, of which there are many once after the bound was lowered: the
// watch over the disk waits meanwhile. The next time goes on.
const forgetFor = 20 * time.Second

// keepBuilds applies retention to the rows of builds, and removes what else is stored of those that go.
func (p *parts) keepBuilds(ctx context.Context, r config.BuildsKept) {
	short, cancel := context.WithTimeout(ctx, forgetFor)
	defer cancel()
	n, err := p.scheduler.Forget(short, scheduler.Keep{Age: r.Age, Number: r.Number}, time.Now(), p.dropBuild)
	if err != nil && short.Err() == nil {
		p.log.Warn("applying retention to builds", "error", err)
	}
	if n > 0 {
		p.log.Info("old builds were forgotten", "builds", n, "why", "retention.builds")
	}
}

// dropBuild removes what is kept of a build beside its rows. Most of it has gone by its age long before.
func (p *parts) dropBuild(ctx context.Context, b *scheduler.Build, blobs []string) error {
	if err := p.artifacts.Remove(ctx, blobs); err != nil {
		return err
	}
	if err := p.artifacts.RemoveBelow(ctx, b.SharedBelow()); err != nil {
		return err
	}
	return p.tests.Forget(b.Project, b.Number)
}
