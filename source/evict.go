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

// unfinishedAge is how old something in tmp/ must be before nobody can still be at work on it.
const unfinishedAge = 24 * time.Hour

// justUsed protects snapshots that somebody, perhaps another process, is about to mount.
const justUsed = 10 * time.Minute

// idle is a snapshot that could go.
type idle struct {
	home  string
	used  time.Time
	bytes int64
}

// Evict removes snapshots that nobody holds, that keep does not claim and that were not used for maxAge, and then
// the least recently used ones until the rest has at most maxBytes. Zero means no limit. It also removes what dead
// processes left unfinished.
func (s *Store) Evict(ctx context.Context, keep func(commit string) bool, maxAge time.Duration, maxBytes int64) error {
	all, total, err := s.idle(keep)
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b idle) int { return a.used.Compare(b.used) })
	var errs []error
	for _, c := range all {
		age := time.Since(c.used)
		if ctx.Err() != nil || age < justUsed || !(maxAge > 0 && age > maxAge || maxBytes > 0 && total > maxBytes) {
			continue
		}
		gone, err := s.evict(c)
		errs = append(errs, err)
		if gone {
			total -= c.bytes
		}
	}
	return errors.Join(append(errs, s.sweep())...)
}

// idle lists the snapshots that keep does not claim, and the bytes of all.
func (s *Store) idle(keep func(string) bool) (all []idle, total int64, err error) {
	dir := filepath.Join(s.opts.Dir, "snapshots")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		c := idle{home: filepath.Join(dir, e.Name())}
		if info, err := os.Stat(c.home + ".lock"); err == nil {
			c.used = info.ModTime()
		}
		l, err := readLayout(c.home)
		if err == nil {
			c.bytes = l.Bytes
		}
		total += c.bytes
		if commit, _, _ := strings.Cut(e.Name(), "-"); keep == nil || !keep(commit) {
			all = append(all, c)
		}
	}
	return all, total, nil
}

// evict removes one snapshot unless it is in use.
func (s *Store) evict(c idle) (bool, error) {
	lock, err := tryLock(c.home+".lock", exclusive)
	if errors.Is(err, errLocked) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer lock.unlock()
	if err := s.discard(c.home); err != nil {
		return false, fmt.Errorf("evicting the snapshot %s: %w", c.home, err)
	}
	s.opts.Logger.Debug("evicted a snapshot", "snapshot", filepath.Base(c.home), "bytes", c.bytes, "used", c.used)
	return true, os.Remove(c.home + ".lock")
}

// sweep removes what was never finished.
func (s *Store) sweep() error {
	entries, err := os.ReadDir(s.tmp())
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > unfinishedAge {
			errs = append(errs, os.RemoveAll(filepath.Join(s.tmp(), e.Name())))
		}
	}
	return errors.Join(errs...)
}
