package docker

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker/docker/api/types/container"

	"github.com/runner-ci/runner/runner"
)

// Reopen starts the container of a job that has ended, on the network that it had. Its services are made anew: they ended
// with it, and what they kept in their containers says nothing of the job.
func (e *Engine) Reopen(ctx context.Context, spec runner.SandboxSpec, layers []string) error {
	in, err := e.inspect(ctx, spec.ID)
	if err != nil {
		return err
	}
	spec.Network = runner.Network(in.Config.Labels[LabelReach])
	l, err := e.launch(ctx, spec)
	if err != nil {
		return err
	}
	l.mode, l.try = workspace(in.Config.Labels[LabelWorkspace]), false
	if err := l.reopen(ctx, in.State.Running, layers); err != nil {
		return e.createFailed(ctx, spec, l.facts, err)
	}
	return nil
}

func (l *launch) reopen(ctx context.Context, running bool, layers []string) error {
	e := l.e
	if len(l.spec.Services) > 0 {
		if err := e.ensureOwnNetwork(ctx, l.spec); err != nil {
			return err
		}
	} else if err := e.ensurePrivate(ctx, l.spec); err != nil {
		return err
	}
	if err := e.raiseWall(ctx); err != nil {
		return err
	}
	if err := e.wantWall(l.spec); err != nil {
		return err
	}
	if err := l.startServices(ctx); err != nil {
		return err
	}
	if !running {
		e.made.note(l.spec.ID, func(b *madeBox) { b.pid, b.joined = 0, false }) // those were of the job's own life
		short, cancel := context.WithTimeout(ctx, createTimeout)
		defer cancel()
		if err := e.api.ContainerStart(short, containerName(l.spec.ID), container.StartOptions{}); err != nil {
			return fmt.Errorf("starting the container again: %w", err)
		}
	}
	return l.refurnish(ctx, layers)
}

// refurnish mounts the workspace of a container that was started again, and joins it to its network, as furnish does.
func (l *launch) refurnish(ctx context.Context, layers []string) error {
	if l.mode != workspaceMount {
		return nil
	}
	p, running, err := l.e.enter(ctx, l.spec.ID)
	if err == nil && !running {
		err = errors.New("the container ended as soon as it was started again")
	}
	if err == nil {
		err = l.e.wire(p, l.spec.ID)
	}
	if err == nil {
		err = p.attachOnce(sources(l.spec, layers...), sourceDir)
	}
	return err
}
