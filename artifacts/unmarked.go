package artifacts

import (
	"context"
	"io"
	"slices"
	"sort"
)

// maxUnmarked is of how many logs without marks what was read is remembered: 24 bytes for each 128 KiB of them.
const maxUnmarked = 16

// unmarked remembers what was read of logs that older programs wrote, without marks. One is read at a time.
type unmarked struct {
	turn chan struct{}
	logs []*readMarks // the newest last
}

// readMarks is what is known of one log, which may grow.
type readMarks struct {
	gen          uint64
	lines, bytes int64
	open         bool
	marks        marksInMemory
}

// read reads what the log of row has more than is known of it.
func (u *unmarked) read(ctx context.Context, s *Store, id string, row logRow) (readMarks, error) {
	select {
	case u.turn <- struct{}{}:
		defer func() { <-u.turn }()
	case <-ctx.Done():
		return readMarks{}, ctx.Err()
	}
	known := &readMarks{gen: row.Gen}
	if i := slices.IndexFunc(u.logs, func(r *readMarks) bool { return r.gen == row.Gen }); i >= 0 {
		known = u.logs[i]
		u.logs = slices.Delete(u.logs, i, i+1)
	}
	if len(u.logs) == maxUnmarked {
		u.logs = slices.Delete(u.logs, 0, 1)
	}
	u.logs = append(u.logs, known)
	if known.bytes >= row.Bytes {
		return *known, nil
	}
	r := s.ReadLog(ctx, id, known.bytes, false)
	defer r.Close()
	err := known.take(io.LimitReader(r, row.Bytes-known.bytes))
	return *known, err
}

// take counts on. What was read before an error counts.
func (k *readMarks) take(r io.Reader) error {
	buf := make([]byte, markBytes)
	for {
		n, err := io.ReadFull(r, buf)
		for _, s := range cutStretches(buf[:n]) {
			k.marks = append(k.marks, mark{lines: k.lines, offset: k.bytes})
			k.bytes += s.bytes
			k.lines += s.lines
			k.open = buf[n-1] != '\n'
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return nil
		default:
			return err
		}
	}
}

// marksInMemory is the index of a log that was read.
type marksInMemory []mark

func (m marksInMemory) before(n int64) mark {
	return m.last(sort.Search(len(m), func(i int) bool { return m[i].lines >= n }))
}

func (m marksInMemory) at(offset int64) mark {
	return m.last(sort.Search(len(m), func(i int) bool { return m[i].offset > offset }))
}

func (m marksInMemory) last(i int) mark {
	if i == 0 {
		return mark{}
	}
	return m[i-1]
}
