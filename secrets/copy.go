package secrets

import "go.etcd.io/bbolt"

// CopyTo writes the store as it is at one moment to a new file: sealed, as it lies on the disk, and without the key. It
// reports whether there is a store to copy.
func (s *Store) CopyTo(path string) (bool, error) {
	db, err := s.file(false)
	if err != nil || db == nil {
		return false, err
	}
	return true, db.View(func(tx *bbolt.Tx) error { return tx.CopyFile(path, 0o600) })
}
