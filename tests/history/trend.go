package history

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/tests"
)

// Bounds of history. Of tests beyond the bound, those go that no recent build has run.
const (
	// MaxResults is how many results of one test are kept: the newest.
	MaxResults = 100
	// MaxTests is how many tests of one project have a history.
	MaxTests = 200_000
	// recent is how many builds a test may be missing from before it can make room for others.
	recent = 200
	// testsPerCommit is how many tests are written in one transaction.
	testsPerCommit = 500
)

// trend is the history of one test as it is stored.
type trend struct {
	id      string
	results []point // newest first
}

// point is one result: of which build, how, and how long it took.
type point struct {
	build  int
	status tests.Status
	flaky  bool
	held   bool // in quarantine
	millis int64
}

// Flags beside the code of a status.
const (
	flagFlaky = 0x80
	flagHeld  = 0x40
)

var codes = []tests.Status{tests.Unknown, tests.Succeeded, tests.Failed, tests.Error, tests.Skipped}

func (t *trend) encode() []byte {
	b := binary.AppendUvarint(nil, uint64(len(t.id)))
	b = append(b, t.id...)
	for _, p := range t.results {
		code := byte(max(0, slices.Index(codes, p.status)))
		if p.flaky {
			code |= flagFlaky
		}
		if p.held {
			code |= flagHeld
		}
		b = binary.AppendUvarint(b, uint64(p.build))
		b = append(b, code)
		b = binary.AppendUvarint(b, uint64(max(0, p.millis)))
	}
	return b
}

var errTrend = errors.New("the history of a test in tests.db is damaged")

func decodeTrend(b []byte) (t trend, err error) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return t, errTrend
	}
	t.id, b = string(b[n:n+int(size)]), b[n+int(size):]
	for len(b) > 0 {
		build, n := binary.Uvarint(b)
		if n <= 0 || len(b) == n {
			return t, errTrend
		}
		code := b[n]
		millis, m := binary.Uvarint(b[n+1:])
		status := int(code &^ (flagFlaky | flagHeld))
		if m <= 0 || status >= len(codes) {
			return t, errTrend
		}
		b = b[n+1+m:]
		t.results = append(t.results, point{int(build), codes[status], code&flagFlaky != 0, code&flagHeld != 0, int64(millis)})
	}
	return t, nil
}

func trendKey(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return sum[:16]
}

// Finish adds what a build's tests came to to the history of each, once nothing will be added to the build. A fork's
// build counts for no history.
func (s *Store) Finish(project string, n int) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	r, err := s.row(project, n)
	if errors.Is(err, ErrNotFound) || err == nil && r.Final {
		return nil
	}
	if err != nil {
		return err
	}
	old := append([]uint64{r.Merged, r.Bad}, r.Runs...)
	if r.Unmerged {
		if err := s.merge(r); err != nil {
			return err
		}
		r.Unmerged = false
	}
	if err := s.settle(r); err != nil {
		return err
	}
	if !r.Build.Fork {
		if err := s.remember(r); err != nil {
			return err
		}
	}
	r.Runs, r.Final = nil, true
	return s.publish(r, old)
}

// remember writes the outcomes of a build into the history of its tests.
func (s *Store) remember(r *row) error {
	var some []trend
	flush := func() error {
		err := s.db.Update(func(tx *bbolt.Tx) error { return writeTrends(tx, r.Build, some) })
		some = some[:0]
		return err
	}
	err := s.each(r, func(o *Outcome) error {
		if o.Build {
			return nil // no test
		}
		some = append(some, trend{o.ID, []point{{r.Build.Number, o.Status, o.Flaky, o.Quarantined, o.Duration.Milliseconds()}}})
		if len(some) < testsPerCommit {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// countKey holds how many tests a project has, in its bucket: no hash is as short.
var countKey = []byte("n")

func writeTrends(tx *bbolt.Tx, b Build, some []trend) error {
	bucket, err := tx.Bucket(bucketTrends).CreateBucketIfNotExists([]byte(b.Project))
	if err != nil {
		return err
	}
	count := uint64(0)
	if v := bucket.Get(countKey); v != nil {
		count = binary.BigEndian.Uint64(v)
	}
	for i := range some {
		t, key := &some[i], trendKey(some[i].id)
		if raw := bucket.Get(key); raw != nil {
			old, err := decodeTrend(raw)
			if err != nil {
				return err
			}
			t.results = joined(old.results, t.results[0])
		} else {
			if count >= MaxTests {
				freed, err := forget(bucket, b.Number-recent)
				if err != nil {
					return err
				}
				if count -= freed; count >= MaxTests {
					continue // so many tests are in use that this one has no history
				}
			}
			count++
		}
		if err := bucket.Put(key, t.encode()); err != nil {
			return err
		}
	}
	return bucket.Put(countKey, number(count))
}

// joined puts a result among those there are, newest build first; that of the same build it replaces.
func joined(old []point, p point) []point {
	at, same := slices.BinarySearchFunc(old, p, func(a, b point) int { return b.build - a.build })
	if same {
		old[at] = p
		return old
	}
	old = slices.Insert(old, at, p)
	return old[:min(len(old), MaxResults)]
}

// forget removes the tests that no build since that number has run.
func forget(bucket *bbolt.Bucket, before int) (freed uint64, err error) {
	var keys [][]byte
	err = bucket.ForEach(func(k, raw []byte) error {
		if len(k) == len(countKey) {
			return nil
		}
		t, err := decodeTrend(raw)
		if err == nil && (len(t.results) == 0 || t.results[0].build < before) {
			keys = append(keys, slices.Clone(k))
		}
		return err
	})
	for _, k := range keys {
		if err == nil {
			err = bucket.Delete(k)
		}
	}
	return uint64(len(keys)), err
}

// Result is one result in the history of a test.
type Result struct {
	Build    Build
	Status   tests.Status
	Flaky    bool
	Held     bool // it failed in quarantine
	Duration time.Duration
}

// Test returns the history of one test, newest first.
func (s *Store) Test(project, id string) (results []Result, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketTrends).Bucket([]byte(project))
		if bucket == nil {
			return ErrNotFound
		}
		raw := bucket.Get(trendKey(id))
		if raw == nil {
			return ErrNotFound
		}
		t, err := decodeTrend(raw)
		for _, p := range t.results {
			results = append(results, p.result(tx, project))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("test %q of project %s: %w", tests.Cut(id, 300), project, err)
	}
	return results, nil
}

func (p point) result(tx *bbolt.Tx, project string) Result {
	out := Result{Build{Project: project, Number: p.build}, p.status, p.flaky, p.held, time.Duration(p.millis) * time.Millisecond}
	if raw := tx.Bucket(bucketBuilds).Get(buildKey(project, p.build)); raw != nil {
		var row struct{ Build Build }
		if json.Unmarshal(raw, &row) == nil {
			out.Build = row.Build
			out.Build.Quarantine = nil
		}
	}
	return out
}
