package access

import (
	"sync"
	"time"
)

// maxWaiting bounds the refusals that wait to be written down: one for each address, name and action. What is beyond it
// is counted without an address.
const maxWaiting = 500

// refusals counts what was refused since it was last written down, so that whoever tries ten thousand tokens a second
// leaves one record a minute.
type refusals struct {
	mu      sync.Mutex
	waiting map[Event]int
}

// Refused counts something that was refused: a login that failed, an action beyond its token's scope.
func (s *Store) Refused(e Event) {
	e.Seq, e.At, e.Count = 0, time.Time{}, 0
	r := &s.refusals
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.waiting == nil {
		r.waiting = map[Event]int{}
	}
	if _, known := r.waiting[e]; !known && len(r.waiting) >= maxWaiting {
		e = Event{Action: e.Action, Result: e.Result}
	}
	r.waiting[e]++
}

func (r *refusals) take() (out []Event) {
	r.mu.Lock()
	waiting := r.waiting
	r.waiting = nil
	r.mu.Unlock()
	now := time.Now().UTC()
	for e, n := range waiting {
		e.At, e.Count = now, n
		out = append(out, e)
	}
	return out
}
