package source

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/runner-ci/runner/source/pack"
)

// shelf keeps the packs of a few mirrors open between the small reads that the daemon does itself: opening fifty packs costs
// more than all that is then read of them. What is on it may be out of date, and is right all the same: a pack never changes,
// and one that was deleted is there for as long as it is open. What is not found on it, a child looks for.
type shelf struct {
	mu sync.Mutex
	by map[string]*shelved // by the mirror's directory
}

// shelved is the packs of one mirror.
type shelved struct {
	*pack.Objects
	listed time.Time // when the directory of packs was changed last
	used   time.Time
	users  int
	gone   bool // from the shelf: the last user closes it
}

const (
	// shelfRoom is for how many mirrors there is room.
	shelfRoom = 8
	// settled is how long ago a directory must have changed: within one tick of its clock it may change again unseen.
	settled = 100 * time.Millisecond
)

// open returns a mirror's objects.
func (s *shelf) open(ctx context.Context, m mirror) (*view, error) {
	listed := func() (t time.Time) {
		if info, err := os.Stat(m.packs()); err == nil {
			t = info.ModTime()
		}
		return t
	}
	now := listed()
	if held := s.take(m.dir, now); held != nil {
		return s.view(held), nil
	}
	v, err := m.open(ctx)
	if err != nil || time.Since(now) < settled || !listed().Equal(now) {
		return v, err
	}
	v.use.unlock() // what is open needs no name any more
	held := &shelved{Objects: v.Objects, listed: now, used: time.Now(), users: 1}
	s.put(m.dir, held)
	return s.view(held), nil
}

func (s *shelf) view(held *shelved) *view {
	return &view{Objects: held.Objects, done: sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		held.users--
		held.closeUnused()
	})}
}

// take returns what is on the shelf, if the directory did not change since.
func (s *shelf) take(dir string, listed time.Time) *shelved {
	s.mu.Lock()
	defer s.mu.Unlock()
	held, ok := s.by[dir]
	if !ok {
		return nil
	}
	if !held.listed.Equal(listed) {
		s.remove(dir)
		return nil
	}
	held.users++
	held.used = time.Now()
	return held
}

func (s *shelf) put(dir string, held *shelved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(dir)
	for len(s.by) >= shelfRoom {
		oldest := ""
		for dir, h := range s.by {
			if oldest == "" || h.used.Before(s.by[oldest].used) {
				oldest = dir
			}
		}
		s.remove(oldest)
	}
	if s.by == nil {
		s.by = make(map[string]*shelved)
	}
	s.by[dir] = held
}

// remove takes a mirror off the shelf. The caller holds the lock.
func (s *shelf) remove(dir string) {
	if held, ok := s.by[dir]; ok {
		delete(s.by, dir)
		held.gone = true
		held.closeUnused()
	}
}

func (h *shelved) closeUnused() {
	if h.gone && h.users == 0 {
		h.Close()
	}
}

// clear empties the shelf, so that packs which were deleted leave the disk.
func (s *shelf) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for dir := range s.by {
		s.remove(dir)
	}
}
