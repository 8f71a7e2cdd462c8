//go:build linux

package agent

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// packFiles writes the files as an uncompressed PAX tar into the spool's directory and returns how many bytes
// they hold. Compressing is the daemon's business: it stores chunks of what is alike between builds.
func packFiles(ctx context.Context, dir *os.Root, files []packFile, limit int64) (total int64, err error) {
	if err := dir.RemoveAll(wire.ArtifactsFile); err != nil {
		return 0, fmt.Errorf("clearing the way for artifacts: %w", err)
	}
	archive, err := dir.OpenFile(wire.ArtifactsFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return 0, fmt.Errorf("packing artifacts: %w", err)
	}
	defer func() {
		err = errors.Join(err, archive.Close())
		if err != nil {
			_ = dir.Remove(wire.ArtifactsFile) // a part of them is worth nothing, and takes room
		}
	}()
	buffered := bufio.NewWriterSize(archive, 256<<10)
	tw := tar.NewWriter(buffered)
	for _, file := range files {
		if err := context.Cause(ctx); err != nil {
			return total, err
		}
		n, err := packOne(tw, file, limit, total)
		total += n
		if errors.Is(err, syscall.ENOSPC) {
			return total, mistake("no space is left for the artifacts after %d bytes: leave files out, or free space below the daemon's data directory", total)
		}
		if err != nil {
			return total, err
		}
	}
	// The record that these files are complete must not be more durable than they are.
	if err := errors.Join(tw.Close(), buffered.Flush(), archive.Sync()); err != nil {
		if errors.Is(err, syscall.ENOSPC) {
			return total, mistake("no space is left for the artifacts: leave files out, or free space below the daemon's data directory")
		}
		return total, fmt.Errorf("packing artifacts: %w", err)
	}
	return total, nil
}

func packOne(tw *tar.Writer, file packFile, limit, total int64) (int64, error) {
	if file.link != "" {
		return 0, tw.WriteHeader(&tar.Header{
			Typeflag: tar.TypeSymlink, Name: file.name, Linkname: file.link, Mode: 0o777, Format: tar.FormatPAX,
		})
	}
	// Non-blocking, so that a FIFO which took the file's place meanwhile does not hold us.
	f, err := os.OpenFile(file.path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return 0, mistake("%s cannot be read: %v", file.name, reason(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, mistake("%s was replaced by something else while it was packed", file.name)
	}
	if limit > 0 && info.Size() > limit-total {
		return 0, mistake("the artifacts are larger than the limit of %d bytes (reached at %s): leave files out with exclude-paths, or raise the project's limit", limit, file.name)
	}
	err = tw.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: file.name, Size: info.Size(), Mode: int64(info.Mode().Perm()),
		ModTime: info.ModTime().Truncate(time.Second), Format: tar.FormatPAX,
	})
	if err != nil {
		return 0, fmt.Errorf("packing %s: %w", file.name, err)
	}
	n, err := io.CopyN(tw, f, info.Size())
	if errors.Is(err, io.EOF) {
		return n, mistake("%s became shorter while it was packed; end what still writes to it before the build ends", file.name)
	}
	if err != nil {
		return n, fmt.Errorf("packing %s: %w", file.name, err)
	}
	return n, nil
}

// reason is an error without the path, which the message names already.
func reason(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
