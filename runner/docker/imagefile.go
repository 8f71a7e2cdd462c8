package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/runner-ci/runner/runner"
)

// imageFiles remembers what was read out of images, by image and path: an image's id is the hash of what it holds.
type imageFiles struct {
	mu    sync.Mutex
	known map[string][]byte // nil: the image does not have it
}

// ImageFile reads one regular file of an image, of at most limit bytes, or fails with fs.ErrNotExist. A sandbox
// cannot show it where our own mounts lie over it, so it is read from a container that is made without mounts and
// never started. That container bears a sandbox's labels, and the reaper knows it for a leftover should we die here.
func (e *Engine) ImageFile(ctx context.Context, img runner.Image, path string, limit int64) ([]byte, error) {
	key := img.ID + "\x00" + path
	e.images.mu.Lock()
	defer e.images.mu.Unlock() // one at a time: the container's name is the image's
	data, ok := e.images.known[key]
	if !ok {
		var err error
		data, err = e.peek(ctx, img, path, limit)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, e.fail(ctx, fmt.Sprintf("reading %s of image %s", path, imageName(img)), err)
		}
		if e.images.known == nil {
			e.images.known = map[string][]byte{}
		}
		e.images.known[key] = data
	}
	if data == nil {
		return nil, fmt.Errorf("image %s has no %s: %w", imageName(img), path, fs.ErrNotExist)
	}
	return data, nil
}

// peek makes the container, reads the file and removes the container.
func (e *Engine) peek(ctx context.Context, img runner.Image, path string, limit int64) (data []byte, err error) {
	if err := e.negotiate(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	id := peekID(e.opts.Instance, img.ID)
	if err := e.Remove(ctx, id); err != nil { // left by a former life of ours
		return nil, err
	}
	made, err := e.api.ContainerCreate(ctx, &container.Config{
		Image: img.ID, Entrypoint: []string{"/"}, Labels: e.labels(id, workspaceCopy),
	}, &container.HostConfig{NetworkMode: networkNone}, nil, nil, containerName(id))
	if err != nil {
		return nil, fmt.Errorf("making a container to look into: %w", err)
	}
	defer func() { err = errors.Join(err, e.Remove(context.WithoutCancel(ctx), id)) }()
	stream, st, err := e.api.CopyFromContainer(ctx, made.ID, path)
	switch {
	case cerrdefs.IsNotFound(err):
		return nil, fs.ErrNotExist
	case err != nil:
		return nil, err
	}
	defer stream.Close()
	if !st.Mode.IsRegular() || st.Size > limit {
		return nil, fmt.Errorf("it is a %s of %d bytes, expected a regular file of at most %d", kind(st.Mode), st.Size, limit)
	}
	r := tar.NewReader(stream)
	if err := e.firstFile(r); err != nil {
		return nil, err
	}
	if data, err = io.ReadAll(io.LimitReader(r, limit)); data == nil {
		data = []byte{}
	}
	return data, err
}

// peekID names the container that looks into an image, in the manner of a sandbox's id.
func peekID(instance, image string) string {
	_, digest, ok := strings.Cut(image, ":")
	if !ok {
		digest = image
	}
	return instance + "-look-" + digest[:min(16, len(digest))]
}
