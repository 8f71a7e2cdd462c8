package outbox

import (
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Waiting is an item that waits.
type Waiting struct {
	Item            // without its body
	Put   time.Time // since when
	Tries int       // that failed
	Next  time.Time // not before; zero: as soon as its lane is free
	Error string    // of the last try
}

// Count is how many items wait.
func (b *Box) Count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.lanes.of)
}

// Waiting returns the items that have waited longest, up to a number, and how many wait.
func (b *Box) Waiting(limit int) (some []Waiting, all int, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		root := tx.Bucket(bucket)
		all = int(decode(root.Get(keyWaiting)))
		c := root.Bucket(bucketItems).Cursor()
		for k, raw := c.First(); k != nil && len(some) < limit; k, raw = c.Next() {
			var r row
			if err := json.Unmarshal(raw, &r); err != nil {
				return fmt.Errorf("reading an item of the outbox: %w", err)
			}
			r.Body = nil
			some = append(some, Waiting{Item: r.Item, Put: r.Put, Tries: r.Tries, Next: r.Next, Error: r.Error})
		}
		return nil
	})
	return some, all, err
}

// Records returns what was dropped, newest first, up to a number.
func (b *Box) Records(limit int) (some []Record, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucket).Bucket(bucketRecords).Cursor()
		for k, raw := c.Last(); k != nil && len(some) < limit; k, raw = c.Prev() {
			var r Record
			if err := json.Unmarshal(raw, &r); err != nil {
				return fmt.Errorf("reading a record of the outbox: %w", err)
			}
			some = append(some, r)
		}
		return nil
	})
	return some, err
}

// Check proves the invariants of the bucket, and reports each that does not hold: each item can be read and is the one
// that its key names, there are no other keys, and as many items as are counted. A file without the bucket has no outbox yet.
func Check(tx *bbolt.Tx, report func(problem string)) error {
	root := tx.Bucket(bucket)
	if root == nil {
		return nil
	}
	items, keys := root.Bucket(bucketItems), root.Bucket(bucketKeys)
	if items == nil || keys == nil {
		report("state.db: the outbox lacks a bucket")
		return nil
	}
	n := 0
	err := items.ForEach(func(k, raw []byte) error {
		n++
		var r row
		if err := json.Unmarshal(raw, &r); err != nil {
			report(fmt.Sprintf("state.db: item %d of the outbox cannot be read: %v", decode(k), err))
		} else if got := decode(keys.Get(itemKey(r.Item))); got != decode(k) {
			report(fmt.Sprintf("state.db: item %d of the outbox is not the one of its key, which is %d", decode(k), got))
		}
		return nil
	})
	if err != nil {
		return err
	}
	named := 0
	err = keys.ForEach(func(k, seq []byte) error {
		named++
		if items.Get(seq) == nil {
			report(fmt.Sprintf("state.db: key %q of the outbox names an item that does not exist", k))
		}
		return nil
	})
	if counted := int(decode(root.Get(keyWaiting))); counted != n || named != n {
		report(fmt.Sprintf("state.db: the outbox counts %d items, has %d and keys of %d", counted, n, named))
	}
	return err
}
