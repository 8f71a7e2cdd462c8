package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// Put writes a file into a sandbox's spool: on our own disk where the spool is there, else through the engine. A file
// that is cut short by an error is never seen under its name.
func (e *Engine) Put(ctx context.Context, id, name string, content io.Reader, size int64) error {
	if err := errors.Join(checkID(id), runner.CheckSpoolName(name)); err != nil {
		return err
	}
	doing := fmt.Sprintf("writing %s for sandbox %s", name, id)
	if size < 0 || size > e.opts.SpoolBytes {
		return fmt.Errorf("%s: it has %d bytes, expected 0 to %d", doing, size, e.opts.SpoolBytes)
	}
	_, err := os.Stat(e.work(id))
	if err == nil {
		err = runner.PutBeneath(ctx, filepath.Join(e.SandboxDir(id), "spool"), name, content, size)
	} else if errors.Is(err, fs.ErrNotExist) {
		return e.putRemote(ctx, id, name, content, size)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// putTime bounds what the engine needs to unpack a file of this size, at 1 MB/s and a minute.
func putTime(size int64) time.Duration { return time.Minute + time.Duration(size)*time.Microsecond }

func (e *Engine) putRemote(ctx context.Context, id, name string, content io.Reader, size int64) error {
	in, err := e.inspect(ctx, id)
	if err != nil {
		return err
	}
	doing := fmt.Sprintf("writing %s for sandbox %s", name, id)
	short, cancel := context.WithTimeout(ctx, putTime(size))
	defer cancel()
	err = e.sendFile(short, in.ID, name, content, size)
	if err == nil {
		return nil
	}
	var cut contentError
	switch {
	case short.Err() != nil:
		return e.fail(ctx, doing, short.Err())
	case errors.As(err, &cut):
		return fmt.Errorf("%s: %w", doing, cut.error)
	}
	return e.fail(ctx, doing, err)
}

// sendFile sends an archive of one file. The engine removes what is in its place, following no link, and unpacks it: at
// the root, because for a path below two mounts it looks at the rights of either.
func (e *Engine) sendFile(ctx context.Context, containerID, name string, content io.Reader, size int64) error {
	return e.sendTar(ctx, containerID, container.CopyToContainerOptions{}, func(w io.Writer) error {
		return packPut(w, name, runner.Cancellable(ctx, content), size)
	})
}

// packPut is a tar of the file under another name, then of a hard link from its real name, which appears when all of it
// is there, and at last of nothing in the place of the other name.
func packPut(w io.Writer, name string, content io.Reader, size int64) error {
	part, now := tarName(spoolDir, wire.PartOf(name)), time.Now()
	tw := tar.NewWriter(w)
	err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: part, Size: size, Mode: 0o600, ModTime: now, Format: tar.FormatPAX})
	if err == nil {
		_, err = io.CopyN(tw, content, size)
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	for _, h := range []*tar.Header{
		{Typeflag: tar.TypeLink, Name: tarName(spoolDir, name), Linkname: part, Mode: 0o600, ModTime: now},
		{Typeflag: tar.TypeReg, Name: part, Mode: 0o600, ModTime: now},
	} {
		if err == nil {
			err = tw.WriteHeader(h)
		}
	}
	if err == nil {
		err = tw.Close()
	}
	return err
}
