package scheduler

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/buildspec"
)

// Filter chooses builds of a list. Zero fields choose all.
type Filter struct {
	Project string
	Status  Status
	Ref     string      // full
	Kind    TriggerKind // of the trigger
	Author  string      // a part of the name, in whatever case
	Text    string      // a part of the title, a number, or the beginning of a commit
	Since   time.Time   // made then or later
	Until   time.Time   // made before
}

func (f Filter) match(b *Build) bool {
	return (f.Project == "" || f.Project == b.Project) && (f.Status == "" || f.Status == b.Status)
}

// Build returns one build with its plan.
func (s *Scheduler) Build(id string) (Build, error) {
	key, err := keyOf(id)
	if err != nil {
		return Build{}, err
	}
	var b *Build
	err = s.db.View(func(tx *bbolt.Tx) error {
		b, err = s.load(tx, key)
		return orForgotten(tx, id, err)
	})
	if err != nil {
		return Build{}, fmt.Errorf("build %s: %w", id, err)
	}
	return *b, nil
}

// HasEnded tells whether a build has ended. One that is not there has.
func (s *Scheduler) HasEnded(id string) bool {
	key, err := keyOf(id)
	if err != nil {
		return true
	}
	var b *Build
	err = s.db.View(func(tx *bbolt.Tx) error {
		b, err = get[Build](tx, bucketBuilds, key)
		return err
	})
	return err != nil || b.Status.Ended()
}

// Builds returns a page of builds without their plans, newest first, and the cursor of the next page. Where no index has what
// the filter chooses, a page ends after maxSifted builds that were looked at: it may be short then, or empty.
func (s *Scheduler) Builds(f Filter, cursor string, limit int) (page []Build, next string, err error) {
	before := noCursor
	if cursor != "" {
		if _, err := fmt.Sscanf(cursor, "b%d", &before); err != nil {
			return nil, "", fmt.Errorf("cursor %q: expected one that a former page gave: %w", cursor, ErrNotFound)
		}
	}
	add := func(b *Build) (more bool) {
		if len(page) == limit {
			next = fmt.Sprintf("b%d", page[limit-1].Seq)
			return false
		}
		page = append(page, *b)
		return true
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		if f.indexed() {
			return eachBuild(tx, f, before, add)
		}
		last, err := sift(tx, f, before, add)
		if last > 0 {
			next = fmt.Sprintf("b%d", last)
		}
		return err
	})
	return page, next, err
}

// eachBuild visits the builds that a filter chooses and whose sequence is below before, newest first.
func eachBuild(tx *bbolt.Tx, f Filter, before uint64, visit func(*Build) (more bool)) error {
	keys, err := buildsBefore(tx, f, before)
	if err != nil {
		return err
	}
	for key := range keys {
		b, err := get[Build](tx, bucketBuilds, key)
		if err != nil {
			return err
		}
		if f.match(b) && !visit(b) {
			return nil
		}
	}
	return nil
}

// Jobs returns a build's jobs in the plan's order.
func (s *Scheduler) Jobs(build string) ([]Job, error) {
	key, err := keyOf(build)
	if err != nil {
		return nil, err
	}
	var jobs []Job
	err = s.db.View(func(tx *bbolt.Tx) error {
		if tx.Bucket(bucketBuilds).Get(key) == nil {
			return fmt.Errorf("build %s: %w", build, orForgotten(tx, build, ErrNotFound))
		}
		if jobs, err = jobsOf(tx, key); err != nil {
			return err
		}
		return tellGroup(tx, key, jobs)
	})
	return jobs, err
}

// Queue returns the jobs that wait or run, in the order in which they came.
func (s *Scheduler) Queue() ([]Job, error) {
	var out []Job
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketActive).ForEach(func(key, _ []byte) error {
			jobs, err := jobsOf(tx, key)
			if err != nil {
				return err
			}
			for _, j := range jobs {
				if j.State != JobEnded {
					out = append(out, j)
				}
			}
			return nil
		})
	})
	return out, err
}

func getBuild(tx *bbolt.Tx, key []byte) (*Build, error) {
	b, err := get[Build](tx, bucketBuilds, key)
	if err != nil {
		return nil, err
	}
	if tx.Bucket(bucketPlans).Get(key) != nil {
		if b.Plan, err = get[buildspec.Plan](tx, bucketPlans, key); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// putBuild stores a build's row and its indexes; the plan, which never changes once made, only when it is new.
func putBuild(tx *bbolt.Tx, b *Build) error {
	key := buildKey(b.Project, b.Number)
	row := *b
	row.Plan = nil
	if b.Plan != nil && tx.Bucket(bucketPlans).Get(key) == nil {
		if err := put(tx, bucketPlans, key, b.Plan); err != nil {
			return err
		}
	}
	active := tx.Bucket(bucketActive)
	if b.Status.Ended() {
		if err := active.Delete(key); err != nil {
			return err
		}
	} else if err := active.Put(key, nil); err != nil {
		return err
	}
	if err := indexBuild(tx, key, b); err != nil {
		return err
	}
	return put(tx, bucketBuilds, key, row)
}

// newBuild numbers a build and stores it.
func newBuild(tx *bbolt.Tx, b *Build) error {
	numbers := tx.Bucket(bucketNumbers)
	b.Number = lastNumber(tx, b.Project) + 1
	if err := numbers.Put([]byte(b.Project), number(uint64(b.Number))); err != nil {
		return err
	}
	seq, err := tx.Bucket(bucketOrder).NextSequence()
	if err != nil {
		return err
	}
	b.Seq = seq
	if err := tx.Bucket(bucketOrder).Put(number(seq), buildKey(b.Project, b.Number)); err != nil {
		return err
	}
	return putBuild(tx, b)
}

func jobsOf(tx *bbolt.Tx, build []byte) ([]Job, error) {
	var jobs []Job
	prefix := append(bytes.Clone(build), 0)
	c := tx.Bucket(bucketJobs).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix) && len(k) == len(prefix)+4; k, _ = c.Next() {
		j, err := get[Job](tx, bucketJobs, k)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, *j)
	}
	return jobs, nil
}

func putJob(tx *bbolt.Tx, build []byte, index int, j *Job) error {
	return put(tx, bucketJobs, jobKey(build, index), j)
}

// findJob returns the row of a job whose place in the plan is known.
func findJob(tx *bbolt.Tx, build []byte, index int, id string) (*Job, error) {
	j, err := get[Job](tx, bucketJobs, jobKey(build, index))
	if err == nil && j.ID != id {
		err = fmt.Errorf("its place holds job %s: %w", j.ID, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", id, err)
	}
	return j, nil
}

func decodeNumber(v []byte) uint64 {
	if len(v) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}
