package scheduler

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"
)

// checkTold looks at what is known of the statuses and comments that forges were told. A file of an older version has none.
func checkTold(tx *bbolt.Tx, report func(string)) error {
	for _, bucket := range [][]byte{bucketStatuses, bucketComments} {
		b := tx.Bucket(bucket)
		if b == nil {
			continue
		}
		err := b.ForEach(func(k, raw []byte) error {
			var row struct {
				Build int `json:"build"`
			}
			project, _, _ := bytes.Cut(k, []byte{0})
			if err := json.Unmarshal(raw, &row); err != nil {
				report(fmt.Sprintf("state.db: row %q of %s cannot be read: %v", k, bucket, err))
			} else if row.Build > lastNumber(tx, string(project)) {
				report(fmt.Sprintf("state.db: row %q of %s names build %d, which is above its project's newest number", k, bucket, row.Build))
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
