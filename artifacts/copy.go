package artifacts

import (
	"context"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// Copy writes the index as it is at one moment to a new file, and then has use read the segments in which its chunks lie, by
// their paths. Nothing is freed before use returns, so that they stay as they are; what is put in meanwhile is neither
// held up nor part of the copy. Caches are none of it: an Open of the copy forgets them.
func (s *Store) Copy(ctx context.Context, path string, use func(ctx context.Context, segments []string) error) error {
	s.collecting.Lock()
	defer s.collecting.Unlock()
	var paths []string
	err := s.view(func(tx *bolt.Tx) error {
		if err := tx.CopyFile(path, 0o600); err != nil {
			return diskFull(path, err)
		}
		return tx.Bucket(segmentsBucket).ForEach(func(k, v []byte) error {
			id, named := number(k)
			if n, ok := number(v); named && ok && n > 0 {
				paths = append(paths, s.segmentPath(id))
			}
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("copying the index of artifacts: %w", err)
	}
	return use(ctx, slices.Clip(paths))
}
