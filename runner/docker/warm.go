package docker

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sync/errgroup"

	"github.com/runner-ci/runner/runner"
)

var (
	_ runner.Warmer  = (*Engine)(nil)
	_ runner.Layerer = (*Engine)(nil)
)

// CanWarm tells why no sandbox like spec can be made ahead of its job.
func (e *Engine) CanWarm(ctx context.Context, spec runner.SandboxSpec) error {
	f, err := e.ready(ctx)
	if err != nil {
		return err
	}
	return e.cannotWarm(spec, f)
}

func (e *Engine) cannotWarm(spec runner.SandboxSpec, f facts) error {
	switch {
	case spec.Privileged:
		return errors.New("a privileged sandbox is made for its job alone")
	case len(spec.Services) > 0:
		return errors.New("a sandbox with services is made for its job alone")
	}
	mode, _, err := e.choose(spec, f)
	if err == nil && mode != workspaceMount {
		err = fmt.Errorf("engine %s: a sandbox made ahead gets its workspace while it runs, and the daemon cannot mount in this engine's containers (workspace is %s)", e.opts.Engine, mode)
	}
	return err
}

// Warm makes a sandbox whose workspace comes with Fill. That the daemon can mount in it is tried out.
func (e *Engine) Warm(ctx context.Context, spec runner.SandboxSpec) error {
	spec.Tree = ""
	l, err := e.launch(ctx, spec)
	if err != nil {
		return err
	}
	if err := e.cannotWarm(spec, l.facts); err != nil {
		return err
	}
	l.ahead = true
	if err := l.run(ctx); err != nil {
		return e.createFailed(ctx, spec, l.facts, err)
	}
	return nil
}

// Fill mounts the workspace of a warm sandbox, sets its limits where they differ from those it was made with, and
// shares its memory accordingly. The engine is asked for no more than the limits.
func (e *Engine) Fill(ctx context.Context, spec runner.SandboxSpec) error {
	if err := e.checkSpec(spec); err != nil {
		return err
	}
	f, err := e.engineFacts(ctx)
	if err != nil {
		return err
	}
	doing := "filling sandbox " + spec.ID
	if err := e.noOverlay(spec, f); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	p, err := e.inside(ctx, spec.ID)
	if err == nil {
		err = e.prepare(spec)
	}
	if err == nil {
		var g errgroup.Group
		g.Go(func() error { return p.attachOnce(sources(spec), sourceDir) })
		g.Go(func() error { return e.limit(ctx, p, spec, f) })
		err = g.Wait()
	}
	if err == nil {
		return nil
	}
	if _, gone := e.inspect(ctx, spec.ID); errors.Is(gone, runner.ErrNoSandbox) {
		return gone
	}
	return e.fail(ctx, doing, err)
}

// limit sets the limits of a sandbox that was made with others.
func (e *Engine) limit(ctx context.Context, p place, spec runner.SandboxSpec, f facts) error {
	b, _ := e.made.get(spec.ID)
	want := resources(spec.Limits, f)
	change, err := changed(b.limits, want)
	if err != nil {
		return err
	}
	if change == nil {
		return nil
	}
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := e.api.ContainerUpdate(short, containerName(spec.ID), container.UpdateConfig{Resources: *change}); err != nil {
		return fmt.Errorf("changing its limits: %w", err)
	}
	if was, now := shmSize(b.limits.Memory), shmSize(want.Memory); was != now {
		if err := p.resizeShm(now); err != nil {
			return err
		}
	}
	b.limits = want
	e.made.put(spec.ID, b)
	return nil
}

// changed is what has to be said to an engine for new limits; nil is nothing. To an engine zero is no change, so that
// a limit of memory or of CPU time, once set, cannot be lifted.
func changed(was, want container.Resources) (*container.Resources, error) {
	var c container.Resources
	some := false
	if want.NanoCPUs != was.NanoCPUs {
		c.NanoCPUs, some = want.NanoCPUs, true
	}
	if want.Memory != was.Memory {
		c.Memory, c.MemorySwap, some = want.Memory, want.MemorySwap, true
	}
	if some && (want.NanoCPUs == 0 && was.NanoCPUs != 0 || want.Memory == 0 && was.Memory != 0) {
		return nil, errors.New("it has a limit of memory or CPUs that its job has not, and engines lift none")
	}
	if pids(want) != pids(was) {
		n := pids(want)
		c.PidsLimit, some = &n, true
	}
	if !some {
		return nil, nil
	}
	return &c, nil
}

// pids is the limit of processes; 0 is none.
func pids(r container.Resources) int64 {
	if r.PidsLimit == nil || *r.PidsLimit < 0 {
		return 0
	}
	return *r.PidsLimit
}
