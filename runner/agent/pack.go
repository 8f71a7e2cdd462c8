//go:build linux

package agent

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/runner-ci/runner/runner/wire"
)

// packFiles writes the files of one artifact into the spool's directory and returns how many bytes they hold.
func packFiles(ctx context.Context, dir *os.Root, name string, files []packFile, limit int64) (int64, error) {
	b, err := newBundle(ctx, dir, name, "artifacts")
	if err != nil {
		return 0, err
	}
	b.limit = limit
	for _, file := range files {
		if err = packOne(b, file); err != nil {
			break
		}
	}
	return b.total, b.finish(err)
}

func packOne(b *bundle, file packFile) error {
	var err error
	if file.link != "" {
		err = b.begin(&tar.Header{Typeflag: tar.TypeSymlink, Name: file.name, Linkname: file.link, Mode: 0o777})
	} else {
		err = b.regular(file.path, file.name, false)
	}
	switch {
	case errors.Is(err, errLimit):
		return &clientError{reason: wire.ReasonArtifacts, message: fmt.Sprintf("the artifacts are larger than limits.artifacts of %d bytes (reached at %s; holes count): leave files out with exclude-paths, or raise the limit of the project", b.limit, file.name)}
	case errors.Is(err, errShrunk):
		return mistake("%s: %v", file.name, err)
	}
	return err
}
