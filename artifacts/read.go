package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	bolt "go.etcd.io/bbolt"
)

// OpenFile opens a regular file of set id. path is as in Set.Files. The reader also is an io.Seeker and an
// io.WriterTo; it reads on although the set is removed or replaced, and must be closed. A file or set that is not
// there is an error wrapping fs.ErrNotExist; a directory or link is one wrapping fs.ErrInvalid, with the File.
func (s *Store) OpenFile(ctx context.Context, id, path string) (io.ReadCloser, File, error) {
	row, release, err := s.pinSet(id)
	if err != nil {
		return nil, File{}, err
	}
	f, err := s.file(row.Gen, path)
	if err != nil {
		release()
		return nil, File{}, fmt.Errorf("artifact set %q: %w", id, err)
	}
	file := f.public(path)
	if !file.Mode.IsRegular() {
		release()
		return nil, file, fmt.Errorf("artifact set %q: %.200q is not a regular file: %w", id, path, fs.ErrInvalid)
	}
	return &fileReader{ctx: ctx, f: f, chunks: chunkReader{segments: segmentReader{s: s}}, release: release}, file, nil
}

func (s *Store) file(gen uint64, path string) (f *fileRow, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		files, err := manifestFiles(tx, gen)
		if err != nil {
			return err
		}
		v := files.Get([]byte(path))
		if v == nil {
			return fmt.Errorf("%.200q is not in it: %w", path, fs.ErrNotExist)
		}
		f, err = parseFile(v)
		return err
	})
	return f, err
}

// chunkReader holds the chunk read last, for small files that share one. It must be closed.
type chunkReader struct {
	id       uint64 // 0 when buf holds none
	buf      []byte
	segments segmentReader
}

func (c *chunkReader) close() { c.segments.close() }

// load returns the content of a chunk, valid until the next call. The transaction lasts no longer than the copy.
func (c *chunkReader) load(id uint64) ([]byte, error) {
	if c.id == id {
		return c.buf, nil
	}
	c.id = 0
	if _, err := c.read(id); err != nil {
		return nil, fmt.Errorf("chunk %d: %w", id, err)
	}
	c.id = id
	return c.buf, nil
}

// read reads the content of a chunk into buf, and returns its row.
func (c *chunkReader) read(id uint64) (row chunkRow, err error) {
	s := c.segments.s
	err = s.view(func(tx *bolt.Tx) error {
		var stored []byte
		if row, stored, err = readChunk(tx, id); err != nil {
			return err
		}
		if need := int(row.Raw); cap(c.buf) < need {
			c.buf = make([]byte, 0, need)
		}
		if stored != nil {
			c.buf, err = s.unpack(tx, c.buf[:0], stored, row.Codec, int(row.Raw), row.CRC)
		}
		return err
	})
	if segment, _ := placed(row.Group); err == nil && segment > 0 {
		c.buf, err = c.segments.content(c.buf[:0], &row)
	}
	return row, err
}

// readChunk returns a chunk's row and its stored bytes, valid in tx; none when they lie in a segment.
func readChunk(tx *bolt.Tx, id uint64) (row chunkRow, stored []byte, err error) {
	found, err := decode(tx.Bucket(chunksBucket).Get(key(id)), &row)
	if err != nil || !found {
		return row, nil, errors.Join(fmt.Errorf("%w: it has no row", ErrDamaged), err)
	}
	if row.Raw > maxChunkBytes {
		return row, nil, fmt.Errorf("%w: it claims %d bytes", ErrDamaged, row.Raw)
	}
	if segment, _ := placed(row.Group); segment > 0 {
		return row, nil, nil
	}
	if data := tx.Bucket(dataBucket).Bucket(key(row.Group)); data != nil {
		stored = data.Get(key(id))
	}
	if len(stored) != int(row.Stored) || stored == nil {
		return row, nil, fmt.Errorf("%w: its bytes are missing: there are %d, want %d", ErrDamaged, len(stored), row.Stored)
	}
	return row, stored, nil
}

// span returns what one chunk holds of file f from byte pos on.
func (c *chunkReader) span(f *fileRow, pos int64) ([]byte, error) {
	at := f.Offset + pos
	chunk, err := c.load(f.chunk(int(at / f.Span)))
	if err != nil {
		return nil, err
	}
	from := at % f.Span
	to := min(from+f.Size-pos, f.Span)
	if to > int64(len(chunk)) {
		return nil, fmt.Errorf("%w: a chunk has %d bytes where %d are expected", ErrDamaged, len(chunk), to)
	}
	return chunk[from:to], nil
}

type fileReader struct {
	ctx     context.Context
	f       *fileRow
	chunks  chunkReader
	release func()
	pos     int64
}

func (r *fileReader) Close() error {
	r.chunks.close()
	r.release()
	return nil
}

// ahead returns what can be had of the file at pos without another transaction after this one.
func (r *fileReader) ahead() ([]byte, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	if r.pos >= r.f.Size {
		return nil, io.EOF
	}
	return r.chunks.span(r.f, r.pos)
}

func (r *fileReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b, err := r.ahead()
	if err != nil {
		return 0, err
	}
	n := copy(p, b)
	r.pos += int64(n)
	return n, nil
}

func (r *fileReader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		b, err := r.ahead()
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		n, err := w.Write(b)
		r.pos += int64(n)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

func (r *fileReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.pos
	case io.SeekEnd:
		offset += r.f.Size
	}
	if offset < 0 || whence < io.SeekStart || whence > io.SeekEnd {
		return 0, fmt.Errorf("seeking to byte %d: %w", offset, fs.ErrInvalid)
	}
	r.pos = offset
	return offset, nil
}
