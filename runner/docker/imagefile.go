package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/runner-ci/runner/runner"
)

// ReadImage reads a file of an image through a container that is never started and has no mounts, for those of a
// sandbox hide what the image has below Root.
func (e *Engine) ReadImage(ctx context.Context, image runner.Image, name string, limit int64) ([]byte, error) {
	doing := fmt.Sprintf("reading %s of image %s", name, image.Ref)
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	helper := "runner-look-" + randomName()
	_, err := e.api.ContainerCreate(short, &container.Config{
		Image: image.ID, Entrypoint: []string{"/none"}, NetworkDisabled: true,
		Labels: map[string]string{LabelAgent: "none"}, // so that a helper whose daemon died is swept with the others
	}, &container.HostConfig{NetworkMode: networkNone, LogConfig: container.LogConfig{Type: "none"}}, nil, nil, helper)
	if err != nil {
		return nil, e.fail(ctx, doing, err)
	}
	defer e.discard(ctx, helper)
	text, err := e.fileIn(short, helper, name, limit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, e.fail(ctx, doing, err)
	}
	return text, err
}

// fileIn returns the beginning of a regular file of a container.
func (e *Engine) fileIn(ctx context.Context, helper, name string, limit int64) ([]byte, error) {
	archive, _, err := e.api.CopyFromContainer(ctx, helper, name)
	if cerrdefs.IsNotFound(err) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	tr := tar.NewReader(archive)
	hdr, err := tr.Next()
	if err != nil {
		return nil, err
	}
	if hdr.Typeflag != tar.TypeReg {
		return nil, fs.ErrNotExist
	}
	return io.ReadAll(io.LimitReader(tr, limit))
}
