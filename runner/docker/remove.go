package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"

	"github.com/runner-ci/runner/runner"
)

// removePatience is how long Remove waits for what an engine calls busy: mounts that another process still holds, a
// removal that somebody else began.
const removePatience = 30 * time.Second

// Remove destroys the container, its volumes, and what Create made in the sandbox's directory. The rest of that
// directory is the caller's.
func (e *Engine) Remove(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	defer e.boots.forget(id)
	err := e.removeContainer(ctx, id)
	if err == nil {
		err = e.removeVolumes(ctx, id)
	}
	if err != nil {
		return e.fail(ctx, "removing sandbox "+id, err)
	}
	return e.unprepare(id)
}

func (e *Engine) removeContainer(ctx context.Context, id string) error {
	in, err := e.inspect(ctx, id)
	if errors.Is(err, runner.ErrNoSandbox) {
		return nil
	}
	if err != nil {
		return err
	}
	return patiently(ctx, func(ctx context.Context) error {
		return e.api.ContainerRemove(ctx, in.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	})
}

// removeVolumes removes the sandbox's volumes, which have names and therefore outlive its container.
func (e *Engine) removeVolumes(ctx context.Context, id string) error {
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	vols, err := e.api.VolumeList(short, volume.ListOptions{Filters: filters.NewArgs(
		filters.Arg("label", LabelInstance+"="+e.opts.Instance), filters.Arg("label", LabelSandbox+"="+id))})
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
	return says(err, "already in progress", "resource busy", "volume is in use", "unable to remove filesystem", "driver failed to remove")
}
