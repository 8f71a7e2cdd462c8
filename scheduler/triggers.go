package scheduler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/internal/failpoint"
)

// Accept stores a trigger, together with its builds where nothing speaks against making them; it is on disk when Accept
// returns, and will be acted on whatever happens next. A second trigger with the same delivery is not stored: its first
// record is returned, and created is false.
func (s *Scheduler) Accept(ctx context.Context, t Trigger) (stored Trigger, created bool, err error) {
	if s.isDraining() && !t.Kind.comesOnce() {
		return Trigger{}, false, fmt.Errorf("%w: it takes no new builds; try again when it is back", ErrDraining)
	}
	if err := s.checkTrigger(&t); err != nil {
		return Trigger{}, false, err
	}
	d, decided := s.atOnce(&t)
	var made made
	err = s.group.update(func(tx *bbolt.Tx) error {
		created, made.builds, made.superseded = false, nil, nil // this may run twice
		next := t
		if t.Delivery != "" {
			if seq := tx.Bucket(bucketDeliveries).Get([]byte(t.Delivery)); seq != nil {
				first, err := get[Trigger](tx, bucketTriggers, seq)
				if err == nil {
					stored = *first
				}
				return err
			}
		}
		if before, err := s.judgeTips(tx, &next); err != nil || before != nil {
			if before != nil {
				stored = *before
			}
			return err
		}
		seq, err := tx.Bucket(bucketTriggers).NextSequence()
		if err != nil {
			return err
		}
		stored = next
		stored.ID, stored.Received, stored.Outcome = triggerID(seq), time.Now(), OutcomePending
		key := number(seq)
		if t.Delivery != "" {
			if err := tx.Bucket(bucketDeliveries).Put([]byte(t.Delivery), key); err != nil {
				return err
			}
		}
		if err := moveTips(tx, &stored, seq); err != nil {
			return err
		}
		created = true
		if decided {
			made, err = s.carryOut(tx, &stored, d)
			return err
		}
		return putTrigger(tx, &stored)
	})
	if err != nil {
		return Trigger{}, false, fmt.Errorf("storing the trigger: %w", err)
	}
	failpoint.Pass("1/trigger-accepted")
	if created {
		s.hub.tell(append([]string{stored.ID}, stored.Builds...)...)
	}
	if created && stored.Outcome != OutcomePending {
		s.meter.Trigger(string(stored.Kind), string(stored.Outcome))
	}
	if created && stored.Outcome != OutcomeSkipped {
		s.toPlan(made.builds)
	}
	s.supersede(made.superseded)
	return stored, created, nil
}

// comesOnce tells whether what made the trigger will not come again: a forge or a registry reports it, or a clock has struck.
func (k TriggerKind) comesOnce() bool {
	return slices.Contains([]TriggerKind{KindPush, KindTag, KindPullRequest, KindRelease, KindComment, KindSchedule, KindRegistry}, k)
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
	s.sayLooking(t)
	return *t, nil
}

// Triggers returns a page of triggers, newest first, and the cursor of the next page ("" after the last). An outcome
// chooses those that had it; "" chooses all.
func (s *Scheduler) Triggers(outcome Outcome, cursor string, limit int) (page []Trigger, next string, err error) {
	before := noCursor
	if cursor != "" {
		if before, err = triggerSeq(cursor); err != nil {
			return nil, "", fmt.Errorf("cursor: %w", err)
		}
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		for seq := range triggersBefore(tx, outcome, before) {
			t, err := get[Trigger](tx, bucketTriggers, seq)
			if err != nil {
				return err
			}
			if len(page) == limit {
				next = page[limit-1].ID
				return nil
			}
			s.sayLooking(t)
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

func putTrigger(tx *bbolt.Tx, t *Trigger) error {
	seq, err := triggerSeq(t.ID)
	if err != nil {
		return err
	}
	pending := tx.Bucket(bucketPending)
	if t.Outcome == OutcomePending {
		err = pending.Put(number(seq), nil)
	} else {
		err = pending.Delete(number(seq))
	}
	if err != nil {
		return err
	}
	if err := indexOutcome(tx, number(seq), t.Outcome); err != nil {
		return err
	}
	return put(tx, bucketTriggers, number(seq), t)
}

// deliveryAge is how long a delivery id is remembered. Forges let people redeliver for days, not weeks.
const deliveryAge = 30 * 24 * time.Hour

// forgetAtOnce is how many triggers are looked at in one transaction: who commits waits meanwhile.
const forgetAtOnce = 200

// metaForgot is the key of the newest trigger whose delivery id was dropped.
var metaForgot = []byte("forgot")

// forgetDeliveries drops delivery ids that nobody will repeat any more. Triggers are in the order in which they came, so
// it goes on where it ended the last time and looks no further than the first that is young.
func (s *Scheduler) forgetDeliveries(ctx context.Context, now time.Time) error {
	for more := true; more && ctx.Err() == nil; {
		old, err := s.oldDeliveries(now)
		if err != nil || len(old) == 0 {
			return err
		}
		more = len(old) == forgetAtOnce
		err = s.db.Update(func(tx *bbolt.Tx) error {
			for i := range old {
				if err := forgetDelivery(tx, &old[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// oldDeliveries are the next triggers whose delivery ids can go.
func (s *Scheduler) oldDeliveries(now time.Time) (old []Trigger, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketTriggers).Cursor()
		forgot := decodeNumber(tx.Bucket(bucketMeta).Get(metaForgot))
		for k, _ := c.Seek(number(forgot + 1)); k != nil && len(old) < forgetAtOnce; k, _ = c.Next() {
			t, err := get[Trigger](tx, bucketTriggers, k)
			if err != nil {
				return err
			}
			if now.Sub(t.Received) < deliveryAge {
				return nil
			}
			old = append(old, *t)
		}
		return nil
	})
	return old, err
}

func forgetDelivery(tx *bbolt.Tx, t *Trigger) error {
	seq, err := triggerSeq(t.ID)
	if err != nil {
		return err
	}
	deliveries, id := tx.Bucket(bucketDeliveries), []byte(t.Delivery)
	if t.Delivery != "" && bytes.Equal(deliveries.Get(id), number(seq)) { // else it came again, long after
		err = deliveries.Delete(id)
	}
	return errors.Join(err, forgetSame(tx, seq), tx.Bucket(bucketMeta).Put(metaForgot, number(seq)))
}
