package scheduler

import (
	"fmt"

	"go.etcd.io/bbolt"
)

// checkProofs compares the index of proofs with the rows of jobs, both ways.
func checkProofs(tx *bbolt.Tx, report func(string)) error {
	proofs := tx.Bucket(bucketProofs)
	if proofs == nil {
		return nil // no daemon that knows of them has run on it
	}
	want := 0
	err := tx.Bucket(bucketBuilds).ForEach(func(key, _ []byte) error {
		jobs, err := jobsOf(tx, key)
		if err != nil {
			return nil // it was reported
		}
		project, n, _ := splitBuildKey(key)
		for i := range jobs {
			j := &jobs[i]
			if j.State != JobEnded || j.Key == "" {
				continue
			}
			want++
			row, err := get[proofRow](tx, bucketProofs, indexKey(proofIn(project, j.Key), n))
			switch {
			case err != nil || row.Index != i:
				report(fmt.Sprintf("state.db: job %s of %s is proof, and the index of proofs does not say so", j.ID, j.Build))
			case j.Status != Succeeded || j.TakenFrom != "":
				report(fmt.Sprintf("state.db: job %s of %s is proof, and did not succeed by itself", j.ID, j.Build))
			}
		}
		return nil
	})
	if got := proofs.Stats().KeyN; got != want {
		report(fmt.Sprintf("state.db: index %s has %d entries, want %d", bucketProofs, got, want))
	}
	return err
}

// splitBuildKey is buildKey the other way.
func splitBuildKey(key []byte) (project string, n uint64, ok bool) {
	at := len(key) - 9
	if at < 0 || key[at] != 0 {
		return "", 0, false
	}
	return string(key[:at]), decodeNumber(key[at+1:]), true
}
