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
	"strings"

	"github.com/docker/docker/api/types/container"

	"github.com/runner-ci/runner/runner"
)

// Put writes a file into a sandbox's spool: on our own disk where the spool is there, else through the engine.
func (e *Engine) Put(ctx context.Context, id, name string, content io.Reader, size int64) error {
	if err := checkID(id); err != nil {
		return err
	}
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
		return fmt.Errorf("spool file %q: expected a name without directories", name)
	}
	doing := fmt.Sprintf("writing %s for sandbox %s", name, id)
	_, err := os.Stat(e.work(id))
	switch {
	case err == nil:
		if err := putBeneath(filepath.Join(e.SandboxDir(id), "spool"), name, content, size); err != nil {
			return fmt.Errorf("%s: %w", doing, err)
		}
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return e.fail(ctx, doing, e.putRemote(ctx, id, name, content, size))
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// putBeneath writes a new file directly in dir. What has its name is removed first, so that nothing is followed.
func putBeneath(dir, name string, content io.Reader, size int64) (err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.RemoveAll(name); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	n, err := io.Copy(f, io.LimitReader(content, size))
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (e *Engine) putRemote(ctx context.Context, id, name string, content io.Reader, size int64) error {
	r, w := io.Pipe()
	go func() {
		tw := tar.NewWriter(w)
		err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, Format: tar.FormatPAX})
		if err == nil {
			_, err = io.CopyN(tw, content, size)
		}
		w.CloseWithError(errors.Join(err, tw.Close()))
	}()
	err := e.api.CopyToContainer(ctx, containerName(id), spoolDir, r, container.CopyToContainerOptions{})
	r.CloseWithError(errStopped)
	return err
}

// Capacity tells what the engine's machine has.
func (e *Engine) Capacity(ctx context.Context) (runner.Capacity, error) {
	f, err := e.engineFacts(ctx)
	return runner.Capacity{CPUs: f.cpus, MemoryBytes: f.memory, Arch: f.goarch}, err
}
