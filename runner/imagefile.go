package runner

import (
	"bytes"
	"context"
	"errors"
	"io/fs"

	"github.com/runner-ci/runner/runner/wire"
)

// ImageReader is implemented by executors whose sandboxes hide a part of the image behind mounts of their own.
type ImageReader interface {
	// ReadImage returns the first limit bytes of a regular file of an image. There being none is an error that wraps
	// fs.ErrNotExist.
	ReadImage(ctx context.Context, image Image, name string, limit int64) ([]byte, error)
}

// giveRuntimes puts the image's table of runtimes into the spool of a job that wants some, where the image's own is
// hidden. Doing so again is harmless.
func (s *session) giveRuntimes(ctx context.Context) error {
	reader, hidden := s.ex.(ImageReader)
	if !hidden || len(s.attempt.Job.Runtimes) == 0 {
		return nil
	}
	table, err := reader.ReadImage(ctx, s.attempt.Image, wire.RuntimesFile, wire.MaxRuntimesFile+1)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.ex.Put(ctx, s.attempt.Sandbox, wire.RuntimesCopy, bytes.NewReader(table), int64(len(table)))
}
