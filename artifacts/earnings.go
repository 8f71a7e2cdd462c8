package artifacts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// What a cache earns is told from what jobs of one name took that were given it, and what others took that were not.
// Every scope, digest of paths and job has an account of its own.

const (
	// accountRuns is how many of the last runs of either kind are looked at.
	accountRuns = 20
	// judgedRuns is how many of either kind it takes to turn a cache off.
	judgedRuns = 5
)

// layered is the end of a digest of paths whose cache is kept as layers.
const layered = "+layers"

// LayeredPaths is the digest of paths under which their cache is kept as layers: tars have their own.
func LayeredPaths(paths string) string { return paths + layered }

// CacheRun is what one job had of its cache. Whether that is kept as layers is all the same: Paths is the digest of a tar.
type CacheRun struct {
	Attempt string // the run of an attempt counts once
	Job     string
	Scope   string // in which it leaves its own
	Paths   string
	Hit     bool          // it was given one
	Work    time.Duration // of its phases
	Restore time.Duration
	Save    time.Duration
}

// Earnings is what is known of the caches of a scope and of paths, of whatever key. Known tells that there were runs of both
// kinds, which PerHit takes.
type Earnings struct {
	Hits, Misses  int           // runs that were looked at
	Restore, Save time.Duration // medians
	PerHit        time.Duration // by how much a job is shorter that is given one, with what that costs; negative: longer
	Known         bool
	Off           bool // it cost more than it saved, and is not used any more

	known int // hits that PerHit is of
}

// account is a row of earnings.
type account struct {
	Hits    []cost `json:"hits,omitempty"`   // the newest last
	Misses  []cost `json:"misses,omitempty"` // without a restore
	Last    string `json:"last,omitempty"`   // attempt
	Updated int64  `json:"updated"`          // Unix, ns
	Off     bool   `json:"off,omitempty"`
}

// cost is of one run, in milliseconds.
type cost struct {
	Work    int64 `json:"work"`
	Restore int64 `json:"restore,omitempty"`
	Save    int64 `json:"save,omitempty"`
}

func accountKey(scope, paths, job string) []byte {
	return []byte(scope + "\x00" + strings.TrimSuffix(paths, layered) + "\x00" + job)
}

// NoteCacheRun notes what a job that succeeded had of its cache. It returns true when it turns the cache off with that.
func (s *Store) NoteCacheRun(ctx context.Context, r CacheRun) (off bool, err error) {
	if err := (CacheMeta{Scope: r.Scope, Paths: r.Paths}).check(); err != nil {
		return false, err
	}
	if len(r.Job) > maxKeyBytes || len(r.Attempt) > maxScopeBytes || strings.ContainsRune(r.Job, 0) {
		return false, fmt.Errorf("the job's name %.40q cannot be in an account of a cache", r.Job)
	}
	k := accountKey(r.Scope, r.Paths, r.Job)
	err = s.lane.write(ctx, func(tx *bolt.Tx) error {
		a, err := readAccount(tx, k)
		if err != nil || a.Last == r.Attempt && r.Attempt != "" {
			return err
		}
		was := a.Off
		a.note(r)
		a.Last, a.Updated = r.Attempt, s.now().UnixNano()
		off = a.Off && !was
		v, err := json.Marshal(a)
		return errors.Join(err, tx.Bucket(earningsBucket).Put(k, v))
	})
	return off, err
}

func (a *account) note(r CacheRun) {
	list := &a.Misses
	if r.Hit {
		list = &a.Hits
	}
	*list = append(*list, cost{r.Work.Milliseconds(), r.Restore.Milliseconds(), r.Save.Milliseconds()})
	*list = (*list)[max(0, len(*list)-accountRuns):]
	if len(a.Hits) >= judgedRuns && len(a.Misses) >= judgedRuns {
		a.Off = a.Off || a.perHit() < 0
	}
}

// perHit is by how much a job with the cache is shorter, all costs of having it counted.
func (a *account) perHit() time.Duration {
	with := median(a.Hits, func(c cost) int64 { return c.Work + c.Restore + c.Save })
	return median(a.Misses, func(c cost) int64 { return c.Work }) - with
}

func median(costs []cost, of func(cost) int64) time.Duration {
	if len(costs) == 0 {
		return 0
	}
	values := make([]int64, len(costs))
	for i, c := range costs {
		values[i] = of(c)
	}
	slices.Sort(values)
	return time.Duration((values[(len(values)-1)/2]+values[len(values)/2])/2) * time.Millisecond
}

