package artifacts

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// pageRows and pageRowBytes bound what one read transaction lists.
const (
	pageRows     = 512
	pageRowBytes = 1 << 20
)

// pages calls fn with copies of the rows of a bucket, in order, outside of any transaction. Each page is read in a
// transaction of its own; rows that come or go meanwhile are seen or not.
func (s *Store) pages(ctx context.Context, bucket func(*bolt.Tx) (*bolt.Bucket, error), fn func(k, v []byte) error) error {
	var after []byte
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		rows, err := s.page(bucket, after, pageRows)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			if err := fn(r.k, r.v); err != nil {
				return err
			}
		}
		after = rows[len(rows)-1].k
	}
}

type pair struct{ k, v []byte }

// page returns copies of up to limit rows that follow the key after.
func (s *Store) page(bucket func(*bolt.Tx) (*bolt.Bucket, error), after []byte, limit int) ([]pair, error) {
	var rows []pair
	err := s.view(func(tx *bolt.Tx) error {
		b, err := bucket(tx)
		if err != nil {
			return err
		}
		c := b.Cursor()
		k, v := c.Seek(after)
		if k != nil && after != nil && bytes.Equal(k, after) {
			k, v = c.Next()
		}
		for size := 0; k != nil && len(rows) < limit && size < pageRowBytes; k, v = c.Next() {
			rows = append(rows, pair{bytes.Clone(k), bytes.Clone(v)})
			size += len(k) + len(v)
		}
		return nil
	})
	return rows, err
}

// top is a bucket for pages.
func top(name []byte) func(*bolt.Tx) (*bolt.Bucket, error) {
	return func(tx *bolt.Tx) (*bolt.Bucket, error) { return tx.Bucket(name), nil }
}

// LogInfo is a log in a listing.
type LogInfo struct {
	ID      string
	Created time.Time
	Updated time.Time // last append, or sealing
	LogState
}

// Sets lists sets by id, without their files: at most limit (1 to 512; 0 is 100) that follow cursor, which is empty
// at first. next is the cursor of the following page, empty when there is none.
func (s *Store) Sets(cursor string, limit int) (page []Set, next string, err error) {
	next, err = s.list(setsBucket, cursor, limit, func(id string, v []byte) error {
		row := &setRow{}
		if err := json.Unmarshal(v, row); err != nil {
			return fmt.Errorf("%w: the header of set %q: %w", ErrDamaged, id, err)
		}
		page = append(page, row.public(id))
		return nil
	})
	return page, next, err
}

// Logs lists logs by id, as Sets does sets.
func (s *Store) Logs(cursor string, limit int) (page []LogInfo, next string, err error) {
	next, err = s.list(logsBucket, cursor, limit, func(id string, v []byte) error {
		var row logRow
		if _, err := decode(v, &row); err != nil {
			return fmt.Errorf("log %q: %w", id, err)
		}
		page = append(page, LogInfo{
			ID: id, Created: time.Unix(0, row.Created).UTC(), Updated: time.Unix(0, row.Updated).UTC(),
			LogState: LogState{Bytes: row.Bytes, LastFrame: row.LastFrame, Sealed: row.Sealed},
		})
		return nil
	})
	return page, next, err
}

func (s *Store) list(bucket []byte, cursor string, limit int, fn func(id string, v []byte) error) (next string, err error) {
	if limit <= 0 {
		limit = 100
	}
	limit = min(limit, pageRows)
	var after []byte
	if cursor != "" {
		after = []byte(cursor)
	}
	rows, err := s.page(top(bucket), after, limit+1)
	if err != nil {
		return "", err
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = string(rows[limit-1].k)
	}
	for _, r := range rows {
		if err := fn(string(r.k), r.v); err != nil {
			return "", err
		}
	}
	return next, nil
}
