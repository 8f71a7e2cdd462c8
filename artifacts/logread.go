package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	bolt "go.etcd.io/bbolt"
)

// ReadLog reads the committed bytes of log id from offset on. At the log's end it ends, or, with follow, waits for
// more until the log is sealed, ctx ends, or the store is closed. However slow the reader, it gets every byte, and
// nobody waits for it. A log that is not there is an error, wrapping fs.ErrNotExist, of the first Read, also with
// follow: make it with AppendLog(ctx, id, 0, nil) where it is to be followed before it begins. Read and Close may be
// called from different goroutines; the reader must be closed.
func (s *Store) ReadLog(ctx context.Context, id string, offset int64, follow bool) io.ReadCloser {
	ctx, cancel := context.WithCancel(ctx)
	r := &logReader{s: s, ctx: ctx, cancel: cancel, id: id, pos: offset, follow: follow, release: func() {}}
	if offset < 0 {
		r.err = fmt.Errorf("reading log %q: offset %d is negative", id, offset)
		return r
	}
	for r.err == nil {
		var row logRow
		r.err = s.view(func(tx *bolt.Tx) (err error) {
			row, err = readLog(tx, id)
			return err
		})
		if r.err == nil && s.pins.take(row.Gen) {
			r.gen, r.release = row.Gen, s.pins.release(row.Gen)
			break
		}
	}
	return r
}

type logReader struct {
	s       *Store
	ctx     context.Context
	cancel  context.CancelFunc
	release func()
	id      string
	gen     uint64
	pos     int64
	follow  bool
	sealed  bool // as last seen
	buf     []byte
	rest    []byte // of buf
	err     error
}

// Close ends the reader, and a Read that waits.
func (r *logReader) Close() error {
	r.cancel()
	r.release()
	return nil
}

func (r *logReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.rest) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		if r.err = r.ctx.Err(); r.err == nil {
			r.err = r.next()
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// next fills rest, or waits, or says why there is no more.
func (r *logReader) next() error {
	w := r.s.waiters.join(r.id) // before the state is read, or a change would be missed
	defer r.s.waiters.leave(r.id, w)
	row, here, err := r.fill()
	if err != nil {
		return fmt.Errorf("reading log %q at byte %d: %w", r.id, r.pos, err)
	}
	if here {
		r.sealed = row.Sealed
	}
	switch {
	case len(r.rest) > 0:
		return nil
	case !r.follow, r.sealed:
		return io.EOF
	case !here:
		return fmt.Errorf("log %q was removed before its end: %w", r.id, fs.ErrNotExist)
	}
	select {
	case <-w.changed:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	case <-r.s.closed:
		return ErrClosed
	}
}

// fill reads up to one block's worth of bytes from pos. It reports the log's row, and whether the log is still there.
func (r *logReader) fill() (row logRow, here bool, err error) {
	r.buf, r.rest = r.buf[:0], nil
	err = r.s.view(func(tx *bolt.Tx) error {
		row, err = readLog(tx, r.id)
		here = err == nil && row.Gen == r.gen
		if err != nil && !errors.Is(err, fs.ErrNotExist) || here && r.pos >= row.Bytes {
			return err
		}
		b, err := logBlocks(tx, r.gen)
		if err != nil {
			return err
		}
		err = r.copyBlocks(tx, b.Cursor())
		if err == nil && here && len(r.rest) == 0 {
			err = fmt.Errorf("%w: the log has %d bytes, but none here", ErrDamaged, row.Bytes)
		}
		return err
	})
	if err == nil {
		r.pos += int64(len(r.rest))
	}
	return row, here, err
}

func (r *logReader) copyBlocks(tx *bolt.Tx, c *bolt.Cursor) error {
	k, v := c.Seek(key(uint64(r.pos)))
	if k == nil {
		k, v = c.Last()
	} else if start, _ := number(k); int64(start) != r.pos {
		k, v = c.Prev()
	}
	if k == nil {
		return nil
	}
	start, _ := number(k)
	skip := r.pos - int64(start)
	if size, err := blockSize(v); err != nil || skip >= int64(size) {
		return err // pos is at the end of what there is
	}
	for ; k != nil && len(r.buf) < blockBytes; k, v = c.Next() {
		size, err := blockSize(v)
		if err != nil {
			return err
		}
		if at, _ := number(k); at != start+uint64(len(r.buf)) {
			return fmt.Errorf("%w: a block begins at byte %d, want %d", ErrDamaged, at, start+uint64(len(r.buf)))
		}
		if len(r.buf) > 0 && len(r.buf)+size > 2*blockBytes {
			break
		}
		if r.buf, err = r.s.openBlock(tx, r.buf, v); err != nil {
			return err
		}
	}
	r.rest = r.buf[skip:]
	return nil
}
