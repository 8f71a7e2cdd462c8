package scheduler

import (
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"
)

// checkKept looks at the rows of sandboxes that are kept. The build of one may be forgotten, for a moment.
func checkKept(tx *bbolt.Tx, report func(string)) error {
	return tx.Bucket(bucketSandboxes).ForEach(func(k, _ []byte) error {
		row, err := get[sandboxRow](tx, bucketSandboxes, k)
		if err != nil || row.Kept == nil {
			return err
		}
		key, err := keyOf(row.Build)
		if err != nil {
			report(fmt.Sprintf("state.db: the kept sandbox %s is of build %q, which is no name", row.ID, row.Build))
			return nil
		}
		if _, err := get[Build](tx, bucketBuilds, key); errors.Is(err, ErrNotFound) {
			return nil
		}
		jobs, err := jobsOf(tx, key)
		if err != nil {
			return err
		}
		fits := slices.ContainsFunc(jobs, func(j Job) bool {
			return j.ID == row.Job && j.State == JobEnded && slices.ContainsFunc(j.Attempts, func(a Attempt) bool {
				return a.Number == row.Kept.Attempt && a.Sandbox == row.ID && (a.Status == Failed || a.Status == TimedOut)
			})
		})
		if !fits {
			report(fmt.Sprintf("state.db: the sandbox %s is kept, and is not that of a failed attempt at job %s of %s", row.ID, row.Job, row.Build))
		}
		return nil
	})
}
