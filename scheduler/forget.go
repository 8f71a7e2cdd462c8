package scheduler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Keep says which builds Forget leaves; zero is no bound.
type Keep struct {
	Age    time.Duration // since their end
	Number int64         // of all projects together; the oldest go first
}

// DropBuild removes what other stores keep of a build, by the ids of its logs and artifact sets. It may be called again
// for the same build.
type DropBuild func(ctx context.Context, b *Build, blobs []string) error

// forgetRows is how many rows one transaction of Forget removes, about: who commits waits meanwhile.
const forgetRows = 1000

// Forget removes what is stored of old triggers and of the builds that they made, oldest first, some rows in each
// transaction; it returns how many builds went:
//
//  1. triggers that made builds, once all of these have ended and nothing needs their rows any more;
//  2. triggers that were skipped, by the same bounds;
//  3. pull requests that wait for approval, by their age alone: nobody has said yet that they shall not be built.
//
// What other stores keep of a build goes before its rows, which name it, so that a daemon that dies in between goes on
// with the same build. Numbers are not given again. What refers to a build that is gone, such as a retry's trigger or the jobs
// that a retry took over, says its name, and that it is no longer kept.
func (s *Scheduler) Forget(ctx context.Context, k Keep, now time.Time, drop DropBuild) (builds int, err error) {
	for _, o := range []Outcome{OutcomeBuilt, OutcomeSkipped, OutcomeWaiting} {
		n, err := s.forgetOutcome(ctx, o, k, now, drop)
		if builds += n; err != nil {
			return builds, fmt.Errorf("forgetting old builds: %w", err)
		}
	}
	return builds, nil
}

func (s *Scheduler) forgetOutcome(ctx context.Context, o Outcome, k Keep, now time.Time, drop DropBuild) (builds int, err error) {
	for ctx.Err() == nil {
		due, err := s.forgettable(o, k, now)
		if err != nil || len(due) == 0 {
			return builds, err
		}
		n, err := s.forgetAll(ctx, due, drop)
		if builds += n; err != nil {
			return builds, err
		}
	}
	return builds, ctx.Err()
}

// forgettable are the next triggers of an outcome that can go.
func (s *Scheduler) forgettable(o Outcome, k Keep, now time.Time) (due []Trigger, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		over, err := tooMany(tx, o, k.Number)
		if err != nil {
			return err
		}
		needed, err := neededBuilds(tx)
		if err != nil {
			return err
		}
		old := func(at time.Time) bool { return k.Age > 0 && now.Sub(at) > k.Age }
		prefix, c := word(string(o)), tx.Bucket(bucketOutcomes).Cursor()
		for key, _ := c.Seek(prefix); bytes.HasPrefix(key, prefix) && len(due) < forgetAtOnce; key, _ = c.Next() {
			t, err := get[Trigger](tx, bucketTriggers, key[len(key)-8:])
			if err != nil {
				return err
			}
			if over <= 0 && !old(t.Received) {
				return nil
			}
			ended, free, err := endOf(tx, t, needed)
			if err != nil {
				return err
			}
			if free && (over > 0 || old(ended)) {
				due = append(due, *t)
				over -= int64(max(len(t.Builds), 1))
			}
		}
		return nil
	})
	return due, err
}

// tooMany is by how many an outcome's builds, or its triggers where these made none, are above their bound.
func tooMany(tx *bbolt.Tx, o Outcome, bound int64) (n int64, err error) {
	if bound <= 0 || o == OutcomeWaiting {
		return 0, nil
	}
	if o == OutcomeBuilt {
		return int64(tx.Bucket(bucketOrder).Stats().KeyN) - bound, nil
	}
	prefix, c := word(string(o)), tx.Bucket(bucketOutcomes).Cursor()
	for key, _ := c.Seek(prefix); bytes.HasPrefix(key, prefix); key, _ = c.Next() {
		n++
	}
	return n - bound, nil
}

