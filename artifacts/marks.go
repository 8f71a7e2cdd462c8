package artifacts

import (
	"bytes"
	"encoding/binary"
	"time"

	bolt "go.etcd.io/bbolt"
)

// A log has marks: byte offset, how many line ends lie before it, when what follows was appended. They are committed with the
// append, so that a line, or its time, is found by reading no more than what lies between two of them, however large the log.

const (
	// markBytes is how far apart marks are in a flood: half a block, which is what has to be opened anyway.
	markBytes = 128 << 10
	// markEvery is how far apart they are in time where little comes; the times of lines are known no better.
	markEvery = time.Second
)

// mark is one row of marks: its key is lines, then offset; its value the time.
type mark struct {
	lines  int64 // line ends before offset
	offset int64
	at     int64 // Unix, ns
}

func (m mark) key() []byte { return append(key(uint64(m.lines)), key(uint64(m.offset))...) }

func parseMark(k, v []byte) (mark, bool) {
	if len(k) != 16 || len(v) != 8 {
		return mark{}, false
	}
	n := binary.BigEndian.Uint64
	return mark{lines: int64(n(k)), offset: int64(n(k[8:])), at: int64(n(v))}, true
}

// stretch is a part of an append that has at most one mark.
type stretch struct{ bytes, lines int64 }

// cutStretches counts the line ends of an append outside of its transaction.
func cutStretches(p []byte) (out []stretch) {
	for len(p) > 0 {
		n := min(len(p), markBytes)
		out = append(out, stretch{int64(n), int64(bytes.Count(p[:n], newline))})
		p = p[n:]
	}
	return out
}

var newline = []byte{'\n'}

// addMarks makes the marks of an append, of which no byte is counted in the row yet. A log that was begun by a program which
// made none gets none.
func addMarks(tx *bolt.Tx, row *logRow, append []stretch, now time.Time) error {
	if !row.Marked {
		return nil
	}
	offset := row.Bytes
	for _, s := range append {
		since := now.UnixNano() - row.MarkTime
		if offset == 0 || offset-row.MarkOffset >= markBytes || since >= int64(markEvery) {
			m := mark{row.Lines, offset, now.UnixNano()}
			if err := logMarks(tx, row.Gen).Put(m.key(), key(uint64(m.at))); err != nil {
				return err
			}
			row.MarkOffset, row.MarkTime = offset, m.at
		}
		offset += s.bytes
		row.Lines += s.lines
	}
	return nil
}

// logMarks returns the bucket with the marks of a log's generation, nil where it has none.
func logMarks(tx *bolt.Tx, gen uint64) *bolt.Bucket { return tx.Bucket(marksBucket).Bucket(key(gen)) }

// index finds marks. The zero mark, the beginning of the log, is what it answers where there is none before.
type index interface {
	// before returns the last mark that has fewer than n line ends before it.
	before(n int64) mark
	// at returns the last mark that is not behind the offset.
	at(offset int64) mark
}

// storedMarks is the index of a log that has marks, within a transaction.
type storedMarks struct {
	cursor *bolt.Cursor
	lines  int64 // of the log
}

func (s storedMarks) before(n int64) mark { return s.last(mark{lines: n}) }

// last returns the last mark whose key is before that of m.
func (s storedMarks) last(m mark) mark {
	var k, v []byte
	if k, _ = s.cursor.Seek(m.key()); k == nil {
		k, v = s.cursor.Last()
	} else {
		k, v = s.cursor.Prev()
	}
	found, _ := parseMark(k, v)
	return found
}

// at finds by halves how many lines the mark has before it: offsets grow with them.
func (s storedMarks) at(offset int64) mark {
	low, high := int64(0), s.lines
	for low < high {
		middle := low + (high-low+1)/2
		if m, ok := parseMark(s.cursor.Seek(mark{lines: middle}.key())); ok && m.offset <= offset {
			low = m.lines
		} else {
			high = middle - 1
		}
	}
	return s.last(mark{lines: low, offset: offset + 1})
}
