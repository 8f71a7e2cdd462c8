package artifacts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// CacheFloor is the free space in bytes that caches leave on their disk.
const CacheFloor = 1 << 30

// CachePolicy says what EvictCaches keeps.
type CachePolicy struct {
	MaxBytes int64         // of all caches together; 0 is no bound
	MaxAge   time.Duration // since the last use; 0 keeps for ever
	Floor    int64         // bytes of the disk that are to be free, where that is more than CacheFloor
}

// EvictedCaches is what EvictCaches removed.
type EvictedCaches struct {
	Caches int
	Bytes  int64
}

// EvictCaches removes the caches that were not used for MaxAge, and then, those first that are worth the least, as many as
// it takes to have no more than MaxBytes, and CacheFloor or Floor bytes of the disk free. A scope alone may have no more than
// half of MaxBytes, so that the builds of one cannot take the caches of all others away: what it has beyond that goes
// before anything else.
func (s *Store) EvictCaches(ctx context.Context, p CachePolicy) (EvictedCaches, error) {
	if err := s.settleLayers(ctx); err != nil {
		return EvictedCaches{}, err
	}
	if p.MaxAge > 0 {
		if err := s.expireEarnings(ctx, p.MaxAge); err != nil {
			return EvictedCaches{}, err
		}
	}
	rows, err := s.cachesByWorth(ctx)
	if err != nil {
		return EvictedCaches{}, err
	}
	free, err := s.free()
	if err != nil {
		return EvictedCaches{}, fmt.Errorf("asking for the free space below %s: %w", s.cacheDir, err)
	}
	going := p.choose(rows, s.now(), free)
	return s.evict(ctx, going)
}

// cachesByWorth sorts caches by the time that each may be expected to save soon for each byte that it takes. Those of
// which nothing is known are equal but for their use.
func (s *Store) cachesByWorth(ctx context.Context) (rows []*cacheRow, err error) {
	worth, now := map[*cacheRow]float64{}, s.now()
	err = s.eachCache(ctx, func(row *cacheRow) error {
		rows = append(rows, row)
		return s.view(func(tx *bolt.Tx) error {
			e, err := earned(tx, row.meta())
			worth[row] = row.worth(e, now)
			return err
		})
	})
	slices.SortFunc(rows, func(a, b *cacheRow) int {
		return cmp.Or(cmp.Compare(worth[a], worth[b]), cmp.Compare(a.Turn, b.Turn))
	})
	return rows, err
}

// guessedSpeed is how fast, in bytes a second, a job is taken to come by what a cache holds without it, until there is
// something to tell that from.
const guessedSpeed = 50 << 20

// worth is how many seconds a cache saves an hour for each byte, if it is used on as it was: often, and lately.
func (row *cacheRow) worth(e Earnings, now time.Time) float64 {
	size := float64(max(row.Bytes, 1))
	perHit := size / guessedSpeed
	if e.Known {
		perHit = e.PerHit.Seconds()
	}
	idle := max(now.Sub(time.Unix(0, row.Used)), 0)
	return perHit / size * float64(row.Hits+1) / (idle + time.Hour).Hours()
}

// choose returns the rows that are to go, of rows that are sorted by their worth.
func (p CachePolicy) choose(rows []*cacheRow, now time.Time, free int64) (going []*cacheRow) {
	disk := newCacheUse(rows)
	gone := map[*cacheRow]bool{}
	pass := func(must func(row *cacheRow) bool) {
		for _, row := range rows {
			if gone[row] || !must(row) {
				continue
			}
			gone[row] = true
			going = append(going, row)
			free += disk.drop(row)
		}
	}
	if p.MaxAge > 0 {
		oldest := now.Add(-p.MaxAge).UnixNano()
		pass(func(row *cacheRow) bool { return row.Used < oldest })
	}
	if p.MaxBytes > 0 {
		pass(func(row *cacheRow) bool { return disk.scopes[row.meta().Scope] > p.MaxBytes/2 })
		pass(func(*cacheRow) bool { return disk.all > p.MaxBytes })
	}
	pass(func(*cacheRow) bool { return free < max(CacheFloor, p.Floor) })
	return going
}

// evict removes some rows at a time.
func (s *Store) evict(ctx context.Context, rows []*cacheRow) (out EvictedCaches, err error) {
	for batch := range slices.Chunk(rows, collectRows) {
		ids := make([]string, len(batch))
		for i, row := range batch {
			ids[i] = row.ID
		}
		if err := s.dropCaches(ctx, ids...); err != nil {
			return out, fmt.Errorf("evicting caches: %w", err)
		}
		for _, row := range batch {
			out.Caches++
			out.Bytes += row.Bytes
		}
	}
	return out, nil
}

// makeRoom evicts caches while the disk is short of space. That nothing is left to evict is an error.
func (s *Store) makeRoom(ctx context.Context) error {
	free, err := s.free()
	if err != nil {
		return fmt.Errorf("asking for the free space below %s: %w", s.cacheDir, err)
	}
	if free >= CacheFloor {
		return nil
	}
	if _, err := s.EvictCaches(ctx, CachePolicy{}); err != nil {
		return err
	}
	if free, err = s.free(); err == nil && free < CacheFloor {
		err = fmt.Errorf("%d MiB are free below %s (none where few more files can be made, see df -i), and caches leave %d MiB: %w", free>>20, s.cacheDir, CacheFloor>>20, syscall.ENOSPC)
	}
	return err
}

func (s *Store) freeBytes() (int64, error) {
	var st unix.Statfs_t
	err := unix.Statfs(s.cacheDir, &st)
	if errors.Is(err, unix.ENOENT) {
		return CacheFloor, nil // nothing was stored yet
	}
	return usable(st), err
}

// usable is the free space in bytes. There is none where few files can be made, for a million empty ones take no space.
func usable(st unix.Statfs_t) int64 {
	if st.Files > 0 && st.Ffree < st.Files/filesFloor { // file systems that make room for files as they come have none in total
		return 0
	}
	return int64(st.Bavail) * int64(st.Bsize)
}

// filesFloor is the part of all files that a disk can have which caches leave free: one in so many.
const filesFloor = 64
