package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	bolt "go.etcd.io/bbolt"
)

// LogState says how far a log is.
type LogState struct {
	Bytes     int64  // committed
	LastFrame uint64 // of the last append
	Sealed    bool   // nothing more will come
}

// AppendLog appends p to log id, which the first append makes. It is durable when AppendLog returns. frame is the
// last wire frame that p contains, counted from 1; a frame that the log already has is a repetition and changes
// nothing. With an empty p only the cursor moves; frame 0 with an empty p makes the log. Calls for one log must come
// one after the other. p should be below a few MiB, for it is one transaction. A sealed log answers ErrSealed.
func (s *Store) AppendLog(ctx context.Context, id string, frame uint64, p []byte) error {
	return s.appendLog(ctx, id, frame, p, false)
}

// EndLog is AppendLog and then SealLog, in one commit.
func (s *Store) EndLog(ctx context.Context, id string, frame uint64, p []byte) error {
	return s.appendLog(ctx, id, frame, p, true)
}

func (s *Store) appendLog(ctx context.Context, id string, frame uint64, p []byte, seal bool) error {
	if err := checkID("log", id); err != nil {
		return err
	}
	if frame == 0 && len(p) > 0 {
		return fmt.Errorf("appending to log %q: %d bytes come with frame 0, but frames count from 1", id, len(p))
	}
	blocks, stretches := s.cutBlocks(p), cutStretches(p)
	defer s.release(blocks)
	now := s.now()
	err := s.lane.write(ctx, func(tx *bolt.Tx) error {
		row, err := openLog(tx, id, now)
		if err != nil {
			return err
		}
		before := row
		if frame > row.LastFrame {
			if row.Sealed {
				return ErrSealed
			}
			if err := addMarks(tx, &row, stretches, now); err != nil {
				return err
			}
			for _, b := range blocks {
				if err := s.addBlock(tx, &row, b); err != nil {
					return err
				}
			}
			row.LastFrame, row.Updated = frame, now.UnixNano()
			if len(p) > 0 {
				row.Open = p[len(p)-1] != '\n'
			}
		}
		if seal && !row.Sealed {
			if err := s.foldTail(tx, &row); err != nil {
				return err
			}
			row.Sealed, row.Updated = true, now.UnixNano()
		}
		if row == before {
			return nil
		}
		return putLog(tx, id, before, row)
	})
	if err != nil {
		return fmt.Errorf("appending to log %q: %w", id, err)
	}
	s.waiters.wake(id)
	return nil
}

// LogState returns how far log id is, or an error that wraps fs.ErrNotExist.
func (s *Store) LogState(id string) (LogState, error) {
	var st LogState
	err := s.view(func(tx *bolt.Tx) error {
		row, err := readLog(tx, id)
		st = LogState{Bytes: row.Bytes, LastFrame: row.LastFrame, Sealed: row.Sealed}
		return err
	})
	return st, err
}

// AwaitLog waits until log id has more than so many bytes, or is sealed, and returns how far it is then. When ctx ends
// before that, it returns how far the log is, too.
func (s *Store) AwaitLog(ctx context.Context, id string, bytes int64) (LogState, error) {
	for {
		w := s.waiters.join(id) // before the state is read, or a change would be missed
		st, err := s.LogState(id)
		if err == nil && st.Bytes <= bytes && !st.Sealed {
			select {
			case <-w.changed:
				s.waiters.leave(id, w)
				continue
			case <-ctx.Done():
				err = ctx.Err()
			case <-s.closed:
				err = ErrClosed
			}
		}
		s.waiters.leave(id, w)
		return st, err
	}
}

// SealLog ends log id: followers get its last byte and the end of the stream. Sealing twice is sealing once. A log
// nobody appended to is made, empty, so that a job that printed nothing has a log.
func (s *Store) SealLog(ctx context.Context, id string) error {
	return s.appendLog(ctx, id, 0, nil, true)
}

// RemoveLog removes log id. Who reads it, reads what was committed to its end; Collect frees the space afterwards.
// Removing what is not there is no error.
func (s *Store) RemoveLog(ctx context.Context, id string) error {
	err := s.lane.write(ctx, func(tx *bolt.Tx) error {
		_, err := dropLog(tx, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("removing log %q: %w", id, err)
	}
	s.waiters.wake(id)
	return nil
}

// openLog returns the row of log id, which it makes when there is none.
func openLog(tx *bolt.Tx, id string, now time.Time) (logRow, error) {
	row, err := readLog(tx, id)
	if !errors.Is(err, fs.ErrNotExist) {
		return row, err
	}
	gen, err := newGen(tx, genRow{kind: kindLog, state: stateVisible, id: id})
	if err != nil {
		return row, err
	}
	for _, of := range [][]byte{blocksBucket, marksBucket} {
		if _, err := tx.Bucket(of).CreateBucket(key(gen)); err != nil {
			return row, err
		}
	}
	row = logRow{Gen: gen, Marked: true, Created: now.UnixNano(), Updated: now.UnixNano()}
	if err := tx.Bucket(ageBucket).Put(ageKey(row.Created, kindLog, id), []byte{}); err != nil {
		return row, err
	}
	if err := addTotals(tx, totals{Logs: 1}); err != nil {
		return row, err
	}
	return row, tx.Bucket(logsBucket).Put([]byte(id), encode(&row))
}

func putLog(tx *bolt.Tx, id string, before, row logRow) error {
	if err := addTotals(tx, totals{LogBytes: row.Bytes - before.Bytes, LogStored: row.Stored - before.Stored}); err != nil {
		return err
	}
	return tx.Bucket(logsBucket).Put([]byte(id), encode(&row))
}

// dropLog makes log id garbage and returns its generation, or 0 when there is no such log, or another id shares it.
func dropLog(tx *bolt.Tx, id string) (uint64, error) {
	row, err := readLog(tx, id)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	last, err := letGo(tx, row.Gen, id)
	gen := row.Gen
	if !last {
		gen = 0
	}
	return gen, errors.Join(
		err,
		tx.Bucket(ageBucket).Delete(ageKey(row.Created, kindLog, id)),
		addTotals(tx, totals{Logs: -1, LogBytes: -row.Bytes}),
		tx.Bucket(logsBucket).Delete([]byte(id)))
}
