package scheduler

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Accept stores a trigger, together with its builds where nothing speaks against making them; it is on disk when Accept
// returns, and will be acted on whatever happens next. A second
// trigger with the same delivery is not stored: its first record is returned, and created is false.
func (s *Scheduler) Accept(ctx context.Context, t Trigger) (stored Trigger, created bool, err error) {
	if s.isDraining() && t.Kind != KindPush && t.Kind != KindTag && t.Kind != KindPullRequest {
		return Trigger{}, false, fmt.Errorf("%w: it takes no new builds; try again when it is back", ErrDraining)
	}
	if err := s.checkTrigger(&t); err != nil {
		return Trigger{}, false, err
	}
	projects := s.atOnce(&t)
	var builds []Build
	err = s.db.Batch(func(tx *bbolt.Tx) error {
		created, builds = false, nil // Batch may run this twice
		if t.Delivery != "" {
			if seq := tx.Bucket(bucketDeliveries).Get([]byte(t.Delivery)); seq != nil {
				first, err := get[Trigger](tx, bucketTriggers, seq)
				if err == nil {
					stored = *first
				}
				return err
			}
		}
		seq, err := tx.Bucket(bucketTriggers).NextSequence()
		if err != nil {
			return err
		}
		stored = t
		stored.ID, stored.Received, stored.Outcome = triggerID(seq), time.Now(), OutcomePending
		key := number(seq)
		if t.Delivery != "" {
			if err := tx.Bucket(bucketDeliveries).Put([]byte(t.Delivery), key); err != nil {
				return err
			}
		}
		if len(projects) > 0 {
			builds, err = makeBuilds(tx, &stored, projects)
		} else {
			err = tx.Bucket(bucketPending).Put(key, nil)
		}
		if err != nil {
			return err
		}
		created = true
		return put(tx, bucketTriggers, key, stored)
	})
	if err != nil {
		return Trigger{}, false, fmt.Errorf("storing the trigger: %w", err)
	}
	if created {
		s.hub.tell(append([]string{stored.ID}, stored.Builds...)...)
		s.toPlan(builds)
	}
	return stored, created, nil
}

// checkTrigger refuses what can be seen to be wrong before anything is stored.
func (s *Scheduler) checkTrigger(t *Trigger) error {
	if t.Kind == KindRetry {
		return s.fillRetry(t)
	}
	for _, name := range t.Projects {
		if _, err := s.Project(name); err != nil {
			return err
		}
	}
	if len(t.Projects) == 0 {
		return errors.New("a trigger needs a project")
	}
	return nil
}

// Trigger returns one trigger.
func (s *Scheduler) Trigger(id string) (Trigger, error) {
	seq, err := triggerSeq(id)
	if err != nil {
		return Trigger{}, err
	}
	var t *Trigger
	err = s.db.View(func(tx *bbolt.Tx) error {
		t, err = get[Trigger](tx, bucketTriggers, number(seq))
		return err
	})
	if err != nil {
		return Trigger{}, fmt.Errorf("trigger %s: %w", id, err)
	}
	return *t, nil
}

// Triggers returns a page of triggers, newest first, and the cursor of the next page ("" after the last). An outcome
// chooses those that had it; "" chooses all.
func (s *Scheduler) Triggers(outcome Outcome, cursor string, limit int) (page []Trigger, next string, err error) {
	before := ^uint64(0)
	if cursor != "" {
		if before, err = triggerSeq(cursor); err != nil {
			return nil, "", fmt.Errorf("cursor: %w", err)
		}
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketTriggers).Cursor()
		for k, _ := seekBefore(c, number(before)); k != nil; k, _ = c.Prev() {
			t, err := get[Trigger](tx, bucketTriggers, k)
			if err != nil {
				return err
			}
			if outcome != "" && t.Outcome != outcome {
				continue
			}
			if len(page) == limit {
				next = page[limit-1].ID
				return nil
			}
			page = append(page, *t)
		}
		return nil
	})
	return page, next, err
}

// seekBefore moves a cursor to the last key that is smaller than key.
func seekBefore(c *bbolt.Cursor, key []byte) (k, v []byte) {
	if k, _ := c.Seek(key); k == nil {
		return c.Last()
	}
	return c.Prev()
}

// endTrigger records what became of a trigger.
func (s *Scheduler) endTrigger(t *Trigger, o Outcome, reason string) error {
	t.Outcome, t.Reason = o, reason
	err := s.db.Update(func(tx *bbolt.Tx) error { return putTrigger(tx, t) })
	s.hub.tell(t.ID)
	return err
}

func putTrigger(tx *bbolt.Tx, t *Trigger) error {
	seq, err := triggerSeq(t.ID)
	if err != nil {
		return err
	}
	if t.Outcome != OutcomePending {
		if err := tx.Bucket(bucketPending).Delete(number(seq)); err != nil {
			return err
		}
	}
	return put(tx, bucketTriggers, number(seq), t)
}

// deliveryAge is how long a delivery id is remembered. Forges let people redeliver for days, not weeks.
const deliveryAge = 30 * 24 * time.Hour

// forgetDeliveries drops delivery ids that nobody will repeat any more.
func (s *Scheduler) forgetDeliveries(now time.Time) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketDeliveries).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if len(v) != 8 {
				continue
			}
			t, err := get[Trigger](tx, bucketTriggers, number(binary.BigEndian.Uint64(v)))
			if err == nil && now.Sub(t.Received) < deliveryAge {
				continue
			}
			if err := c.Delete(); err != nil {
				return err
			}
		}
		return nil
	})
}
