package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// DropSnapshots removes what is laid out for builds that may come, until enough says that there is room: first the copies
// that the next snapshots would be made of, then snapshots that nobody holds and keep does not claim, the least recently
// used first.
func (s *Store) DropSnapshots(ctx context.Context, keep func(commit string) bool, enough func() bool) error {
	if enough() {
		return nil
	}
	errs := []error{s.dropSpares()}
	all, err := s.byUse(keep)
	errs = append(errs, err)
	for _, c := range all {
		if ctx.Err() != nil || enough() {
			break
		}
		if !c.claimed && time.Since(c.used) >= justUsed {
			_, err := s.evict(c)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// dropSpares removes all copies that wait to become a snapshot.
func (s *Store) dropSpares() error {
	spares, err := os.ReadDir(filepath.Join(s.opts.Dir, "spares"))
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range spares {
		errs = append(errs, discard(s.opts.Dir, filepath.Join(s.opts.Dir, "spares", e.Name())))
	}
	return errors.Join(errs...)
}

// used notes that something was fetched into a mirror, or asked for. The time stands on the lock's file.
func (m mirror) used() {
	now := time.Now()
	_ = os.Chtimes(m.dir+".lock", now, now)
}

// DropMirrors removes mirrors that nothing was fetched into for age, the longest unused first, until enough says that there
// is room. One that has what people submitted stays: that is nowhere else.
func (s *Store) DropMirrors(ctx context.Context, age time.Duration, enough func() bool) error {
	type unused struct {
		mirror
		since time.Time
	}
	var all []unused
	err := s.eachMirror(func(m mirror) error {
		if info, err := os.Stat(m.dir + ".lock"); err == nil && time.Since(info.ModTime()) >= age {
			all = append(all, unused{m, info.ModTime()})
		}
		return nil
	})
	slices.SortFunc(all, func(a, b unused) int { return cmp.Or(a.since.Compare(b.since), cmp.Compare(a.dir, b.dir)) })
	errs := []error{err}
	for _, m := range all {
		if ctx.Err() != nil || enough() {
			break
		}
		errs = append(errs, s.evictMirror(m.mirror))
	}
	return errors.Join(errs...)
}

// evictMirror removes a mirror that nobody uses. Jobs that run have links of their own to its packs.
func (s *Store) evictMirror(m mirror) error {
	for _, name := range []string{".lock", ".use"} {
		lock, err := tryLock(m.dir+name, exclusive)
		if errors.Is(err, errLocked) {
			return nil
		}
		if err != nil {
			return err
		}
		defer lock.unlock()
	}
	refs, err := readRefs(m.dir)
	if err != nil {
		return fmt.Errorf("evicting the mirror of %s: %w", m.url, err)
	}
	for name := range refs {
		if strings.HasPrefix(name, refsSubmit) {
			return nil
		}
	}
	s.shelf.clear()
	if err := discard(s.opts.Dir, m.dir); err != nil {
		return fmt.Errorf("evicting the mirror of %s: %w", m.url, err)
	}
	s.opts.Logger.Info("evicted a mirror; it is fetched anew when it is needed", "url", m.url)
	return nil
}
