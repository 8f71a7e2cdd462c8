package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/tests"
)

// MaxFailures is how many failures of a build are explained.
const MaxFailures = 10

// Failure explains one failed test of a build, from the moment on at which its job told of it.
type Failure struct {
	tests.Case         // without Details, Output and Tries
	Job        int     // its place in the plan
	Attempt    int     // of the job
	Early      bool    // the job still ran when it was told
	Excerpt    []Line  // of File around Line, at the build's commit
	First      *Result // the first of the failures that it has not recovered from; nil: this one is
	Base       *Result // its newest result on BaseRef; nil: there is none
	BaseRef    string  // of the branch that the build is compared with
	Flaky      int     // of Runs results that are kept, how many were flaky
	Runs       int
	Command    string // runs the test alone, in a checkout
}

// Line is one line of source.
type Line struct {
	Number int    `json:"number"`
	Text   string `json:"text"`
}

// Told is what an attempt told of failures, early or at its end.
type Told struct {
	Job, Attempt int
	Final        bool            // nothing will follow
	Failed       []Failure       // in the order in which the reports have them
	Passed       map[string]bool // ids of tests that succeeded
}

// apply brings a build's failures up to date. The reports at an attempt's end replace its early ones; a test that
// passes in a later attempt of a job no longer fails.
func (t Told) apply(old []Failure) []Failure {
	again := func(f *Failure) bool {
		return slices.ContainsFunc(t.Failed, func(g Failure) bool { return g.ID == f.ID })
	}
	kept := slices.DeleteFunc(slices.Clone(old), func(f Failure) bool {
		if f.Job != t.Job {
			return false
		}
		return t.Final && f.Attempt == t.Attempt && !again(&f) || f.Attempt < t.Attempt && t.Passed[f.ID] && !again(&f)
	})
	for _, f := range t.Failed {
		known := slices.ContainsFunc(kept, func(k Failure) bool { return k.ID == f.ID })
		if !known && len(kept) < MaxFailures {
			kept = append(kept, f)
		}
	}
	return kept
}

// Failures are the first failed tests of a build, in the order in which they were told of.
func (s *Store) Failures(project string, n int) (out []Failure, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		out, err = getFailures(tx, buildKey(project, n))
		return err
	})
	return out, err
}

// Explain brings a build's failures up to date, and tells whether that changed them.
func (s *Store) Explain(project string, n int, told Told) (changed bool, err error) {
	err = s.db.Update(func(tx *bbolt.Tx) error {
		key := buildKey(project, n)
		old, err := getFailures(tx, key)
		if err != nil {
			return err
		}
		now := told.apply(old)
		changed = !slices.EqualFunc(old, now, func(a, b Failure) bool { return a.ID == b.ID && a.Job == b.Job && a.Attempt == b.Attempt })
		if !changed {
			return nil
		}
		return putFailures(tx, key, now)
	})
	return changed, err
}

func getFailures(tx *bbolt.Tx, key []byte) (out []Failure, err error) {
	raw := tx.Bucket(bucketFailing).Get(key)
	if raw == nil {
		return nil, nil
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("reading the failures of a build: %w", err)
	}
	return out, nil
}

func putFailures(tx *bbolt.Tx, key []byte, all []Failure) error {
	if len(all) == 0 {
		return tx.Bucket(bucketFailing).Delete(key)
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("encoding the failures of a build: %w", err)
	}
	return tx.Bucket(bucketFailing).Put(key, raw)
}

// dropFailures removes the failures of a build and of those before it, which are older, also where no report came.
func dropFailures(tx *bbolt.Tx, b Build) error {
	last := buildKey(b.Project, b.Number)
	var gone [][]byte
	c := tx.Bucket(bucketFailing).Cursor()
	for k, _ := c.Seek(buildKey(b.Project, 0)); k != nil && bytes.Compare(k, last) <= 0; k, _ = c.Next() {
		gone = append(gone, bytes.Clone(k))
	}
	for _, k := range gone {
		if err := tx.Bucket(bucketFailing).Delete(k); err != nil {
			return err
		}
	}
	return nil
}

// settle leaves of a build's failures those that its report has in the end.
func (s *Store) settle(r *row) error {
	all, err := s.Failures(r.Build.Project, r.Build.Number)
	if err != nil || len(all) == 0 {
		return err
	}
	failed := map[string]bool{}
	err = s.each(r, func(o *Outcome) error {
		if o.Status.Bad() && !o.Flaky && !o.Quarantined {
			failed[o.ID] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(f Failure) bool { return !failed[f.ID] })
	return s.db.Update(func(tx *bbolt.Tx) error {
		return putFailures(tx, buildKey(r.Build.Project, r.Build.Number), all)
	})
}
