//go:build linux

package agent

import (
	"bytes"

	"github.com/runner-ci/runner/runner/wire"
)

// tail reads a spool that grows, and survives one that is tampered with: what does not check is passed over, and
// when frames are missing the whole file is searched once for what is left of them.
type tail struct {
	spool    *spool
	last     uint64 // the last frame handed out
	off      int64  // where to read next
	rest     []byte // the beginning of a line whose end is not there yet
	skip     bool   // inside a line that is too long to be one
	searched uint64 // the file was searched for frames up to this one
	extra    int    // frames handed out of those that the disk did not take
	buf, out []byte
}

// tailRead is how much is read and sent at once.
const tailRead = 256 << 10

func newTail(s *spool, last uint64) *tail {
	return &tail{spool: s, last: last, off: s.before(last), buf: make([]byte, tailRead)}
}

// next returns the next good lines, and the number of the last frame in them; none when all there is was handed
// out. The lines live until the next call.
func (t *tail) next() (lines []byte, newest uint64) {
	inFile, extra := t.spool.extent() // before reading: what was written by now must be found
	for {
		n, _ := t.spool.file.ReadAt(t.buf, t.off)
		t.off += int64(n)
		if n > 0 {
			lines, held := t.good(t.buf[:n], inFile)
			if len(lines) > 0 {
				return lines, t.last
			}
			if held {
				break
			}
			continue
		}
		if t.last >= inFile || t.searched >= inFile {
			break
		}
		t.searched = inFile
		t.off, t.rest, t.skip = 0, nil, false
	}
	if t.extra >= len(extra) {
		return nil, 0
	}
	lines = bytes.Join(extra[t.extra:], nil)
	t.extra = len(extra)
	t.last = max(t.last, t.spool.newest())
	return lines, t.last
}

// good returns those lines of a piece of the file that are frames not handed out yet, up to one that is held back.
func (t *tail) good(piece []byte, inFile uint64) (lines []byte, held bool) {
	t.out = t.out[:0]
	for {
		line, after, whole := bytes.Cut(piece, []byte{'\n'})
		if !whole {
			t.keep(line)
			return t.out, false
		}
		if len(t.rest) > 0 {
			line = append(t.rest, line...)
			t.rest = t.rest[:0]
		}
		if t.skip {
			t.skip = false
			piece = after
			continue
		}
		f, err := wire.Parse(line)
		switch {
		case err != nil, f.Seq <= t.last, f.Seq > t.spool.newest():
			// A frame from the future was not written by us; believing it would hide those that are.
		case f.Seq > inFile:
			t.off -= int64(len(line) + 1 + len(after)) // to be read again
			return t.out, true
		default:
			t.last = f.Seq
			t.out = append(append(t.out, line...), '\n')
		}
		piece = after
	}
}

// keep holds the beginning of a line for the next piece.
func (t *tail) keep(part []byte) {
	t.rest = append(t.rest, part...)
	if len(t.rest) > wire.MaxLine {
		t.rest, t.skip = nil, true
	}
	if t.skip {
		t.rest = nil
	}
}
