package history

import (
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/tests"
	"github.com/runner-ci/runner/tests/quarantine"
)

// Bounds of what is told of tests in quarantine.
const (
	// Lately is how many of a test's newest results are counted.
	Lately = 20
	// CleanRuns is how often all tests of an entry must have passed in turn before it is ready to be released.
	CleanRuns = 10
)

// Held is how the tests of one entry of a quarantine did lately.
type Held struct {
	Tests     int     // with a history
	Runs, Bad int     // of the newest results of each, skips left out
	Clean     int     // how often each has passed since it failed or was flaky last: the least of all
	Last      *Result // the newest
}

// Ready tells whether the entry can go.
func (h *Held) Ready() bool { return h.Tests > 0 && h.Clean >= CleanRuns }

// Held looks up how the tests of each entry did lately.
func (s *Store) Held(project string, list quarantine.List) ([]Held, error) {
	out, last := make([]Held, len(list)), make([]point, len(list))
	matcher, place := list.Matcher(), map[*quarantine.Entry]int{}
	for i := range list {
		place[&list[i]] = i
	}
	err := s.db.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketTrends).Bucket([]byte(project))
		if bucket == nil || len(list) == 0 {
			return nil
		}
		err := bucket.ForEach(func(k, raw []byte) error {
			if len(k) == len(countKey) {
				return nil
			}
			t, err := decodeTrend(raw)
			if err != nil {
				return err
			}
			if e := matcher.Test(t.id); e != nil && len(t.results) > 0 {
				i := place[e]
				out[i].add(&t)
				if out[i].Tests == 1 || t.results[0].build > last[i].build {
					last[i] = t.results[0]
				}
			}
			return nil
		})
		for i := range out {
			if out[i].Tests > 0 {
				r := last[i].result(tx, project)
				out[i].Last = &r
			}
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the quarantined tests of project %s: %w", project, err)
	}
	return out, nil
}

// add counts one test in.
func (h *Held) add(t *trend) {
	clean, broken, runs := 0, false, 0
	for _, p := range t.results {
		if p.status != tests.Succeeded && !p.status.Bad() {
			continue
		}
		broken = broken || p.status.Bad() || p.flaky
		if !broken {
			clean++
		}
		if runs++; runs <= Lately {
			h.Runs++
			if p.status.Bad() {
				h.Bad++
			}
		}
	}
	if h.Tests++; h.Tests == 1 || clean < h.Clean {
		h.Clean = clean
	}
}