// endOf is when a trigger and the builds of it that are still there ended, and whether all may go.
func endOf(tx *bbolt.Tx, t *Trigger, needed map[string]bool) (at time.Time, free bool, err error) {
	at = t.Received
	for _, id := range t.Builds {
		key, err := keyOf(id)
		if err != nil {
			return at, false, err
		}
		b, err := get[Build](tx, bucketBuilds, key)
		if errors.Is(err, ErrNotFound) {
			continue // it went before the daemon died
		}
		if err != nil || needed[id] || !b.Status.Ended() {
			return at, false, err
		}
		if b.EndedAt.After(at) {
			at = b.EndedAt
		}
	}
	return at, true, nil
}

// neededBuilds are ended builds whose rows something still reads: a retry that is open asks the one that it retries for
// its plan and its trust, a sandbox and reports that wait to be read are found through their rows.
func neededBuilds(tx *bbolt.Tx) (map[string]bool, error) {
	needed := make(map[string]bool)
	err := tx.Bucket(bucketActive).ForEach(func(key, _ []byte) error {
		b, err := get[Build](tx, bucketBuilds, key)
		if err != nil {
			return err
		}
		return needRetried(tx, b.Trigger, needed)
	})
	if err != nil {
		return nil, err
	}
	err = tx.Bucket(bucketPending).ForEach(func(key, _ []byte) error { return needRetried(tx, triggerID(decodeNumber(key)), needed) })
	if err != nil {
		return nil, err
	}
	for _, bucket := range [][]byte{bucketSandboxes, bucketReports} {
		err := tx.Bucket(bucket).ForEach(func(key, _ []byte) error {
			row, err := get[struct {
				Build string `json:"build"`
			}](tx, bucket, key)
			if err == nil {
				needed[row.Build] = true
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return needed, nil
}

// needRetried adds the builds that a trigger retries, one after the other.
func needRetried(tx *bbolt.Tx, trigger string, needed map[string]bool) error {
	for {
		seq, err := triggerSeq(trigger)
		if err != nil {
			return err
		}
		t, err := get[Trigger](tx, bucketTriggers, number(seq))
		if err != nil || t.RetryOf == "" || needed[t.RetryOf] {
			return unlessGone(err)
		}
		needed[t.RetryOf] = true
		key, err := keyOf(t.RetryOf)
		if err != nil {
			return err
		}
		b, err := get[Build](tx, bucketBuilds, key)
		if err != nil {
			return unlessGone(err)
		}
		trigger = b.Trigger
	}
}

func unlessGone(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// forgetAll removes triggers with their builds.
func (s *Scheduler) forgetAll(ctx context.Context, all []Trigger, drop DropBuild) (builds int, err error) {
	for i := range all {
		for _, id := range all[i].Builds {
			if err := s.dropElsewhere(ctx, id, drop); err != nil {
				return 0, fmt.Errorf("build %s: %w", id, err)
			}
		}
	}
	for more := true; more; {
		n := 0
		err := s.db.Update(func(tx *bbolt.Tx) (err error) {
			n, more, err = dropTriggers(tx, all)
			return err
		})
		if err != nil {
			return builds, err
		}
		builds += n
	}
	if builds > 0 {
		s.hub.tell() // histories have them
	}
	return builds, nil
}

// dropElsewhere has other stores remove what they keep of a build.
func (s *Scheduler) dropElsewhere(ctx context.Context, id string, drop DropBuild) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	key, err := keyOf(id)
	if err != nil {
		return err
	}
	var b *Build
	var blobs []string
	err = s.db.View(func(tx *bbolt.Tx) error {
		if b, err = get[Build](tx, bucketBuilds, key); err == nil {
			blobs, err = blobsOf(tx, key)
		}
		return err
	})
	if err != nil {
		return unlessGone(err)
	}
	return drop(ctx, b, blobs)
}

// blobsOf are the ids of what a build's own attempts left in the artifact store.
func blobsOf(tx *bbolt.Tx, key []byte) (ids []string, err error) {
	jobs, err := jobsOf(tx, key)
	for i := range jobs {
		if jobs[i].TakenFrom != "" {
			continue
		}
		for k := range jobs[i].Attempts {
			ids = append(ids, jobs[i].Attempts[k].blobs()...)
		}
	}
	return ids, err
}

// dropTriggers removes triggers with their builds, as many rows as go into one transaction; it tells whether there are more.
func dropTriggers(tx *bbolt.Tx, all []Trigger) (builds int, more bool, err error) {
	room := forgetRows
	for i := range all {
		for _, id := range all[i].Builds {
			key, err := keyOf(id)
			if err != nil {
				return builds, false, err
			}
			b, err := get[Build](tx, bucketBuilds, key)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err == nil {
				room, err = dropRows(tx, key, room)
			}
			if err != nil || room <= 0 {
				return builds, true, err
			}
			if err := dropBuild(tx, key, b); err != nil {
				return builds, false, err
			}
			builds++
		}
		if err := dropTrigger(tx, all[i].ID); err != nil {
			return builds, false, err
		}
	}
	return builds, false, nil
}

// dropRows removes rows of a build's test queues and of its jobs, the last ones first, so that those which are left can be
// read in between. It returns for how many there is room yet.
func dropRows(tx *bbolt.Tx, key []byte, room int) (int, error) {
	for _, bucket := range [][]byte{bucketTestQueues, bucketJobs} {
		var gone [][]byte
		for k := range backwards(tx.Bucket(bucket), testsPrefix(key), append(bytes.Clone(key), 1)) {
			if room--; room <= 0 {
				break
			}
			gone = append(gone, bytes.Clone(k))
		}
		for _, k := range gone {
			if bytes.Equal(bucket, bucketJobs) {
				if err := dropProof(tx, k); err != nil {
					return 0, err
				}
			}
			if err := tx.Bucket(bucket).Delete(k); err != nil {
				return 0, err
			}
		}
	}
	return room, nil
}

// dropBuild removes a build's row with its plan and its indexes.
func dropBuild(tx *bbolt.Tx, key []byte, b *Build) error {
	return errors.Join(
		dropStatuses(tx, b.Project, b.Commit, func(row *statusRow) bool { return row.Build == b.Number }),
		dropComment(tx, b),
		tx.Bucket(bucketBuilds).Delete(key),
		tx.Bucket(bucketPlans).Delete(key),
		tx.Bucket(bucketOrder).Delete(number(b.Seq)),
		tx.Bucket(bucketRefs).Delete(indexKey(refOf(b.Project, b.Ref), uint64(b.Number))),
		tx.Bucket(bucketEnded).Delete(indexKey(string(b.Status), b.Seq)),
		tx.Bucket(bucketEndedOf).Delete(indexKey(statusOf(b.Project, b.Status), uint64(b.Number))))
}

// dropTrigger removes a trigger's row with its index and its delivery id, unless it was approved meanwhile.
func dropTrigger(tx *bbolt.Tx, id string) error {
	seq, err := triggerSeq(id)
	if err != nil {
		return err
	}
	t, err := get[Trigger](tx, bucketTriggers, number(seq))
	if err != nil || t.Outcome == OutcomePending {
		return unlessGone(err)
	}
	for _, build := range t.Builds {
		if key, err := keyOf(build); err != nil || tx.Bucket(bucketBuilds).Get(key) != nil {
			return err
		}
	}
	for _, name := range t.Projects {
		said := func(row *statusRow) bool { return row.Build == 0 && row.Word != nil && row.Word.Trigger == t.ID }
		if err := dropStatuses(tx, name, t.Commit, said); err != nil {
			return err
		}
	}
	deliveries := tx.Bucket(bucketDeliveries)
	if t.Delivery != "" && bytes.Equal(deliveries.Get([]byte(t.Delivery)), number(seq)) {
		err = deliveries.Delete([]byte(t.Delivery))
	}
	return errors.Join(err, forgetSame(tx, seq),
		tx.Bucket(bucketOutcomes).Delete(indexKey(string(t.Outcome), seq)),
		tx.Bucket(bucketTriggers).Delete(number(seq)))
}

// orForgotten says of a build that is not there whether it once was.
func orForgotten(tx *bbolt.Tx, id string, err error) error {
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	if project, n, bad := ParseBuildID(id); bad == nil && n <= lastNumber(tx, project) {
		return fmt.Errorf("%w: it is no longer kept, see retention.builds in runner.yml", err)
	}
	return err
}
