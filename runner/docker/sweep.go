package docker

import (
	"context"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"
)

// Ages after which what was made for agents is swept: longer than any filling takes, longer than a daemon that is
// being upgraded waits for its next sandbox.
const (
	fillerAge = time.Hour
	agentAge  = 24 * time.Hour
)

// background runs work that nobody waits for but Close.
func (e *Engine) background(f func(context.Context)) {
	e.jobs.Go(func() {
		ctx, cancel := context.WithTimeout(e.life, callTimeout)
		defer cancel()
		f(ctx)
	})
}

// sweepAgents removes containers that a daemon left when it died while filling a volume, and the volumes of former
// agents. The engine refuses to remove a volume that any container still names; one that was needed after all is
// filled again.
func (e *Engine) sweepAgents(ctx context.Context) {
	fillers, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", LabelAgent))})
	if err != nil {
		e.log.Debug("sweeping agents", "error", err)
		return
	}
	for _, c := range fillers {
		if staleFiller(c, time.Now()) {
			e.discard(ctx, c.ID)
		}
	}
	vols, err := e.api.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", LabelAgent))})
	if err != nil {
		e.log.Debug("sweeping agents", "error", err)
		return
	}
	for _, v := range vols.Volumes {
		if !staleAgent(v, e.agent.volume(), time.Now()) {
			continue
		}
		if e.api.VolumeRemove(ctx, v.Name, false) == nil {
			e.log.Info("removed a former agent's volume", "volume", v.Name)
		}
	}
}

// staleFiller tells whether nobody can still be filling a volume through a container.
func staleFiller(c container.Summary, now time.Time) bool {
	return c.State == container.StateCreated && now.Sub(time.Unix(c.Created, 0)) > fillerAge
}

// staleAgent tells whether a volume holds a former agent. One of unknown age is kept.
func staleAgent(v *volume.Volume, current string, now time.Time) bool {
	made, err := time.Parse(time.RFC3339, v.CreatedAt)
	return err == nil && now.Sub(made) > agentAge && v.Name != current
}

func (g *agentGate) volume() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.loaded == nil {
		return ""
	}
	return g.loaded.volume
}

// discard removes a container that never ran, even when ctx has ended.
func (e *Engine) discard(ctx context.Context, name string) {
	short, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer cancel()
	err := e.api.ContainerRemove(short, name, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil {
		e.log.Debug("discarding a container", "container", name, "error", err)
	}
}
