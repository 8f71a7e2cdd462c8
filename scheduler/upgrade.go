package scheduler

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"go.etcd.io/bbolt"
)

// version is that of the buckets; 0 is a new file.
func version(tx *bbolt.Tx) uint64 {
	if meta := tx.Bucket(bucketMeta); meta != nil {
		return decodeNumber(meta.Get([]byte("version")))
	}
	return 0
}

// Outdated tells whether Open will bring a file up to date first. That reads all of its pages; Open of a file that is up to
// date reads few.
func Outdated(tx *bbolt.Tx) bool { return version(tx) < schemaVersion }

// backUp copies a file of an older version beside itself.
func backUp(db *bbolt.DB, log *slog.Logger) error {
	return db.View(func(tx *bbolt.Tx) error {
		from := version(tx)
		backup := fmt.Sprintf("%s.v%d.bak", db.Path(), from)
		log.Info("upgrading the state", "from", from, "to", schemaVersion, "backup", backup)
		if err := copyTo(tx, backup); err != nil {
			return fmt.Errorf("copying it before its upgrade: %w", err)
		}
		return nil
	})
}

// copyTo writes a whole copy to path, or nothing.
func copyTo(tx *bbolt.Tx, path string) error {
	f, err := os.OpenFile(path+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // after the rename it is gone
	_, err = tx.WriteTo(f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// upgrade makes what newer versions have, some rows in each transaction: that an upgrade was done is recorded after the last,
// and doing a part of it twice is doing it once.
func upgrade(db *bbolt.DB, log *slog.Logger) error {
	old := uint64(0)
	err := db.View(func(tx *bbolt.Tx) error {
		old = version(tx)
		return nil
	})
	if err != nil || old != 1 {
		return err
	}
	if err := backUp(db, log); err != nil {
		return err
	}
	for _, part := range []func(tx *bbolt.Tx, from []byte) (next []byte, err error){indexBuilds, indexTriggers} {
		for next := []byte{}; next != nil; {
			err := db.Update(func(tx *bbolt.Tx) (err error) {
				if err = makeBuckets(tx); err == nil {
					next, err = part(tx, next)
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("making the indexes of version 2: %w", err)
			}
		}
	}
	return nil
}

// upgradeRows is how many rows one transaction of an upgrade looks at.
const upgradeRows = 5000

// someRows visits some rows of a bucket, and returns the key to go on with; nil after the last.
func someRows(b *bbolt.Bucket, from []byte, visit func(k, v []byte) error) (next []byte, err error) {
	c := b.Cursor()
	k, v := c.Seek(from)
	for n := 0; k != nil && n < upgradeRows && err == nil; n++ {
		err = visit(k, v)
		k, v = c.Next()
	}
	return bytes.Clone(k), err
}

func indexBuilds(tx *bbolt.Tx, from []byte) (next []byte, err error) {
	return someRows(tx.Bucket(bucketOrder), from, func(_, key []byte) error {
		b, err := get[Build](tx, bucketBuilds, key)
		if err != nil {
			return err
		}
		return indexBuild(tx, key, b)
	})
}

func indexTriggers(tx *bbolt.Tx, from []byte) (next []byte, err error) {
	return someRows(tx.Bucket(bucketTriggers), from, func(key, _ []byte) error {
		t, err := get[Trigger](tx, bucketTriggers, key)
		if err != nil {
			return err
		}
		return indexOutcome(tx, key, t.Outcome)
	})
}
