package scheduler

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/outbox"
)

// State is a state file opened to be looked at while no daemon runs on it.
type State struct{ db *bbolt.DB }

// OpenState opens a state file for reading alone. It fails when a daemon holds it.
func OpenState(path string) (*State, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait, ReadOnly: true})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("opening %s: a running daemon holds it; check while it is stopped (its builds go on)", path)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return &State{db: db}, nil
}

// Close closes the file.
func (st *State) Close() error { return st.db.Close() }

// Sandboxes returns the ids of the sandbox rows.
func (st *State) Sandboxes() (ids map[string]bool, err error) {
	ids = make(map[string]bool)
	err = st.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketSandboxes)
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, _ []byte) error { ids[string(k)] = true; return nil })
	})
	return ids, err
}

// Projects returns the projects that the API made.
func (st *State) Projects() (all []config.Project, err error) {
	err = st.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketProjects)
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, _ []byte) error {
			p, err := get[config.Project](tx, bucketProjects, k)
			if err == nil {
				all = append(all, *p)
			}
			return err
		})
	})
	return all, err
}

// Check proves the invariants of the state, and reports each that does not hold:
//
//  1. the file's pages are sound (bbolt's own check);
//  2. every build is in the order index, exactly the open ones are in the index of active builds;
//  3. a project's newest number is not below any of its builds';
//  4. an ended build has only ended jobs, an open one with a plan has an open job, and as many as it counts;
//  5. exactly the leased jobs have an attempt in progress, and each of these has its sandbox row, which names the job;
//  6. the test queues of every build can be read, and keep their own invariants;
//  7. pending triggers exist and are pending, deliveries name triggers that exist;
//  8. the indexes by status, ref and outcome have the builds that ended, those of a ref, and the triggers that are not
//     pending, and no more;
//  9. the index of proofs has exactly the jobs that ended with a key, and these succeeded by themselves;
//  10. every schedule's row can be read, and is due after the time from which that was reckoned;
//  11. what the outbox has can be read, lies under its keys, and is as much as it counts;
//  12. what is known of statuses and comments can be read, and no build of it is above its project's newest number;
//  13. what is known of remotes, webhooks and deliveries can be read, and lies under its keys;
//  14. a sandbox that is kept is that of an attempt which ended FAILED or TIMED_OUT, of a job that has ended.
func (st *State) Check(report func(problem string)) error {
	return st.db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			report("state.db: " + err.Error())
		}
		if tx.Bucket(bucketMeta) == nil {
			report("state.db: it has no meta bucket: this is not a runner's state")
			return nil
		}
		if err := errors.Join(checkBuilds(tx, report), outbox.Check(tx, report), checkTold(tx, report)); err != nil {
			return err
		}
		if err := errors.Join(checkSchedules(tx, report), checkKept(tx, report)); err != nil {
			return err
		}
		if err := errors.Join(checkTriggers(tx, report), checkLooks(tx, report)); err != nil || version(tx) < schemaVersion {
			return err
		}
		return errors.Join(checkIndexes(tx, report), checkProofs(tx, report))
	})
}

func checkBuilds(tx *bbolt.Tx, report func(string)) error {
	ordered := make(map[string]bool)
	err := tx.Bucket(bucketOrder).ForEach(func(k, key []byte) error {
		if tx.Bucket(bucketBuilds).Get(key) == nil {
			report(fmt.Sprintf("state.db: the order index names build %q, which does not exist", key))
		}
		ordered[string(key)] = true
		return nil
	})
	if err != nil {
		return err
	}
	return tx.Bucket(bucketBuilds).ForEach(func(key, _ []byte) error {
		b, err := getBuild(tx, key)
		if err != nil {
			report(fmt.Sprintf("state.db: build %q: %v", key, err))
			return nil
		}
		if !bytes.Equal(buildKey(b.Project, b.Number), key) {
			report(fmt.Sprintf("state.db: build %s lies under another's key", b.ID()))
		}
		if !ordered[string(key)] {
			report(fmt.Sprintf("state.db: build %s is missing in the order index", b.ID()))
		}
		// A key with an empty value is told from a missing one by its cursor.
		if k, _ := tx.Bucket(bucketActive).Cursor().Seek(key); bytes.Equal(k, key) == b.Status.Ended() {
			report(fmt.Sprintf("state.db: build %s is %s, and the index of active builds says otherwise", b.ID(), b.Status))
		}
		if lastNumber(tx, b.Project) < b.Number {
			report(fmt.Sprintf("state.db: build %s is above its project's newest number", b.ID()))
		}
		checkTests(tx, key, b, report)
		return checkJobs(tx, key, b, report)
	})
}

func checkJobs(tx *bbolt.Tx, key []byte, b *Build, report func(string)) error {
	jobs, err := jobsOf(tx, key)
	if err != nil {
		report(fmt.Sprintf("state.db: the jobs of build %s: %v", b.ID(), err))
		return nil
	}
	open := 0
	for _, j := range jobs {
		if (j.State == JobEnded) != j.Status.Ended() {
			report(fmt.Sprintf("state.db: job %s of %s is %s with the status %s", j.ID, b.ID(), j.State, j.Status))
		}
		if j.State != JobEnded {
			open++
		}
		var last Attempt
		if n := len(j.Attempts); n > 0 {
			last = j.Attempts[n-1]
		}
		running := last.Status == InProgress
		if (j.State == JobLeased) != running {
			report(fmt.Sprintf("state.db: job %s of %s is %s, and its newest attempt is %q", j.ID, b.ID(), j.State, last.Status))
		}
		if running && tx.Bucket(bucketSandboxes).Get([]byte(last.Sandbox)) == nil {
			report(fmt.Sprintf("state.db: the sandbox %s of job %s of %s has no row", last.Sandbox, j.ID, b.ID()))
		} else if row, err := get[sandboxRow](tx, bucketSandboxes, []byte(last.Sandbox)); running && (err != nil || row.Warm || row.Build != b.ID() || row.Job != j.ID) {
			report(fmt.Sprintf("state.db: the row of sandbox %s says that it is not that of job %s of %s", last.Sandbox, j.ID, b.ID()))
		}
	}
	if b.Open != 0 && b.Open != open {
		report(fmt.Sprintf("state.db: build %s counts %d open jobs and has %d", b.ID(), b.Open, open))
	}
	switch {
	case b.Status.Ended() && open > 0:
		report(fmt.Sprintf("state.db: build %s is %s with %d open jobs", b.ID(), b.Status, open))
	case !b.Status.Ended() && len(jobs) > 0 && open == 0:
		report(fmt.Sprintf("state.db: build %s is open and all its jobs have ended", b.ID()))
	}
	return nil
}

func checkTriggers(tx *bbolt.Tx, report func(string)) error {
	err := tx.Bucket(bucketPending).ForEach(func(k, _ []byte) error {
		t, err := get[Trigger](tx, bucketTriggers, k)
		if err != nil {
			report(fmt.Sprintf("state.db: pending trigger %d: %v", decodeNumber(k), err))
		} else if t.Outcome != OutcomePending {
			report(fmt.Sprintf("state.db: trigger %s is among the pending ones and is %s", t.ID, t.Outcome))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return tx.Bucket(bucketDeliveries).ForEach(func(k, v []byte) error {
		if tx.Bucket(bucketTriggers).Get(v) == nil {
			report(fmt.Sprintf("state.db: delivery %q names a trigger that does not exist", k))
		}
		return nil
	})
}
