package scheduler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// checkLooks sees that what is known of remotes and webhooks can be read, and is of projects whose remote is looked at.
func checkLooks(tx *bbolt.Tx, report func(string)) error {
	each := func(bucket []byte, look func(k, v []byte) error) error {
		b := tx.Bucket(bucket)
		if b == nil {
			return nil // of a daemon that was never started since
		}
		return b.ForEach(func(k, v []byte) error {
			if err := look(k, v); err != nil {
				report(fmt.Sprintf("state.db: %q in %s: %v", k, bucket, err))
			}
			return nil
		})
	}
	return errors.Join(
		each(bucketTips, func(_, v []byte) error {
			row := new(tipRow)
			return json.Unmarshal(v, row)
		}),
		each(bucketInbox, func(k, v []byte) error {
			row := new(Received)
			if err := json.Unmarshal(v, row); err != nil || row.Seq == decodeNumber(k) {
				return err
			}
			return fmt.Errorf("its number is %d", row.Seq)
		}),
		each(bucketWebhooks, func(k, v []byte) error {
			row := new(Webhook)
			if err := json.Unmarshal(v, row); err != nil || row.Project == string(k) {
				return err
			}
			return fmt.Errorf("it is of project %s", row.Project)
		}),
		each(bucketSame, func(k, _ []byte) error {
			if len(k) < 9 || !bytes.Equal(tx.Bucket(bucketDeliveries).Get(k[8:]), k[:8]) {
				return errors.New("no delivery tells the same as that trigger")
			}
			return nil
		}))
}
