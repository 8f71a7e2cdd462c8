package scheduler

import (
	"slices"

	"go.etcd.io/bbolt"
)

// maxTriggersBack bounds the triggers among which one of a pull request is looked for.
const maxTriggersBack = 10_000

// Delivered returns the trigger that a delivery made; false where it is new.
func (s *Scheduler) Delivered(delivery string) (t Trigger, ok bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		seq := tx.Bucket(bucketDeliveries).Get([]byte(delivery))
		if seq == nil {
			return nil
		}
		first, err := get[Trigger](tx, bucketTriggers, seq)
		if err == nil {
			t, ok = *first, true
		}
		return err
	})
	return t, ok, err
}

// HeadOf returns the newest trigger by which a forge told of a pull request's head, of one of these projects; false where
// it told of none, or so long ago that too much has come since.
func (s *Scheduler) HeadOf(projects []string, pullRequest int) (t Trigger, ok bool, err error) {
	concerns := func(name string) bool { return slices.Contains(projects, name) }
	err = s.db.View(func(tx *bbolt.Tx) error {
		left := maxTriggersBack
		for seq := range triggersBefore(tx, "", noCursor) {
			if left--; left < 0 {
				return nil
			}
			row, err := get[Trigger](tx, bucketTriggers, seq)
			if err != nil {
				return err
			}
			if row.Kind == KindPullRequest && row.PullRequest == pullRequest && row.Commit != "" && slices.ContainsFunc(row.Projects, concerns) {
				t, ok = *row, true
				return nil
			}
		}
		return nil
	})
	return t, ok, err
}
