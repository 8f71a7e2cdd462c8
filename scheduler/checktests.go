package scheduler

import (
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// checkTests reads a build's test queues as a daemon would.
func checkTests(tx *bbolt.Tx, key []byte, b *Build, report func(string)) {
	if tx.Bucket(bucketTestQueues) == nil {
		return // an older release's file
	}
	calls, err := loadTests(tx, key, time.Now())
	if err != nil {
		report(fmt.Sprintf("state.db: the tests of build %s: %v", b.ID(), err))
	}
	for id, c := range calls {
		if c.queue == nil {
			continue
		}
		if err := c.queue.Check(); err != nil {
			report(fmt.Sprintf("state.db: the test queue %q of build %s: %v", id, b.ID(), err))
		}
	}
}
