package outbox

import (
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

func TestCheckFindsDamage(t *testing.T) {
	for says, damage := range map[string]func(root *bbolt.Bucket) error{
		"lacks a bucket":                      func(root *bbolt.Bucket) error { return root.DeleteBucket(bucketKeys) },
		"cannot be read":                      func(root *bbolt.Bucket) error { return root.Bucket(bucketItems).Put(number(1), []byte("{")) },
		"is not the one of its key":           func(root *bbolt.Bucket) error { return root.Bucket(bucketKeys).Put([]byte("k\x00a"), number(2)) },
		"names an item that does not exist":   func(root *bbolt.Bucket) error { return root.Bucket(bucketItems).Delete(number(1)) },
		"counts 7 items, has 2 and keys of 2": func(root *bbolt.Bucket) error { return root.Put(keyWaiting, number(7)) },
		"counts 2 items, has 2 and keys of 1": func(root *bbolt.Bucket) error { return root.Bucket(bucketKeys).Delete([]byte("k\x00b")) },
	} {
		db := state(t)
		put(t, open(t, db, Options{}), item("a", "x", "1"), item("b", "y", "1"))
		sound(t, db)
		var found []string
		err := db.Update(func(tx *bbolt.Tx) error {
			if err := damage(tx.Bucket(bucket)); err != nil {
				return err
			}
			return Check(tx, func(p string) { found = append(found, p) })
		})
		if err != nil || !strings.Contains(strings.Join(found, "\n"), says) {
			t.Errorf("%s: %v, found %q", says, err, found)
		}
	}
	err := state(t).View(func(tx *bbolt.Tx) error {
		return Check(tx, func(p string) { t.Errorf("a file of an older version: %s", p) })
	})
	if err != nil {
		t.Error(err)
	}
}
