package artifacts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	bolt "go.etcd.io/bbolt"
)

// LogLines says how many lines a log has.
type LogLines struct {
	Lines  int64 // line ends, and one more where the last line has none yet
	Open   bool  // the last line has no end yet
	Bytes  int64
	Sealed bool // nothing more will come
}

// LogLines counts the lines of log id. Of a log that has no marks, because an older program began it, what it has is read
// once for that.
func (s *Store) LogLines(ctx context.Context, id string) (LogLines, error) {
	var out LogLines
	err := s.indexed(ctx, id, func(row logRow, _ index) error {
		out = LogLines{Lines: row.Lines, Open: row.Open && row.Bytes > 0, Bytes: row.Bytes, Sealed: row.Sealed}
		if out.Open {
			out.Lines++
		}
		return nil
	})
	return out, err
}

// LineOffset returns the byte at which a line of log id begins, counted from 0; that of a line which the log does not have is
// its end.
func (s *Store) LineOffset(ctx context.Context, id string, line int64) (int64, error) {
	var from mark
	end, beyond := int64(0), false
	err := s.indexed(ctx, id, func(row logRow, marks index) error {
		end, beyond = row.Bytes, line > row.Lines
		from = marks.before(line)
		return nil
	})
	if err != nil || line <= 0 || beyond {
		return max(0, min(end, line*end)), err
	}
	r := s.ReadLog(ctx, id, from.offset, false)
	defer r.Close()
	n, err := skipLines(r, line-from.lines)
	if errors.Is(err, io.EOF) { // it has fewer lines than it counts: a log of that id was written anew meanwhile
		return end, nil
	}
	return from.offset + n, err
}

// skipLines reads up to the n-th line end, and returns how many bytes that is.
func skipLines(r io.Reader, n int64) (int64, error) {
	buf := make([]byte, 64<<10)
	read := int64(0)
	for {
		got, err := r.Read(buf)
		part := buf[:got]
		if have := int64(bytes.Count(part, newline)); have < n {
			n -= have
		} else {
			for ; n > 0; n-- {
				i := bytes.IndexByte(part, '\n') + 1
				part, read = part[i:], read+int64(i)
			}
			return read, nil
		}
		if read += int64(got); err != nil {
			return read, err
		}
	}
}

// LinesAt counts the line ends before each of some offsets of log id, which grow. An offset beyond the end counts as the end.
func (s *Store) LinesAt(ctx context.Context, id string, offsets []int64) ([]int64, error) {
	out := make([]int64, len(offsets))
	from := make([]mark, len(offsets))
	err := s.indexed(ctx, id, func(row logRow, marks index) error {
		for i, offset := range offsets {
			from[i] = marks.at(min(offset, row.Bytes))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	at := mark{offset: -1}
	var r io.ReadCloser
	defer func() {
		if r != nil {
			r.Close()
		}
	}()
	for i, offset := range offsets {
		if from[i].offset > at.offset {
			at = from[i]
			if r != nil {
				r.Close()
			}
			r = s.ReadLog(ctx, id, at.offset, false)
		}
		n, lines, err := countLines(io.LimitReader(r, offset-at.offset))
		if err != nil {
			return nil, err
		}
		at.offset += n
		at.lines += lines
		out[i] = at.lines
	}
	return out, nil
}

// countLines reads to the end, and counts bytes and line ends.
func countLines(r io.Reader) (n, lines int64, err error) {
	buf := make([]byte, 64<<10)
	for {
		got, err := r.Read(buf)
		n += int64(got)
		lines += int64(bytes.Count(buf[:got], newline))
		if err == io.EOF {
			return n, lines, nil
		}
		if err != nil {
			return n, lines, err
		}
	}
}

// LogTime says when what follows an offset was appended, at the latest where the next one begins.
type LogTime struct {
	Offset int64
	At     time.Time
}

// maxTimes bounds what LogTimes returns.
const maxTimes = 10_000

// LogTimes returns when the bytes of log id from one offset to another were appended, to the second; nothing where that is not
// known, because an older program wrote them. It returns the first 10,000 at most.
func (s *Store) LogTimes(ctx context.Context, id string, from, to int64) (out []LogTime, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		row, err := readLog(tx, id)
		if err != nil || !row.Marked || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		marks := storedMarks{logMarks(tx, row.Gen).Cursor(), row.Lines}
		first := marks.at(from)
		for k, v := marks.cursor.Seek(first.key()); k != nil && len(out) < maxTimes; k, v = marks.cursor.Next() {
			m, ok := parseMark(k, v)
			if !ok {
				return fmt.Errorf("%w: a mark of log %q cannot be read", ErrDamaged, id)
			}
			if m.offset >= to {
				return nil
			}
			out = append(out, LogTime{Offset: m.offset, At: time.Unix(0, m.at)})
		}
		return nil
	})
	return out, err
}

// indexed calls fn with the row of log id and its marks, in a transaction if it has some; else with what reading it gave, in
// its row, too.
func (s *Store) indexed(ctx context.Context, id string, fn func(row logRow, marks index) error) error {
	var row logRow
	err := s.view(func(tx *bolt.Tx) (err error) {
		if row, err = readLog(tx, id); err != nil || !row.Marked {
			return err
		}
		marks := logMarks(tx, row.Gen)
		if marks == nil {
			return fmt.Errorf("%w: log %q has no marks", ErrDamaged, id)
		}
		return fn(row, storedMarks{marks.Cursor(), row.Lines})
	})
	if err != nil || row.Marked {
		return err
	}
	read, err := s.unmarked.read(ctx, s, id, row)
	if err != nil {
		return err
	}
	row.Lines, row.Open, row.Bytes = read.lines, read.open, read.bytes
	return fn(row, read.marks)
}
