package source

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/source/pack"
)

// fileWriter is one worker of a writer, with readers of its own.
type fileWriter struct {
	*writer
	readers []*pack.Reader
}

func (w *fileWriter) reader(part int) *pack.Reader {
	for len(w.readers) <= part {
		w.readers = append(w.readers, nil)
	}
	if w.readers[part] == nil {
		w.readers[part] = w.objects[part].NewReader(w.memory)
	}
	return w.readers[part]
}

// file writes one file.
func (w *fileWriter) file(f *planned) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	perm := uint32(0o644)
	if f.mode == modeExec {
		perm = 0o755
	}
	fd, err := unix.Openat(w.root, f.path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, perm)
	if err != nil {
		return made("file", f.path, err)
	}
	out := &measured{w: w.writer, f: os.NewFile(uintptr(fd), f.path)}
	err = w.fill(out, f)
	err = errors.Join(err, out.f.Chmod(os.FileMode(perm)), out.f.Close())
	if err != nil {
		var fe *FetchError
		if errors.As(err, &fe) {
			return fe
		}
		return fmt.Errorf("writing the file %q of a snapshot: %w", f.path, err)
	}
	f.size = out.n
	return w.setTime(f.path)
}

// fill writes a blob's bytes, converted where attributes say so.
func (w *fileWriter) fill(out io.Writer, f *planned) error {
	r := w.reader(f.part)
	kind, size, err := r.Header(f.id)
	if err != nil {
		return explainObject(err)
	}
	if kind != plumbing.BlobObject {
		return fail(KindCorrupt, "", "%q is a %s where a file was expected", f.path, kind)
	}
	if f.conv.None() {
		if err := r.WriteTo(out, f.id); err != nil {
			return explainObject(err)
		}
		return nil
	}
	// Converting takes the bytes twice, and git's encodings up to four times more.
	if size > w.memory/6 {
		return fail(KindTooLarge, "raise source.memory, or exempt it in .gitattributes with -text",
			"%q has %d bytes, too many to convert as .gitattributes asks", f.path, size)
	}
	_, data, err := r.Read(f.id)
	if err != nil {
		return explainObject(err)
	}
	_, err = out.Write(f.conv.Apply(data, f.id))
	return err
}

// measured counts what is written, for the file and for the snapshot, and holds it to the limit.
type measured struct {
	w *writer
	f *os.File
	n int64
}

func (m *measured) Write(p []byte) (int, error) {
	if total := m.w.written.Add(int64(len(p))); total > m.w.maxBytes {
		return 0, fail(KindTooLarge, "commit less, or keep large files elsewhere",
			"the tree is larger than the %d MiB that a snapshot may have", m.w.maxBytes>>20)
	}
	n, err := m.f.Write(p)
	m.n += int64(n)
	return n, err
}
