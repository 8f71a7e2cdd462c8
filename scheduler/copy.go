package scheduler

import "go.etcd.io/bbolt"

// CopyState writes the state as it is at one moment to a new file, while everything goes on. Both files should be on one file
// system, which then copies by itself: for as long as that takes, no page is freed, and a write that makes the file outgrow
// its map, which is a gigabyte ahead of a small one, waits.
func (s *Scheduler) CopyState(path string) error {
	return s.db.View(func(tx *bbolt.Tx) error { return tx.CopyFile(path, 0o600) })
}
