package daemon

import (
	"context"
	"time"

	"github.com/runner-ci/runner/runner/docker"
)

const (
	// builderAge is how long layers of builders are kept that nobody used.
	builderAge = 7 * 24 * time.Hour
	// builderIdle is how long they must not have been used to go for lack of space.
	builderIdle = time.Hour
)

// keepBuilders removes layers of builders that were not used for long.
func (p *parts) keepBuilders(ctx context.Context) {
	for id, ex := range p.runner.Executors {
		if engine, ok := ex.(*docker.Engine); ok {
			p.evictBuilders(ctx, id, engine, builderAge, func() bool { return false })
		}
	}
}

// evictBuilders removes layers of builders that were not used for age, until there is enough room.
func (p *parts) evictBuilders(ctx context.Context, id string, engine *docker.Engine, age time.Duration, enough func() bool) {
	gone, err := engine.EvictBuilders(ctx, age, enough)
	if gone > 0 {
		p.log.Info("removed layers that builders kept", "engine", id, "volumes", gone)
	}
	if err != nil {
		p.log.Warn("removing layers that builders kept", "engine", id, "error", err)
	}
}
