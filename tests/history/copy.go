package history

import "go.etcd.io/bbolt"

// CopyTo writes the store as it is at one moment to a new file, while others read and write.
func (s *Store) CopyTo(path string) error {
	return s.db.View(func(tx *bbolt.Tx) error { return tx.CopyFile(path, 0o600) })
}
