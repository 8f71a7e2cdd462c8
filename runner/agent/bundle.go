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
)

// bundle is an uncompressed PAX tar that is being written into the spool's directory. Compressing is the daemon's
// business: it stores chunks of what is alike between builds.
type bundle struct {
	ctx   context.Context
	dir   *os.Root
	name  string
	what  string // "artifacts", for messages
	limit int64  // bytes; 0 is none
	raw   bool   // the limit is on the tar itself; else on contents and names, as the artifact store counts

	file     *os.File
	buffered *bufio.Writer
	tar      *tar.Writer
	block    []byte // memory to copy a large file with
	written  int64  // bytes of the tar
	begun    int64  // of those, what the disk was told to begin with
	names    int64  // bytes of names
	total    int64  // bytes of content
	files    int    // entries that are no directories
	broken   bool   // it could not be written, so nothing more can be added
}

// errShrunk is what a file comes to that got shorter while it was packed. The bundle stays whole: zeros stand for
// what is missing.
var errShrunk = errors.New("it became shorter while it was packed; end what still writes to it before the build ends")

// errLimit is what an entry comes to that would make the bundle larger than its limit. Nothing of it is packed.
var errLimit = errors.New("it is over the limit")

// newBundle makes the file, in place of whatever a job put there. The caller sets limit, and ends it with finish.
func newBundle(ctx context.Context, dir *os.Root, name, what string) (*bundle, error) {
	if err := dir.RemoveAll(name); err != nil {
		return nil, fmt.Errorf("clearing the way for %s: %w", what, err)
	}
	file, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("packing %s: %w", what, err)
	}
	b := &bundle{ctx: ctx, dir: dir, name: name, what: what, file: file}
	b.buffered = bufio.NewWriterSize(file, bundleBuffer)
	b.tar = tar.NewWriter(counted{b.buffered, &b.written})
	return b, nil
}

// counted is a writer that keeps count.
type counted struct {
	to io.Writer
	n  *int64
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	*c.n += int64(n)
	return n, err
}

// begin writes an entry's header, unless that would lead over the limit.
func (b *bundle) begin(hdr *tar.Header) error {
	hdr.Format = tar.FormatPAX
	names := int64(len(hdr.Name) + len(hdr.Linkname))
	spent := b.total + b.names + names
	if b.raw {
		spent = b.written + tarOverhead + names
	}
	if b.limit > 0 && hdr.Size > b.limit-spent {
		return errLimit
	}
	b.names += names
	if hdr.Typeflag != tar.TypeDir {
		b.files++
	}
	return b.write(b.tar.WriteHeader(hdr))
}

// tarOverhead is what an entry takes at most beside its content and its names: padding, a header, the extended header
// and its own, and the end of the tar.
const tarOverhead = 6 * 512

// finish ends the bundle, and removes the file if err or the end itself went wrong.
func (b *bundle) finish(err error) error {
	if err == nil {
		// The record that these files are complete must not be more durable than they are.
		err = b.write(errors.Join(b.tar.Close(), b.buffered.Flush(), b.file.Sync()))
	}
	if err = errors.Join(err, b.file.Close()); err != nil {
		_ = b.dir.Remove(b.name) // a part of them is worth nothing, and takes room
	}
	return err
}

// write says what an error of writing means.
func (b *bundle) write(err error) error {
	b.broken = b.broken || err != nil
	if errors.Is(err, syscall.ENOSPC) {
		return mistake("no space is left for the %s after %d bytes: leave files out, or free space below the daemon's data directory", b.what, b.total)
	}
	if err != nil {
		return fmt.Errorf("packing %s: %w", b.what, err)
	}
	return nil
}

// regular adds the file at path. owner keeps its user and group. What is wrong with the file is a *clientError,
// errShrunk or errLimit; after any other error the bundle is of no use.
func (b *bundle) regular(path, name string, owner bool) error {
	if err := context.Cause(b.ctx); err != nil {
		return err
	}
	// Non-blocking, so that a FIFO which took the file's place meanwhile does not hold us.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return mistake("%s cannot be read: %v", name, reason(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return mistake("%s was replaced by something else while it was packed", name)
	}
	hdr := &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: int64(info.Mode().Perm()),
		ModTime: info.ModTime().Truncate(time.Second),
	}
	if owner {
		own(hdr, info)
	}
	if err := b.begin(hdr); err != nil {
		return err
	}
	return b.content(f, info.Size())
}

// content copies size bytes, which a file that grows or shrinks meanwhile still comes to. It is done in pieces, so
// that a job which is stopped need not wait for a large file, and the disk begins with each piece at once: little is left
// to wait for when the bundle is synced.
func (b *bundle) content(f *os.File, size int64) error {
	for left := size; left > 0; {
		if err := context.Cause(b.ctx); err != nil {
			return err
		}
		n, err := b.copy(f, min(left, bundlePiece))
		b.total += n
		left -= n
		if left > 0 {
			const begin = 2 // SYNC_FILE_RANGE_WRITE; it is a hint
			_ = syscall.SyncFileRange(int(b.file.Fd()), b.begun, b.written-b.begun, begin)
			b.begun = b.written
		}
		if errors.Is(err, io.EOF) {
			if _, err := io.CopyN(b.tar, zeros{}, left); err != nil {
				return b.write(err)
			}
			return errShrunk
		}
		if err != nil {
			return b.write(err)
		}
	}
	return nil
}

const (
	bundleBuffer = 256 << 10
	bundleBlock  = 1 << 20
	bundlePiece  = 16 << 20
)

// copy copies up to n bytes of a file, in writes that need no buffer of their own where there are many.
func (b *bundle) copy(f *os.File, n int64) (copied int64, err error) {
	if n < bundleBuffer {
		return io.CopyN(b.tar, f, n)
	}
	if b.block == nil {
		b.block = make([]byte, bundleBlock)
	}
	for copied < n && err == nil {
		var got, put int
		got, err = f.Read(b.block[:min(n-copied, bundleBlock)])
		put, werr := b.tar.Write(b.block[:got])
		copied += int64(put)
		if werr != nil {
			return copied, werr
		}
	}
	return copied, err
}

// zeros is an endless file of NULs.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// own writes a file's user and group into its header.
func own(hdr *tar.Header, info fs.FileInfo) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		hdr.Uid, hdr.Gid = int(stat.Uid), int(stat.Gid)
	}
}

// reason is an error without the path, which the message names already.
func reason(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
