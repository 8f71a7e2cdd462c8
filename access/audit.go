package access

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// Event is one record of the audit log: who did what to which object, and what came of it.
//
// A record is committed before what it tells of is done, and again with the result afterwards. One without a result is
// one of a daemon that ended in between: it may have been done or not, as the object itself shows.
type Event struct {
	Seq     uint64    `json:"seq"`
	At      time.Time `json:"at"`                // for people; Seq is the order
	Who     string    `json:"who,omitempty"`     // a token's name, or user:NAME; empty where nobody is known
	Address string    `json:"address,omitempty"` // of the other end, or what its trusted proxy says
	Action  string    `json:"action"`            // the operation's id in the OpenAPI document
	Object  string    `json:"object,omitempty"`
	Project string    `json:"project,omitempty"`
	Result  int       `json:"result,omitempty"` // HTTP status; 0 while it is not known
	Count   int       `json:"count,omitempty"`  // of refusals: how often, within a minute
}

// Bounds of each part of the audit log, in records. What was refused is kept apart, what those do who are no admins, and what
// those do who are admins of some projects alone, so that somebody who asks in vain ten thousand times, or logs in, or changes
// their own project again and again, pushes out none of what those did who may more.
const (
	maxEvents  = 200_000
	maxRefused = 10_000
)

// auditBuckets are the parts.
var auditBuckets = [][]byte{bucketAudit, bucketSome, bucketOthers, bucketRefused}

// atomicCounts are how many records each of them has.
type atomicCounts struct{ done, some, others, refused atomic.Int64 }

// of is the count of a part, and its bound.
func (c *atomicCounts) of(bucket []byte) (count *atomic.Int64, most int64) {
	switch string(bucket) {
	case string(bucketRefused):
		return &c.refused, maxRefused
	case string(bucketSome):
		return &c.some, maxEvents
	case string(bucketOthers):
		return &c.others, maxEvents
	}
	return &c.done, maxEvents
}

func (s *Store) countEvents(tx *bbolt.Tx) error {
	for _, bucket := range auditBuckets {
		count, _ := s.kept.of(bucket)
		count.Store(int64(tx.Bucket(bucket).Stats().KeyN))
	}
	return nil
}

// append adds a record, and removes the oldest beyond the bound.
func (s *Store) append(tx *bbolt.Tx, bucket []byte, e Event) (uint64, error) {
	seq, err := tx.Bucket(bucketAudit).NextSequence()
	if err != nil {
		return 0, err
	}
	e.Seq = seq
	b := tx.Bucket(bucket)
	if err := put(b, number(seq), e); err != nil {
		return 0, err
	}
	count, most := s.kept.of(bucket)
	change := int64(1)
	for c := b.Cursor(); count.Load()+change > most; change-- {
		if k, _ := c.First(); k == nil {
			break
		}
		if err := c.Delete(); err != nil {
			return 0, err
		}
	}
	tx.OnCommit(func() { count.Add(change) })
	return seq, nil
}

