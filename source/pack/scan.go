package pack

import (
	"bufio"
	"context"
	"crypto"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"strconv"

	githash "github.com/go-git/go-git/v5/plumbing/hash"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zlib"
)

// incoming is a pack on its way in.
type incoming struct {
	ctx     context.Context
	file    *os.File
	limits  Limits
	in      *counted
	buf     *bufio.Reader
	size    int64 // of the file, trailer included
	entries []incomingEntry
}

// incomingEntry is what must be remembered of each object until the index is written.
type incomingEntry struct {
	offset int64
	size   int64 // inflated, of the delta itself for a delta
	id     ID    // of a delta that is not resolved yet: its base, if named by reference
	base   int32 // position of an offset delta's base, -1 for others
	head   uint8 // bytes of the header
	kind   Type
	ready  bool // id is the object's own
}

// counted copies what is read to the file, and holds it to its limit.
type counted struct {
	ctx   context.Context
	r     io.Reader
	w     io.Writer
	n     int64
	limit int64
}

func (c *counted) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, context.Cause(c.ctx)
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.limit > 0 && c.n > c.limit {
		return 0, &LimitError{What: "a pack", Got: c.n, Limit: c.limit}
	}
	if _, werr := c.w.Write(p[:n]); werr != nil {
		return 0, &writeError{werr}
	}
	return n, err
}

// writeError is a failure of our own disk, which must not be taken for damage of the input.
type writeError struct{ err error }

func (e *writeError) Error() string { return "writing a pack: " + e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

func newIncoming(ctx context.Context, r io.Reader, f *os.File, limits Limits) *incoming {
	c := &counted{ctx: ctx, r: r, w: f, limit: limits.PackBytes}
	return &incoming{ctx: ctx, file: f, limits: limits, in: c, buf: bufio.NewReaderSize(c, 1<<17)}
}

// position is how far the stream was consumed.
func (in *incoming) position() int64 { return in.in.n - int64(in.buf.Buffered()) }

// explain turns the end of the stream in the wrong place into a sentence.
func (in *incoming) explain(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &CorruptError{Offset: in.position(), Reason: "the pack ends too early: the transfer was cut short"}
	}
	return err
}

// scan is step 1: it copies the stream and parses its entries.
func (in *incoming) scan() error {
	var head [packHeader]byte
	if n, err := io.ReadFull(in.buf, head[:]); err != nil {
		if n == 0 && err == io.EOF {
			return nil // no pack at all: nothing was asked for
		}
		return err
	}
	if v := binary.BigEndian.Uint32(head[4:]); string(head[:4]) != "PACK" || v != 2 && v != 3 {
		return &CorruptError{Reason: "this is not a git pack of version 2 or 3"}
	}
	count := int64(binary.BigEndian.Uint32(head[8:]))
	if limit := in.limits.Objects; limit > 0 && count > limit {
		return &LimitError{What: "a pack's number of objects", Got: count, Limit: limit}
	}
	if count > math.MaxInt32 {
		return &LimitError{What: "a pack's number of objects", Got: count, Limit: math.MaxInt32}
	}
	in.entries = make([]incomingEntry, 0, min(count, 1<<16))
	one := &streamInflater{}
	for range count {
		if err := in.scanEntry(one); err != nil {
			return err
		}
	}
	if _, err := in.buf.Discard(packTrailer); err != nil {
		return err
	}
	in.size = in.position()
	if _, err := in.buf.Peek(1); err != io.EOF {
		if err == nil {
			return &CorruptError{Offset: in.size, Reason: "bytes follow the end of the pack"}
		}
		return err
	}
	return nil
}

func (in *incoming) scanEntry(one *streamInflater) error {
	offset := in.position()
	peek, err := in.buf.Peek(40)
	if err != nil && err != io.EOF {
		return err
	}
	h, ok := parseHeader(peek)
	if !ok {
		if len(peek) < 40 {
			return io.ErrUnexpectedEOF
		}
		return &CorruptError{Offset: offset, Reason: "no object begins here"}
	}
	_, _ = in.buf.Discard(h.length) // peeked above
	e := incomingEntry{offset: offset, size: h.size, id: h.base, base: -1, head: uint8(h.length), kind: h.kind}
	if h.distance > 0 {
		if e.base = in.entryAt(offset - h.distance); e.base < 0 {
			return &CorruptError{Offset: offset, Reason: "a delta's base is not where it says"}
		}
	}
	var sum hash.Hash
	if !isDelta(h.kind) {
		sum = one.hasher(h.kind, h.size)
	}
	if err := one.skip(in.buf, h.size, sum); err != nil {
		if errors.Is(err, errInflate) {
			return &CorruptError{Offset: offset, Reason: err.Error()}
		}
		return err
	}
	if sum != nil {
		sum.Sum(e.id[:0])
		e.ready = true
	}
	in.entries = append(in.entries, e)
	return nil
}

// entryAt finds the entry that begins at an offset, or returns -1.
func (in *incoming) entryAt(offset int64) int32 {
	lo, hi := 0, len(in.entries)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); in.entries[mid].offset < offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(in.entries) && in.entries[lo].offset == offset {
		return int32(lo)
	}
	return -1
}

// streamInflater inflates from a stream, of which it must not take one byte too many.
type streamInflater struct {
	zr  io.ReadCloser
	sum hash.Hash
	buf [32 << 10]byte
}

// hasher returns the hash that makes an object's name, which detects known attacks on SHA-1.
func (s *streamInflater) hasher(kind Type, size int64) hash.Hash {
	if s.sum == nil {
		s.sum = githash.New(crypto.SHA1)
	}
	startHash(s.sum, kind, size)
	return s.sum
}

func startHash(sum hash.Hash, kind Type, size int64) {
	sum.Reset()
	head := append(append(kind.Bytes(), ' '), strconv.FormatInt(size, 10)...)
	_, _ = sum.Write(append(head, 0))
}

// skip inflates exactly size bytes into sum, which may be nil.
func (s *streamInflater) skip(r *bufio.Reader, size int64, sum hash.Hash) error {
	var err error
	if s.zr == nil {
		s.zr, err = zlib.NewReader(r)
	} else {
		err = s.zr.(zlib.Resetter).Reset(r, nil)
	}
	if err != nil {
		return streamError(err)
	}
	for {
		n, err := s.zr.Read(s.buf[:])
		if size -= int64(n); size < 0 {
			return fmt.Errorf("%w: an object is longer than its header says", errInflate)
		}
		if sum != nil {
			_, _ = sum.Write(s.buf[:n])
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return streamError(err)
		}
	}
	if size != 0 {
		return fmt.Errorf("%w: an object is shorter than its header says", errInflate)
	}
	return nil
}

// streamError tells damage of the data from a stream that ended or failed.
func streamError(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case errors.As(err, &corrupt), errors.Is(err, zlib.ErrChecksum),
		errors.Is(err, zlib.ErrHeader), errors.Is(err, zlib.ErrDictionary):
		return errInflate
	}
	return err
}
