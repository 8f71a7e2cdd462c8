package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/runner-ci/runner/runner"
)

// copyIn sends all files of a sandbox in one tar stream: the snapshot, what is laid over it, the git objects and the
// CA bundle. It is unpacked at the container's root, because the engine refuses symbolic links which point out of the
// directory it unpacks to, and a repository may hold such links.
func (e *Engine) copyIn(ctx context.Context, spec runner.SandboxSpec) error {
	err := e.sendTar(ctx, containerName(spec.ID), container.CopyToContainerOptions{AllowOverwriteDirWithFile: true},
		func(w io.Writer) error { return e.packSandbox(w, spec) })
	var unpacked contentError
	switch {
	case errors.As(err, &unpacked):
		return fmt.Errorf("packing the workspace: %w", unpacked.error)
	case err != nil:
		return fmt.Errorf("copying the workspace into the container: %w", err)
	}
	return nil
}

// sendTar has the engine unpack an archive at a container's root while it is being packed. What goes wrong with the
// packing is a contentError. No goroutine is left behind, as long as pack does not wait for anything but w.
func (e *Engine) sendTar(ctx context.Context, to string, opts container.CopyToContainerOptions, pack func(w io.Writer) error) error {
	r, w := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := pack(w)
		w.CloseWithError(err)
		packed <- err
	}()
	err := e.api.CopyToContainer(ctx, to, "/", r, opts)
	r.CloseWithError(errStopped)
	if perr := <-packed; perr != nil && !errors.Is(perr, errStopped) {
		return contentError{perr}
	}
	return err
}

var errStopped = errors.New("the engine stopped reading")

// contentError is trouble with what was to be sent, which says nothing of the engine.
type contentError struct{ error }

// Unwrap returns the reader's own error.
func (c contentError) Unwrap() error { return c.error }

func (e *Engine) packSandbox(w io.Writer, spec runner.SandboxSpec) error {
	tw := tar.NewWriter(w)
	now := time.Now()
	own := []*tar.Header{{Typeflag: tar.TypeDir, Name: tarName(spoolDir, "") + "/", Mode: 0o700, ModTime: now}}
	if e.ca != nil {
		own = append(own,
			&tar.Header{Typeflag: tar.TypeDir, Name: tarName(caDir, "") + "/", Mode: 0o755, ModTime: now},
			&tar.Header{Typeflag: tar.TypeReg, Name: tarName(caFile, ""), Size: int64(len(e.ca)), Mode: 0o444, ModTime: now})
	}
	for _, h := range own {
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := tw.Write(e.ca); err != nil {
				return err
			}
		}
	}
	layers := []struct{ from, to string }{
		{spec.Tree, sourceDir}, {filepath.Join(spec.Dir, "upper"), sourceDir}, {filepath.Join(spec.Dir, "objects"), objectsDir},
	}
	for _, l := range layers {
		if l.from == "" {
			continue
		}
		if err := packTree(tw, l.from, l.to); err != nil {
			return err
		}
	}
	return tw.Close()
}

// tarName is the name in an archive of a path in the container.
func tarName(dir, name string) string {
	return strings.TrimPrefix(path.Join(dir, name), "/")
}

// packTree adds a directory to an archive, every file owned by root. What is neither file, directory nor symbolic
// link cannot come from git and is left out.
func packTree(tw *tar.Writer, from, to string) error {
	return filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		h := &tar.Header{
			Name: tarName(to, filepath.ToSlash(rel)), Mode: int64(info.Mode().Perm()), ModTime: info.ModTime(), Format: tar.FormatPAX,
		}
		switch {
		case info.IsDir():
			h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
		case info.Mode()&fs.ModeSymlink != 0:
			h.Typeflag = tar.TypeSymlink
			if h.Linkname, err = os.Readlink(p); err != nil {
				return err
			}
		case info.Mode().IsRegular():
			return packFile(tw, h, p, info.Size())
		default:
			return nil
		}
		return tw.WriteHeader(h)
	})
}

func packFile(tw *tar.Writer, h *tar.Header, p string, size int64) error {
	f, err := os.Open(p)
	if err != nil {
		return err
	}
	defer f.Close()
	h.Typeflag, h.Size = tar.TypeReg, size
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	if _, err := io.CopyN(tw, f, size); err != nil {
		return fmt.Errorf("%s: %w", p, err)
	}
	return nil
}
