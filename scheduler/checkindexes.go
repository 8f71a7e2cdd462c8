package scheduler

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"
)

// checkIndexes compares the indexes by status and outcome with the rows: each row has its entries, and there are no more
// entries than that.
func checkIndexes(tx *bbolt.Tx, report func(string)) error {
	ended, refs, outcomes, groups := 0, 0, 0, 0
	err := tx.Bucket(bucketBuilds).ForEach(func(key, _ []byte) error {
		b, err := get[Build](tx, bucketBuilds, key)
		if err != nil {
			return nil // it was reported
		}
		if b.Ref != "" {
			refs++
			if !has(tx, bucketRefs, indexKey(refOf(b.Project, b.Ref), uint64(b.Number))) {
				report(fmt.Sprintf("state.db: build %s is missing in the index by ref", b.ID()))
			}
		}
		if !b.Status.Ended() {
			if b.Group != "" {
				groups++
				if !bytes.Equal(tx.Bucket(bucketGroups).Get(indexKey(b.Group, b.Seq)), key) {
					report(fmt.Sprintf("state.db: build %s is open and missing in the index of its concurrency group", b.ID()))
				}
			}
			return nil
		}
		ended++
		if !bytes.Equal(tx.Bucket(bucketEnded).Get(indexKey(string(b.Status), b.Seq)), key) || !has(tx, bucketEndedOf, indexKey(statusOf(b.Project, b.Status), uint64(b.Number))) {
			report(fmt.Sprintf("state.db: build %s is %s, and the indexes by status do not say so", b.ID(), b.Status))
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = tx.Bucket(bucketTriggers).ForEach(func(key, _ []byte) error {
		t, err := get[Trigger](tx, bucketTriggers, key)
		if err != nil || t.Outcome == OutcomePending {
			return nil
		}
		outcomes++
		if !has(tx, bucketOutcomes, indexKey(string(t.Outcome), decodeNumber(key))) {
			report(fmt.Sprintf("state.db: trigger %s is %s, and the index by outcome does not say so", t.ID, t.Outcome))
		}
		return nil
	})
	for bucket, want := range map[string]int{string(bucketEnded): ended, string(bucketEndedOf): ended, string(bucketRefs): refs, string(bucketOutcomes): outcomes, string(bucketGroups): groups} {
		if got := tx.Bucket([]byte(bucket)).Stats().KeyN; got != want {
			report(fmt.Sprintf("state.db: index %s has %d entries, want %d", bucket, got, want))
		}
	}
	return err
}
