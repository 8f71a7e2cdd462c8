package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"go.etcd.io/bbolt"
)

// expireAtOnce is how many builds are found at a time.
const expireAtOnce = 500

// Expire removes the tests of builds that are old, of which each project's come before the others. What the history of each
// test says of them stays. What is found expired is passed over the next time, so that the cost is that of what is new.
func (s *Store) Expire(old func(Build) bool) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	for {
		due, passed, err := s.due(old)
		if err != nil {
			return err
		}
		for _, b := range due {
			if err := s.expire(b); err != nil {
				return err
			}
		}
		if err := s.pass(passed); err != nil || len(due) < expireAtOnce {
			return err
		}
	}
}

// expire removes the tests of one build.
func (s *Store) expire(b Build) error {
	r, err := s.row(b.Project, b.Number)
	if err != nil {
		return err
	}
	gone := []uint64{r.Merged, r.Bad, r.Coverage}
	r.Merged, r.Bad, r.Coverage, r.Expired = 0, 0, 0, true
	if err := s.publish(r, gone); err != nil {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error { return dropFailures(tx, r.Build) })
}

// Forget removes all that is kept of a build that has ended but its results in the history of each test. Doing it twice is
// doing it once.
func (s *Store) Forget(project string, n int) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	r, err := s.row(project, n)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	err = s.db.Update(func(tx *bbolt.Tx) error {
		for _, blob := range append([]uint64{r.Merged, r.Bad, r.Coverage}, r.Runs...) {
			if err := loosen(tx, blob); err != nil {
				return err
			}
		}
		return errors.Join(dropFailures(tx, r.Build), tx.Bucket(bucketBuilds).Delete(buildKey(project, n)))
	})
	if err != nil {
		return err
	}
	return s.dropLoose()
}

// due finds some builds whose tests are to go, and how far each project can be passed over when they have gone.
func (s *Store) due(old func(Build) bool) (due []Build, passed map[string]int, err error) {
	passed = make(map[string]int)
	err = s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketBuilds).Cursor()
		for k, _ := c.First(); len(k) > 9 && len(due) < expireAtOnce; {
			project := string(k[:len(k)-9])
			some, last, err := dueOf(tx, c, project, old, expireAtOnce-len(due))
			if err != nil {
				return err
			}
			due, passed[project] = append(due, some...), last
			k, _ = c.Seek(append([]byte(project), 1)) // behind the project's builds, whose names end with a zero
		}
		return nil
	})
	return due, passed, err
}

// dueOf is due for the builds of one project.
func dueOf(tx *bbolt.Tx, c *bbolt.Cursor, project string, old func(Build) bool, limit int) (due []Build, passed int, err error) {
	passed = int(decodeNumber(tx.Bucket(bucketMeta).Get(passedKey(project))))
	whole := true // all up to here have gone, or are about to
	prefix := append([]byte(project), 0)
	for k, raw := c.Seek(buildKey(project, passed+1)); bytes.HasPrefix(k, prefix) && len(due) < limit; k, raw = c.Next() {
		var r struct {
			Build          Build
			Final, Expired bool
		}
		if err := json.Unmarshal(raw, &r); err != nil {
			return nil, 0, fmt.Errorf("reading the row of a build: %w", err)
		}
		if !r.Expired && !old(r.Build) {
			break
		}
		if r.Final && !r.Expired {
			due = append(due, r.Build)
		}
		if whole = whole && r.Final; whole {
			passed = r.Build.Number
		}
	}
	return due, passed, nil
}

// passedKey is where the number of the build is kept up to which all of a project have expired.
func passedKey(project string) []byte { return append([]byte("expired\x00"), project...) }

// pass notes up to which builds all have expired.
func (s *Store) pass(passed map[string]int) error {
	err := s.db.View(func(tx *bbolt.Tx) error {
		maps.DeleteFunc(passed, func(project string, n int) bool {
			return uint64(n) == decodeNumber(tx.Bucket(bucketMeta).Get(passedKey(project)))
		})
		return nil
	})
	if err != nil || len(passed) == 0 {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		for project, n := range passed {
			if err := tx.Bucket(bucketMeta).Put(passedKey(project), number(uint64(n))); err != nil {
				return err
			}
		}
		return nil
	})
}
