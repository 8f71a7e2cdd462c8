package scheduler

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// soundRest is how long the processor is left to others between two transactions.
const soundRest = 5 * time.Millisecond

// Sound visits every page of the state, and tells of the first that is damaged. A start reads few pages, so that it need not
// wait for that; who met a damaged page later, in a goroutine that cannot know, would end the process.
func (s *Scheduler) Sound(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil { // which is how bbolt meets one
			err = fmt.Errorf("%s is damaged: %v; restore a backup", s.db.Path(), p)
		}
	}()
	for _, bucket := range allBuckets {
		for next := []byte{}; next != nil; {
			err := s.db.View(func(tx *bbolt.Tx) (err error) {
				next, err = someRows(tx.Bucket(bucket), next, func(k, v []byte) error { return nil })
				return err
			})
			if err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(soundRest):
			}
		}
	}
	return nil
}
