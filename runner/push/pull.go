package push

import (
	"context"
	"fmt"
	"io"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Pull writes the image with a digest as a tar that docker load reads, under a name. Larger ones than limit, as the registry
// has them, are refused; whatever differs from its digest is an error. It is tried once.
func (c *Client) Pull(ctx context.Context, from Target, digest, as string, limit int64, w io.Writer) (size int64, err error) {
	defer func() {
		if err != nil {
			err = quoted{err, from.Password}
		}
	}()
	repo, err := name.NewRepository(from.Repository)
	if err != nil {
		return 0, err
	}
	tag, err := name.NewTag(as)
	if err != nil {
		return 0, err
	}
	hash, err := v1.NewHash(digest)
	if err != nil {
		return 0, err
	}
	image, err := remote.Image(repo.Digest(hash.String()), c.options(ctx, from)...)
	if err != nil {
		return 0, err
	}
	m, err := image.Manifest()
	if err != nil {
		return 0, err
	}
	if len(m.Layers) > maxLayers || m.Config.Size > maxJSON {
		return 0, fmt.Errorf("it has %d layers and a configuration of %d bytes, expected at most %d and %d", len(m.Layers), m.Config.Size, maxLayers, maxJSON)
	}
	for _, l := range m.Layers {
		if l.Size < 0 || l.Size > limit-size {
			return 0, fmt.Errorf("it has more than %d bytes", limit)
		}
		size += l.Size
	}
	return size, tarball.Write(tag, image, w)
}
