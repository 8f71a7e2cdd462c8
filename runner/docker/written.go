package docker

import (
	"context"
	"fmt"
	"os"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/runner-ci/runner/runner"
)

var _ runner.Meter = (*Engine)(nil)

// Written tells where the containers of a sandbox write: their own layers and their volumes. Where this machine is not
// the engine's, or the daemon may not look into the engine's directory, the engine is asked for the size of the layers,
// and volumes are not counted.
func (e *Engine) Written(ctx context.Context, id string) (at runner.WrittenAt, err error) {
	in, err := e.inspect(ctx, id)
	if err != nil {
		return at, err
	}
	if err := e.writtenBy(ctx, &at, in, ""); err != nil {
		return at, err
	}
	if in.HostConfig == nil || in.HostConfig.NetworkMode != container.NetworkMode(ownNetwork(id)) {
		return at, nil
	}
	ours := e.labelled(id)
	ours.Add("label", LabelService)
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	services, err := e.api.ContainerList(short, container.ListOptions{All: true, Filters: ours})
	if err != nil {
		return at, e.fail(ctx, "listing the services of sandbox "+id, err)
	}
	for _, s := range services {
		in, err := e.api.ContainerInspect(short, s.ID)
		if err != nil {
			return at, e.fail(ctx, "inspecting a service of sandbox "+id, err)
		}
		if err := e.writtenBy(ctx, &at, in, "service "+s.Labels[LabelService]+": "); err != nil {
			return at, err
		}
	}
	return at, nil
}

// writtenBy adds where one container writes. prefix stands before what its paths are called.
func (e *Engine) writtenBy(ctx context.Context, at *runner.WrittenAt, in container.InspectResponse, prefix string) error {
	layer := ""
	if in.GraphDriver.Data != nil {
		layer = in.GraphDriver.Data["UpperDir"]
	}
	if !isDir(layer) {
		return e.askSize(ctx, at, in.ID)
	}
	at.Dirs = append(at.Dirs, runner.WrittenDir{Path: layer, Inside: prefix + "/"})
	if in.State != nil && in.State.Pid > 0 {
		at.PIDs = append(at.PIDs, in.State.Pid)
	}
	for _, m := range in.Mounts {
		mounted := prefix == "" && m.Destination == sourceDir // what it shows lies in the sandbox's own directory
		if m.Type == mount.TypeVolume && m.RW && !(mounted && overlaid(in)) && isDir(m.Source) {
			at.Dirs = append(at.Dirs, runner.WrittenDir{Path: m.Source, Inside: prefix + m.Destination})
		}
	}
	return nil
}

// overlaid tells whether a container's workspace is an overlay of the sandbox's own directory.
func overlaid(in container.InspectResponse) bool {
	return in.Config != nil && workspace(in.Config.Labels[LabelWorkspace]).onDisk()
}

// askSize has the engine measure a container's layer.
func (e *Engine) askSize(ctx context.Context, at *runner.WrittenAt, container string) error {
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in, _, err := e.api.ContainerInspectWithRaw(short, container, true)
	if err != nil {
		return e.fail(ctx, "asking for the size of a container", err)
	}
	if in.ContainerJSONBase == nil || in.SizeRw == nil {
		return fmt.Errorf("engine %s does not say how large a container is", e.opts.Engine)
	}
	at.Bytes += max(1, *in.SizeRw) // more than nothing: to be asked for again
	return nil
}

func isDir(path string) bool {
	if path == "" {
		return false
	}
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}