// Record commits what is about to be done by somebody with these grants, and returns the number to give to Result.
func (s *Store) Record(e Event, by Grants) (seq uint64, err error) {
	e.At = time.Now().UTC()
	bucket := bucketOthers
	switch {
	case by.May(Admin, Everything):
		bucket = bucketAudit
	case by.Somewhere(Admin):
		bucket = bucketSome
	}
	err = s.db.Batch(func(tx *bbolt.Tx) (err error) {
		seq, err = s.append(tx, bucket, e)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("writing the audit log: %w", err)
	}
	return seq, nil
}

// Result commits what came of it.
func (s *Store) Result(seq uint64, status int) error {
	err := s.db.Batch(func(tx *bbolt.Tx) error {
		var b *bbolt.Bucket
		var raw []byte
		for _, bucket := range auditBuckets {
			if b = tx.Bucket(bucket); raw == nil {
				raw = b.Get(number(seq))
			}
			if raw != nil {
				break
			}
		}
		if raw == nil {
			return nil // so much was done since that it is over the bound
		}
		var e Event
		if err := json.Unmarshal(raw, &e); err != nil {
			return err
		}
		e.Result = status
		return put(b, number(seq), e)
	})
	if err != nil {
		return fmt.Errorf("writing the audit log: %w", err)
	}
	return nil
}

// Expire removes records from before a time.
func (s *Store) Expire(before time.Time) error {
	for _, bucket := range auditBuckets {
		for more := true; more; {
			err := s.db.Update(func(tx *bbolt.Tx) (err error) {
				more, err = s.expireSome(tx, bucket, before)
				return err
			})
			if err != nil {
				return fmt.Errorf("applying retention to the audit log: %w", err)
			}
		}
	}
	return nil
}

// someRows bounds how many records one transaction looks at.
const someRows = 5000

func (s *Store) expireSome(tx *bbolt.Tx, bucket []byte, before time.Time) (more bool, err error) {
	count, _ := s.kept.of(bucket)
	c := tx.Bucket(bucket).Cursor()
	for n := 0; n < someRows; n++ {
		k, v := c.First()
		var e Event
		if k == nil || json.Unmarshal(v, &e) != nil || !e.At.Before(before) {
			return false, nil
		}
		if err := c.Delete(); err != nil {
			return false, err
		}
		tx.OnCommit(func() { count.Add(-1) })
	}
	return true, nil
}

// Filter narrows a page of the audit log to what fits all that it has.
type Filter struct {
	Who, Action, Project string
	Since                time.Time
}

func (f Filter) fits(e *Event) bool {
	return (f.Who == "" || f.Who == e.Who) && (f.Action == "" || f.Action == e.Action) && (f.Project == "" || f.Project == e.Project) && !e.At.Before(f.Since)
}

// Events returns a page of the audit log, newest first: at most limit records older than the cursor, "" for the newest. next
// is the cursor of the page that follows, or empty. A page may be short although there is more: a call looks at a bounded
// number of records.
func (s *Store) Events(f Filter, cursor string, limit int) (page []Event, next string, err error) {
	before := uint64(1<<64 - 1)
	if cursor != "" {
		if before, err = strconv.ParseUint(cursor, 10, 64); err != nil {
			return nil, "", fmt.Errorf("cursor %.80q: expected one that a former page gave: %w", cursor, ErrInvalid)
		}
	}
	var reached uint64 // all records from here on were looked at
	err = s.db.View(func(tx *bbolt.Tx) error {
		for _, bucket := range auditBuckets {
			some, last, err := newest(tx.Bucket(bucket), before, limit+1, f)
			if err != nil {
				return err
			}
			page, reached = append(page, some...), max(reached, last)
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("reading the audit log: %w", err)
	}
	slices.SortFunc(page, func(a, b Event) int { return cmp.Compare(b.Seq, a.Seq) })
	if at := slices.IndexFunc(page, func(e Event) bool { return e.Seq < reached }); at >= 0 {
		page = page[:at] // between these, another bucket may have some that were not looked at
	}
	switch {
	case len(page) > limit:
		page = page[:limit]
		next = strconv.FormatUint(page[limit-1].Seq, 10)
	case reached > 0:
		next = strconv.FormatUint(reached, 10)
	}
	return page, next, nil
}

// newest returns records older than before that fit. Where it stopped before the oldest, reached is the one it looked at last.
func newest(b *bbolt.Bucket, before uint64, limit int, f Filter) (out []Event, reached uint64, err error) {
	c := b.Cursor()
	k, v := c.Seek(number(before))
	if k == nil {
		k, v = c.Last()
	}
	for n := 0; k != nil; k, v = c.Prev() {
		seq := binary.BigEndian.Uint64(k)
		if seq >= before {
			continue
		}
		var e Event
		if err := json.Unmarshal(v, &e); err != nil {
			return nil, 0, errors.Join(fmt.Errorf("record %d cannot be read", seq), err)
		}
		if e.At.Before(f.Since) {
			return out, 0, nil
		}
		if f.fits(&e) {
			out = append(out, e)
		}
		if n++; n == someRows || len(out) == limit {
			return out, seq, nil
		}
	}
	return out, 0, nil
}
