package main

import (
	"context"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"
	docker "github.com/docker/docker/client"
)

// sweep removes what the daemons of one instance left on the engine. A daemon that ends leaves its sandboxes to the
// next start, and after a script there is none.
func sweep(instance string) {
	api, err := docker.NewClientWithOpts(docker.FromEnv, docker.WithAPIVersionNegotiation())
	if err != nil {
		return
	}
	defer api.Close()
	ctx, label := context.Background(), filters.NewArgs(filters.Arg("label", "runner.instance="+instance))
	containers, err := api.ContainerList(ctx, container.ListOptions{All: true, Filters: label})
	if err != nil {
		return // no engine, so nothing is left on it
	}
	for _, c := range containers {
		_ = api.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	}
	volumes, err := api.VolumeList(ctx, volume.ListOptions{Filters: label})
	if err != nil {
		return
	}
	for _, v := range volumes.Volumes {
		_ = api.VolumeRemove(ctx, v.Name, true)
	}
}
