package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
)

// Reader reads frames from a stream that may hold anything else besides. It never holds much more than its longest
// line, whatever the stream brings. It is not safe for concurrent use.
type Reader struct {
	src      io.Reader
	longest  int    // bytes of a line, with its newline
	buf      []byte // what has been read; [start:] is not yet consumed
	start    int
	scanned  int  // bytes of [start:] known to hold no newline
	skipping bool // inside a line that was too long
	dropped  int
	offset   int64
	err      error
	lent     json.RawMessage // memory for the next frame's body
}

// readSize is the room that each read is given. It fits a full log frame, so that a stream of them costs about
// one read a frame.
const readSize = 72 << 10

// NewReader returns a Reader of src, whose lines have up to MaxLine bytes.
func NewReader(src io.Reader) *Reader { return &Reader{src: src, longest: MaxLine} }

// NewAgentReader returns a Reader of what an agent wrote, and a job may have: its lines have up to MaxAgentLine
// bytes, so that little memory is held for a stream.
func NewAgentReader(src io.Reader) *Reader { return &Reader{src: src, longest: MaxAgentLine} }

// Read returns the next good frame. Lines that do not parse are dropped and counted, empty ones ignored. A whole
// line of another version is a *VersionError, after which Read may be called again. At the end of the stream
// Read returns io.EOF, or the error of the stream; a last line without its newline is dropped, for it may be half
// of one. The frame's body is the caller's to keep.
func (r *Reader) Read() (Frame, error) {
	for {
		line, err := r.line()
		if err != nil {
			return Frame{}, err
		}
		if len(line) == 0 {
			continue
		}
		f, err := Parse(line)
		var version *VersionError
		switch {
		case err == nil:
			f.Body, r.lent = append(r.lent[:0], f.Body...), nil
			return f, nil
		case errors.As(err, &version):
			return Frame{}, err
		default:
			r.dropped++
		}
	}
}

// Lend gives Read the memory of a body that is no longer needed, for the next one.
func (r *Reader) Lend(body json.RawMessage) { r.lent = body }

// Dropped returns how many lines were thrown away so far because they were garbage.
func (r *Reader) Dropped() int { return r.dropped }

// Offset returns the position in the stream after the line that Read read last.
func (r *Reader) Offset() int64 { return r.offset }

// line returns the next line without its newline. It points into the buffer and lives until the next call.
func (r *Reader) line() ([]byte, error) {
	for {
		if i := bytes.IndexByte(r.buf[r.start+r.scanned:], '\n'); i >= 0 {
			line := r.buf[r.start : r.start+r.scanned+i]
			r.consume(len(line) + 1)
			if r.skipping || len(line) >= r.longest {
				r.skipping = false
				r.dropped++
				continue
			}
			return line, nil
		}
		r.scanned = len(r.buf) - r.start
		if r.err != nil {
			if r.scanned > 0 || r.skipping {
				r.dropped++
				r.skipping = false
				r.consume(r.scanned)
			}
			return nil, r.err
		}
		if r.skipping || r.scanned >= r.longest {
			r.skipping = true
			r.consume(r.scanned)
		}
		r.fill()
	}
}

func (r *Reader) consume(n int) {
	r.start += n
	r.offset += int64(n)
	r.scanned = 0
}

// fill reads once. It moves what is left to the front of the buffer, and gives the room of a very long line back
// after that line.
func (r *Reader) fill() {
	left := r.buf[r.start:]
	if cap(r.buf) > 16*readSize && len(left) < readSize {
		r.buf = make([]byte, 0, 2*readSize)
	}
	r.buf = append(r.buf[:0], left...)
	r.start = 0
	r.buf = slices.Grow(r.buf, readSize)
	for range maxEmptyReads {
		n, err := r.src.Read(r.buf[len(r.buf):cap(r.buf)])
		r.buf = r.buf[:len(r.buf)+n]
		r.err = err
		if n > 0 || err != nil {
			return
		}
	}
	r.err = io.ErrNoProgress
}

// maxEmptyReads bounds how often a source may return nothing at all, as bufio does.
const maxEmptyReads = 100
