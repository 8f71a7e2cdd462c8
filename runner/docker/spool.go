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

	cerrdefs "github.com/containerd/errdefs"
)

// Open reads one file of a sandbox's spool. Where the spool is on our own disk it needs no engine, so that the
// truth is found even when engine and container are gone.
//
// The spool belongs to a hostile job: see openBeneath, and openRemote.
func (e *Engine) Open(ctx context.Context, id, name string) (io.ReadCloser, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
		return nil, fmt.Errorf("spool file %q: expected a name without directories", name)
	}
	_, err := os.Stat(e.work(id))
	switch {
	case err == nil:
		return e.openLocal(id, name)
	case errors.Is(err, fs.ErrNotExist):
		return e.openRemote(ctx, id, name)
	}
	return nil, fmt.Errorf("opening the spool of sandbox %s: %w", id, err)
}

func (e *Engine) openLocal(id, name string) (io.ReadCloser, error) {
	f, err := openBeneath(filepath.Join(e.SandboxDir(id), "spool"), name)
	if err != nil {
		return nil, fmt.Errorf("opening %s of sandbox %s: %w", name, id, err)
	}
	st, err := f.Stat()
	if err == nil {
		err = e.acceptable(st.Mode(), st.Size())
	}
	if err == nil && links(st) > 1 {
		err = errors.New("it has several names, expected one: the job changed it")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening %s of sandbox %s: %w", name, id, err), f.Close())
	}
	return &capped{io.LimitReader(f, e.opts.SpoolBytes), f}, nil
}

// acceptable refuses what the agent never makes.
func (e *Engine) acceptable(mode fs.FileMode, size int64) error {
	switch {
	case !mode.IsRegular():
		return fmt.Errorf("it is a %s, expected a regular file: the job changed it", kind(mode))
	case size > e.opts.SpoolBytes:
		return fmt.Errorf("it has %d bytes, at most %d are read", size, e.opts.SpoolBytes)
	}
	return nil
}

func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "directory"
	case mode&fs.ModeSymlink != 0:
		return "symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	}
	return "special file"
}

// openRemote takes the file out of the container through the engine, as an archive with one entry. The engine does
// not follow a link in the last place of a path; a link before it leads no further than the container.
func (e *Engine) openRemote(ctx context.Context, id, name string) (io.ReadCloser, error) {
	in, err := e.inspect(ctx, id)
	if err != nil {
		return nil, err
	}
	doing := fmt.Sprintf("opening %s of sandbox %s", name, id)
	stream, st, err := e.api.CopyFromContainer(ctx, in.ID, spoolDir+"/"+name)
	switch {
	case cerrdefs.IsNotFound(err) && says(err, "no such container"):
		return nil, noSandbox(id)
	case cerrdefs.IsNotFound(err):
		return nil, fmt.Errorf("%s: %w", doing, fs.ErrNotExist)
	case err != nil:
		return nil, e.fail(ctx, doing, err)
	}
	r := tar.NewReader(stream)
	if err = e.acceptable(st.Mode, st.Size); err == nil {
		err = e.firstFile(r)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", doing, err), stream.Close())
	}
	return &capped{r, stream}, nil
}

// firstFile positions an archive at the content of its first entry, which was a regular file when the engine looked
// and may be another thing by now.
func (e *Engine) firstFile(r *tar.Reader) error {
	h, err := r.Next()
	if err != nil {
		return fmt.Errorf("the engine's archive is damaged: %w", inside(err))
	}
	if h.Typeflag != tar.TypeReg {
		return fmt.Errorf("it is an entry of kind %q in the engine's archive, expected a regular file: the job changed it", h.Typeflag)
	}
	return e.acceptable(h.FileInfo().Mode(), h.Size)
}

// capped reads one thing and closes another.
type capped struct {
	io.Reader
	io.Closer
}
