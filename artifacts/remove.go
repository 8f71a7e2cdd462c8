package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// removeAtOnce bounds the logs and sets that one transaction of Remove removes.
const removeAtOnce = 200

// Remove removes the logs and sets with the given ids, as RemoveLog and RemoveSet do, many in one transaction. Nothing is
// written where none of them is there any more.
func (s *Store) Remove(ctx context.Context, ids []string) error {
	for some := range slices.Chunk(ids, removeAtOnce) {
		var found []string
		err := s.view(func(tx *bolt.Tx) error {
			for _, id := range some {
				_, noSet := readSet(tx, id)
				_, noLog := readLog(tx, id)
				if !errors.Is(noSet, fs.ErrNotExist) || !errors.Is(noLog, fs.ErrNotExist) {
					found = append(found, id)
				}
			}
			return nil
		})
		if err == nil && len(found) > 0 {
			err = s.remove(ctx, found)
		}
		if err != nil {
			return fmt.Errorf("removing logs and artifact sets: %w", err)
		}
	}
	return nil
}

func (s *Store) remove(ctx context.Context, ids []string) error {
	err := s.lane.write(ctx, func(tx *bolt.Tx) error {
		for _, id := range ids {
			_, set := dropSet(tx, id)
			_, log := dropLog(tx, id)
			if err := errors.Join(set, log); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		s.waiters.wake(id)
	}
	return nil
}
