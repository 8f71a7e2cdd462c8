package artifacts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	bolt "go.etcd.io/bbolt"
)

// logs reads each log to its end, which verifies every block, and holds its marks against what it reads.
func (c *checker) logs() error {
	return c.s.pages(c.ctx, top(logsBucket), func(k, v []byte) error {
		var row logRow
		if _, err := decode(v, &row); err != nil {
			return nil // reported with the headers
		}
		r := c.s.ReadLog(c.ctx, string(k), 0, false)
		defer r.Close()
		marks := &markChecker{c: c, row: row}
		n, err := io.Copy(marks, r)
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed since
		case errors.Is(err, ErrDamaged):
			c.problem("%v", err)
		case err != nil:
			return err
		case n < row.Bytes:
			c.problem("log %q has %d bytes, want %d", k, n, row.Bytes)
		default:
			if problem := marks.verdict(); problem != "" && c.s.has(gensBucket, key(row.Gen)) {
				c.problem("log %q %s", k, problem)
			}
		}
		return nil
	})
}

// markChecker takes the bytes of a log, up to those that its row counted, and compares its marks with them.
type markChecker struct {
	c       *checker
	row     logRow
	offset  int64
	lines   int64
	open    bool
	last    []byte // key of the last mark that was seen
	queue   []mark // the next ones
	done    bool   // there are no more
	problem string // the first
}

// Write never fails.
func (m *markChecker) Write(p []byte) (int, error) {
	whole := len(p)
	if p = p[:min(int64(whole), m.row.Bytes-m.offset)]; len(p) == 0 || !m.row.Marked || m.problem != "" {
		return whole, nil
	}
	for {
		next := m.next()
		if next == nil || next.offset >= m.offset+int64(len(p)) {
			m.count(p)
			return whole, nil
		}
		m.queue = m.queue[1:]
		part := next.offset - m.offset
		if part < 0 {
			m.problem = fmt.Sprintf("has a mark at byte %d, which lies behind one at a later line", next.offset)
			return whole, nil
		}
		m.count(p[:part])
		if p = p[part:]; next.lines != m.lines {
			m.problem = fmt.Sprintf("has %d lines before byte %d, and a mark that says %d", m.lines, next.offset, next.lines)
			return whole, nil
		}
	}
}

func (m *markChecker) count(p []byte) {
	if len(p) == 0 {
		return
	}
	m.offset += int64(len(p))
	m.lines += int64(bytes.Count(p, newline))
	m.open = p[len(p)-1] != '\n'
}

// next returns the mark that comes next, or nil. Some are read at a time.
func (m *markChecker) next() *mark {
	if len(m.queue) == 0 && !m.done {
		rows, err := m.c.s.page(func(tx *bolt.Tx) (*bolt.Bucket, error) {
			if b := logMarks(tx, m.row.Gen); b != nil {
				return b, nil
			}
			return nil, ErrDamaged
		}, m.last, pageRows)
		for _, r := range rows {
			one, ok := parseMark(r.k, r.v)
			if !ok {
				m.problem = fmt.Sprintf("has a mark %x that cannot be read", r.k)
			}
			m.queue, m.last = append(m.queue, one), r.k
		}
		m.done = err != nil || len(rows) == 0
	}
	if len(m.queue) == 0 {
		return nil
	}
	return &m.queue[0]
}

// verdict tells what is wrong, once all was read.
func (m *markChecker) verdict() string {
	switch {
	case !m.row.Marked || m.problem != "":
	case m.lines != m.row.Lines || m.open != m.row.Open && m.row.Bytes > 0:
		return fmt.Sprintf("has %d lines (open at the end: %v), and its row says %d (%v)", m.lines, m.open, m.row.Lines, m.row.Open)
	case m.row.Bytes > 0 && m.last == nil:
		return "has no marks"
	}
	return m.problem
}