func readAccount(tx *bolt.Tx, k []byte) (*account, error) {
	a := &account{}
	v := tx.Bucket(earningsBucket).Get(k)
	if v == nil {
		return a, nil
	}
	if err := json.Unmarshal(v, a); err != nil {
		return nil, fmt.Errorf("%w: what the cache %q earned: %w", ErrDamaged, k, err)
	}
	return a, nil
}

// CacheOff tells whether the cache of a scope, paths and a job is off, with what was found. One that has nothing stored
// any more is tried anew.
func (s *Store) CacheOff(scope, paths, job string) (e Earnings, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		a, err := readAccount(tx, accountKey(scope, paths, job))
		if err != nil || !a.Off {
			return err
		}
		e.add(a)
		e.Off = hasCaches(tx, scope, paths)
		return nil
	})
	return e, err
}

// Earned tells what the cache of a scope, paths and one job is worth.
func (s *Store) Earned(scope, paths, job string) (e Earnings, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		a, err := readAccount(tx, accountKey(scope, paths, job))
		if err == nil {
			e.add(a)
		}
		return err
	})
	return e, err
}

// hasCaches tells whether any cache is stored of a scope and paths.
func hasCaches(tx *bolt.Tx, scope, paths string) bool {
	for _, p := range []string{paths, LayeredPaths(paths)} {
		prefix := cacheName(CacheMeta{Scope: scope, Paths: p})
		if k, _ := tx.Bucket(cacheNamesBucket).Cursor().Seek(prefix); bytes.HasPrefix(k, prefix) {
			return true
		}
	}
	return false
}

// earned sums up the accounts of all jobs that have caches like this.
func earned(tx *bolt.Tx, m CacheMeta) (e Earnings, err error) {
	err = eachAccount(tx, m, func(_ []byte, a *account) error {
		e.add(a)
		return nil
	})
	return e, err
}

// eachAccount calls fn for the accounts of a scope and paths.
func eachAccount(tx *bolt.Tx, m CacheMeta, fn func(k []byte, a *account) error) error {
	prefix := accountKey(m.Scope, m.Paths, "")
	c := tx.Bucket(earningsBucket).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		a, err := readAccount(tx, k)
		if err == nil {
			err = fn(bytes.Clone(k), a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add counts one more job in, by its number of hits.
func (e *Earnings) add(a *account) {
	n := time.Duration(len(a.Hits))
	if sum := time.Duration(e.Hits) + n; n > 0 {
		e.Restore = (e.Restore*time.Duration(e.Hits) + n*median(a.Hits, func(c cost) int64 { return c.Restore })) / sum
		if len(a.Misses) > 0 {
			e.PerHit = (e.PerHit*time.Duration(e.known) + n*a.perHit()) / (time.Duration(e.known) + n)
			e.known, e.Known = e.known+len(a.Hits), true
		}
	}
	saves := slices.DeleteFunc(slices.Concat(a.Hits, a.Misses), func(c cost) bool { return c.Save == 0 })
	e.Save = max(e.Save, median(saves, func(c cost) int64 { return c.Save }))
	e.Hits += len(a.Hits)
	e.Misses += len(a.Misses)
	e.Off = e.Off || a.Off
}

// forgetEarnings begins the accounts of a scope and paths anew, which turns a cache on that was off.
func forgetEarnings(tx *bolt.Tx, m CacheMeta) error {
	var keys [][]byte
	err := eachAccount(tx, m, func(k []byte, _ *account) error {
		keys = append(keys, k)
		return nil
	})
	for _, k := range keys {
		err = errors.Join(err, tx.Bucket(earningsBucket).Delete(k))
	}
	return err
}

// expireEarnings drops the accounts that nobody added to for a time.
func (s *Store) expireEarnings(ctx context.Context, age time.Duration) error {
	oldest := s.now().Add(-age).UnixNano()
	var old [][]byte
	err := s.pages(ctx, top(earningsBucket), func(k, v []byte) error {
		a := &account{}
		if json.Unmarshal(v, a) != nil || a.Updated < oldest {
			old = append(old, k)
		}
		return nil
	})
	if err != nil || len(old) == 0 {
		return err
	}
	return s.lane.write(ctx, func(tx *bolt.Tx) error {
		for _, k := range old {
			if err := tx.Bucket(earningsBucket).Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}
