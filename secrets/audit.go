package secrets

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
)

// What can happen to a secret.
const (
	ActionSet    = "set"
	ActionScope  = "scope"
	ActionRemove = "remove"
	ActionRead   = "read"
	ActionDenied = "denied"
)

// Event is one record of the audit log. It never holds a value.
type Event struct {
	Seq     uint64    `json:"seq"`
	At      time.Time `json:"at"` // for people; Seq is the order
	Action  string    `json:"action"`
	By      string    `json:"by,omitempty"`    // the token's name, for what people did
	Build   string    `json:"build,omitempty"` // for what builds asked
	Ref     string    `json:"ref,omitempty"`   // of that build
	Name    string    `json:"name"`
	Project string    `json:"project"` // of the secret, or *
	Version string    `json:"version,omitempty"`
	Field   string    `json:"field,omitempty"` // the JSON field that was asked for
}

// Bounds of the audit log, in records. Those of refused builds are kept apart, so that somebody who asks in vain ten
// thousand times pushes out none of what was really given.
const (
	maxEvents = 100_000
	maxDenied = 10_000
)

// record appends to the audit log in the transaction of what it tells of.
func record(tx *bbolt.Tx, e Event) error {
	seq, err := tx.Bucket(bucketAudit).NextSequence()
	if err != nil {
		return err
	}
	e.Seq, e.At = seq, time.Now().UTC()
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	b, most := tx.Bucket(bucketAudit), maxEvents
	if e.Action == ActionDenied {
		b, most = tx.Bucket(bucketDenied), maxDenied
	}
	if err := b.Put(number(seq), raw); err != nil {
		return err
	}
	return bound(b, most)
}

// bound removes the oldest records beyond a number of them. How many there are is counted in the bucket itself, under
// a key that no record has.
func bound(b *bbolt.Bucket, most int) error {
	count := uint64(1)
	if raw := b.Get(countKey); len(raw) == 8 {
		count = binary.BigEndian.Uint64(raw) + 1
	}
	for count > uint64(most) {
		oldest, _ := b.Cursor().First()
		if len(oldest) != 8 {
			break
		}
		if err := b.Delete(oldest); err != nil {
			return err
		}
		count--
	}
	return b.Put(countKey, number(count))
}

// countKey sorts behind every sequence number.
var countKey = []byte("\xff\xff\xff\xff\xff\xff\xff\xffcount")

// Audit returns a page of the audit log, newest first: at most limit records older than the cursor, which is "" for
// the newest, and of one secret where name is not empty. next is the cursor of the page that follows, or empty.
func (s *Store) Audit(cursor string, limit int, name string) (page []Event, next string, err error) {
	before := uint64(1<<64 - 1)
	if cursor != "" {
		if before, err = strconv.ParseUint(cursor, 10, 64); err != nil {
			return nil, "", badCursor(cursor)
		}
	}
	db, err := s.file(false)
	if err != nil || db == nil {
		return nil, "", err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		for _, bucket := range [][]byte{bucketAudit, bucketDenied} {
			some, err := newest(tx.Bucket(bucket), before, limit+1, name)
			if err != nil {
				return err
			}
			page = append(page, some...)
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("reading the audit log: %w", err)
	}
	slices.SortFunc(page, func(a, b Event) int { return cmp.Compare(b.Seq, a.Seq) })
	if len(page) > limit {
		page = page[:limit]
		next = strconv.FormatUint(page[limit-1].Seq, 10)
	}
	return page, next, nil
}

func newest(b *bbolt.Bucket, before uint64, limit int, name string) (out []Event, err error) {
	c := b.Cursor()
	k, v := c.Seek(number(before))
	if k == nil {
		k, v = c.Last()
	}
	for ; k != nil && len(out) < limit; k, v = c.Prev() {
		if len(k) != 8 || binary.BigEndian.Uint64(k) >= before {
			continue
		}
		var e Event
		if err := json.Unmarshal(v, &e); err != nil {
			return nil, errors.Join(fmt.Errorf("record %d cannot be read", binary.BigEndian.Uint64(k)), err)
		}
		if name == "" || e.Name == name {
			out = append(out, e)
		}
	}
	return out, nil
}
