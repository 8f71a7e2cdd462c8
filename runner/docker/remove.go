package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/volume"
	"golang.org/x/sync/errgroup"

	"github.com/runner-ci/runner/runner"
)

// removePatience is how long Remove waits for what an engine calls busy: mounts that another process still holds, a
// removal that somebody else began.
const removePatience = 30 * time.Second

// Remove destroys the containers of the sandbox and its services, their volumes and network, and what Create made in
// the sandbox's directory. The rest of that directory is the caller's.
func (e *Engine) Remove(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	defer e.boots.forget(id)
	if err := e.negotiate(ctx); err != nil {
		return err
	}
	if err := e.removeAll(ctx, id); err != nil {
		return e.fail(ctx, "removing sandbox "+id, err)
	}
	e.made.forget(id)
	return e.unprepare(id)
}

// removeAll removes what the engine has of a sandbox. Of one that this process made with nothing but its container,
// that is all there is to ask for.
func (e *Engine) removeAll(ctx context.Context, id string) error {
	if b, ok := e.made.get(id); ok && b.alone {
		return e.removeByID(ctx, b.container)
	}
	// What a container uses can only be removed after it.
	var containers, rest errgroup.Group
	containers.Go(func() error { return e.removeContainer(ctx, id) })
	containers.Go(func() error { return e.removeServices(ctx, id) })
	if err := containers.Wait(); err != nil {
		return err
	}
	rest.Go(func() error { return e.removeVolumes(ctx, id) })
	rest.Go(func() error { return e.removeOwnNetwork(ctx, id) })
	return rest.Wait()
}

func (e *Engine) removeContainer(ctx context.Context, id string) error {
	in, err := e.inspect(ctx, id)
	if errors.Is(err, runner.ErrNoSandbox) {
		return nil
	}
	if err != nil {
		return err
	}
	return e.removeByID(ctx, in.ID)
}

func (e *Engine) removeByID(ctx context.Context, containerID string) error {
	return patiently(ctx, func(ctx context.Context) error {
		return e.api.ContainerRemove(ctx, containerID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	})
}

// removeVolumes removes the sandbox's volumes, which have names and therefore outlive its container.
func (e *Engine) removeVolumes(ctx context.Context, id string) error {
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	vols, err := e.api.VolumeList(short, volume.ListOptions{Filters: e.labelled(id)})
	if err != nil {
		return err
	}
	for _, v := range vols.Volumes {
		err := patiently(ctx, func(ctx context.Context) error {
			return e.api.VolumeRemove(ctx, v.Name, false)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// patiently repeats a removal while the engine says that the thing is busy. Nothing to remove is success.
func patiently(ctx context.Context, remove func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, removePatience)
	defer cancel()
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := remove(ctx)
		switch {
		case err == nil || cerrdefs.IsNotFound(err):
			return nil
		case !busy(err):
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return fmt.Errorf("it stayed busy: %w", err)
		}
	}
}

func busy(err error) bool {
	return says(err, "already in progress", "resource busy", "volume is in use", "active endpoints", "unable to remove filesystem", "driver failed to remove")
}
