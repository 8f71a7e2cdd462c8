package docker

import (
	"context"
	"fmt"
	"slices"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/volume"
	"golang.org/x/sync/errgroup"

	"github.com/runner-ci/runner/runner"
)

// inspect asks for a sandbox's container. One that is not ours does not exist.
func (e *Engine) inspect(ctx context.Context, id string) (container.InspectResponse, error) {
	var none container.InspectResponse
	if err := checkID(id); err != nil {
		return none, err
	}
	if err := e.negotiate(ctx); err != nil {
		return none, err
	}
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in, err := e.api.ContainerInspect(short, containerName(id))
	switch {
	case cerrdefs.IsNotFound(err):
		return none, noSandbox(id)
	case err != nil:
		return none, e.fail(ctx, "inspecting sandbox "+id, err)
	case in.ContainerJSONBase == nil || in.State == nil || in.Config == nil:
		return none, fmt.Errorf("engine %s: inspecting sandbox %s: the answer is empty", e.opts.Engine, id)
	case !e.ours(in.Config.Labels, id):
		return none, noSandbox(id)
	}
	return in, nil
}

// ours tells by labels whether something in the engine belongs to a sandbox of this instance.
func (e *Engine) ours(labels map[string]string, id string) bool {
	return labels[LabelInstance] == e.opts.Instance && labels[LabelSandbox] == id
}

// Inspect tells what the engine knows of the sandbox. When its agent ended badly and the engine has nothing to say,
// Error is the end of what the agent wrote to its standard error.
func (e *Engine) Inspect(ctx context.Context, id string) (runner.SandboxState, error) {
	in, err := e.inspect(ctx, id)
	if err != nil {
		return runner.SandboxState{}, err
	}
	s := in.State
	state := runner.SandboxState{
		Running: s.Running, ExitCode: s.ExitCode, OOMKilled: s.OOMKilled,
		StartedAt: moment(s.StartedAt), EndedAt: moment(s.FinishedAt), Error: s.Error,
	}
	if state.Running {
		state.EndedAt = time.Time{}
	}
	if !s.Running && s.ExitCode != 0 && s.Error == "" {
		e.boots.settle(id)
		if said := e.boots.said(id); said != "" {
			state.Error = fmt.Sprintf("the agent ended with status %d, saying: %s", s.ExitCode, said)
		}
	}
	return state, nil
}

// moment parses the engine's time. Its word for never is the year 1, which is Go's zero.
func moment(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t
}

// Kill ends every process in the sandbox and of its services, and returns when the engine has seen them end. Killing
// one that has ended already succeeds.
func (e *Engine) Kill(ctx context.Context, id string) error {
	in, err := e.inspect(ctx, id)
	if err != nil {
		return err
	}
	if in.State.Running {
		short, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		err = e.api.ContainerKill(short, in.ID, "KILL")
		switch {
		case cerrdefs.IsNotFound(err):
			return noSandbox(id)
		case cerrdefs.IsConflict(err): // it ended meanwhile
		case err != nil:
			return e.fail(ctx, "killing sandbox "+id, err)
		}
	}
	if in.HostConfig == nil || in.HostConfig.NetworkMode != container.NetworkMode(ownNetwork(id)) {
		return nil
	}
	return e.fail(ctx, "killing the services of sandbox "+id, e.killServices(ctx, id))
}

// List returns the ids of all sandboxes that bear our instance id, sorted: those with a container, and those whose
// container somebody removed while a service, a volume or a network is still there.
func (e *Engine) List(ctx context.Context) ([]string, error) {
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := e.negotiate(short); err != nil {
		return nil, e.fail(ctx, "listing sandboxes", err)
	}
	mine := e.labelled("")
	var containers []container.Summary
	var volumes volume.ListResponse
	g, gctx := errgroup.WithContext(short)
	g.Go(func() (err error) {
		containers, err = e.api.ContainerList(gctx, container.ListOptions{All: true, Filters: mine})
		return err
	})
	g.Go(func() (err error) {
		volumes, err = e.api.VolumeList(gctx, volume.ListOptions{Filters: mine})
		return err
	})
	var ids []string
	g.Go(func() (err error) { ids, err = e.networksOf(gctx); return err })
	if err := g.Wait(); err != nil {
		return nil, e.fail(ctx, "listing sandboxes", err)
	}
	for _, c := range containers {
		ids = append(ids, c.Labels[LabelSandbox])
	}
	for _, v := range volumes.Volumes {
		ids = append(ids, v.Labels[LabelSandbox])
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return slices.DeleteFunc(ids, func(id string) bool { return id == "" }), nil
}
