package source

import (
	"errors"
	"fmt"
	"io"

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
	out := &measured{w: w.writer, fd: fd}
	err = w.fill(out, f)
	if err == nil {
		err = permit(fd, perm)
	}
	if closed := unix.Close(fd); err == nil {
		err = closed
	}
	if err != nil {
		var fe *FetchError
		if errors.As(err, &fe) {
			return fe
		}
		return fmt.Errorf("writing the file %q of a snapshot: %w", f.path, err)
	}
	f.size, f.when = out.n, w.when
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
		return w.explain(r.WriteTo(out, f.id))
	}
	// Converting takes the bytes twice, and git's encodings up to four times more.
	if size > w.memory/6 {
		return fail(KindTooLarge, "raise source.memory, or exempt it in .gitattributes with -text",
			"%q has %d bytes, too many to convert as .gitattributes asks", f.path, size)
	}
	_, data, err := r.Read(f.id)
	if err != nil {
		return w.explain(err)
	}
	_, err = out.Write(f.conv.Apply(data, f.id))
	return err
}

func (w *fileWriter) explain(err error) error {
	if err == nil {
		return nil
	}
	return explainObject(w.req.memoryOr(err))
}

// permit gives a file its permissions where the umask has taken some: a change of an inode costs more than a look.
func permit(fd int, perm uint32) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || uint32(st.Mode)&0o777 == perm {
		return err
	}
	return unix.Fchmod(fd, perm)
}

// count holds the snapshot to its limit.
func (w *writer) count(n int64) error {
	if w.bytes.Add(n) > w.maxBytes {
		return fail(KindTooLarge, "commit less, or keep large files elsewhere",
			"the tree is larger than the %d MiB that a snapshot may have", w.maxBytes>>20)
	}
	return nil
}

// measured counts what is written, for the file and for the snapshot, and holds it to the limit.
type measured struct {
	w  *writer
	fd int
	n  int64
}

func (m *measured) Write(p []byte) (int, error) {
	if err := m.w.count(int64(len(p))); err != nil {
		return 0, err
	}
	done := 0
	for done < len(p) {
		n, err := unix.Write(m.fd, p[done:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return done, err
		}
		done += n
		m.n += int64(n)
	}
	return done, nil
}
