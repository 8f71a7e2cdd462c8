package scheduler

import (
	"fmt"

	"go.etcd.io/bbolt"
)

// checkSchedules reads the row of every schedule, as a daemon would.
func checkSchedules(tx *bbolt.Tx, report func(string)) error {
	b := tx.Bucket(bucketSchedules)
	if b == nil {
		return nil // an older release's file
	}
	return b.ForEach(func(k, _ []byte) error {
		row, err := get[scheduleRow](tx, bucketSchedules, k)
		switch {
		case err != nil:
			report(fmt.Sprintf("state.db: schedule %q: %v", k, err))
		case !row.Due.IsZero() && !row.Due.After(row.At):
			report(fmt.Sprintf("state.db: schedule %q is due at %s, which is not after %s, from which it was reckoned", k, row.Due, row.At))
		}
		return nil
	})
}
