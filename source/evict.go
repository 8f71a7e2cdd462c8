package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// unfinishedAge is how old something in tmp/ must be before it is seen whether somebody still works on it.
const unfinishedAge = 24 * time.Hour

// justUsed protects snapshots that somebody, perhaps another process, is about to mount.
const justUsed = 10 * time.Minute

// kept is a snapshot on the disk.
type kept struct {
	layout
	home    string
	used    time.Time
	claimed bool // it must stay
}

// onDisk is what snapshots take together. What one was lent counts once, with its lender, for as long as that is there.
func onDisk(all []kept) (sum int64) {
	there := make(map[string]bool, len(all))
	for _, k := range all {
		there[k.ID] = true
	}
	for _, k := range all {
		sum += k.Bytes
		if k.Lent > 0 && there[k.Base] {
			sum -= k.Lent
		}
	}
	return sum
}

// Evict removes snapshots that nobody holds, that keep does not claim and that were not used for maxAge, and then
// the least recently used ones until the rest has at most maxBytes. Zero means no limit. It also removes what dead
// processes left unfinished.
func (s *Store) Evict(ctx context.Context, keep func(commit string) bool, maxAge time.Duration, maxBytes int64) error {
	all, err := s.byUse(keep)
	if err != nil {
		return err
	}
	var errs []error
	stay, total := slices.Clone(all), onDisk(all)
	for _, c := range all {
		age := time.Since(c.used)
		if ctx.Err() != nil || c.claimed || age < justUsed || !(maxAge > 0 && age > maxAge || maxBytes > 0 && total > maxBytes) {
			continue
		}
		gone, err := s.evict(c)
		errs = append(errs, err)
		if gone {
			stay = slices.DeleteFunc(stay, func(k kept) bool { return k.home == c.home })
			total = onDisk(stay)
		}
	}
	return errors.Join(append(errs, s.evictSpares(), s.sweep())...)
}

// byUse lists the snapshots, the least recently used first.
func (s *Store) byUse(keep func(string) bool) ([]kept, error) {
	all, err := s.all(keep)
	slices.SortFunc(all, func(a, b kept) int { return a.used.Compare(b.used) })
	return all, err
}

// all lists the snapshots, with what keep says of them.
func (s *Store) all(keep func(string) bool) (all []kept, err error) {
	dir := filepath.Join(s.opts.Dir, "snapshots")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		c := kept{home: filepath.Join(dir, e.Name())}
		if info, err := os.Stat(c.home + ".lock"); err == nil {
			c.used = info.ModTime()
		}
		if l, err := readLayout(c.home); err == nil {
			c.layout = *l
		}
		commit, _, _ := strings.Cut(e.Name(), "-")
		c.claimed = keep != nil && keep(commit)
		all = append(all, c)
	}
	return all, nil
}

// evict removes one snapshot unless it is in use.
func (s *Store) evict(c kept) (bool, error) {
	lock, err := tryLock(c.home+".lock", exclusive)
	if errors.Is(err, errLocked) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer lock.unlock()
	if err := discard(s.opts.Dir, c.home); err != nil {
		return false, fmt.Errorf("evicting the snapshot %s: %w", c.home, err)
	}
	s.opts.Logger.Debug("evicted a snapshot", "snapshot", filepath.Base(c.home), "bytes", c.Bytes-c.Lent, "used", c.used)
	return true, os.Remove(c.home + ".lock")
}

// sweep removes what was never finished, and what nobody works on any more: ages say little, since clocks jump.
func (s *Store) sweep() error {
	entries, err := os.ReadDir(s.tmp())
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > unfinishedAge {
			errs = append(errs, sweepOne(filepath.Join(s.tmp(), e.Name())))
		}
	}
	return errors.Join(errs...)
}

func sweepOne(path string) error {
	lock, err := lockThere(path)
	if errors.Is(err, errLocked) || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		defer lock.unlock()
	} // what cannot be opened is nothing that was made here
	return os.RemoveAll(path)
}
