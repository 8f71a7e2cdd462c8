package scheduler

import (
	"context"
	"sync"
)

// hub tells watchers that something changed. It carries no facts: a watcher reads the rows again, so that what is
// shown is always what was committed. Signals of a slow watcher coalesce.
type hub struct {
	mu      sync.Mutex
	subs    map[string]map[chan struct{}]bool
	changes changes
}

func (h *hub) watch(ctx context.Context, topic string) <-chan struct{} {
	ch := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.subs == nil {
		h.subs = make(map[string]map[chan struct{}]bool)
	}
	if h.subs[topic] == nil {
		h.subs[topic] = make(map[chan struct{}]bool)
	}
	h.subs[topic][ch] = true
	context.AfterFunc(ctx, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.subs[topic], ch)
		if len(h.subs[topic]) == 0 {
			delete(h.subs, topic)
		}
		close(ch)
	})
	return ch
}

// tell signals the watchers of some topics, and those of everything; without a topic it is about the daemon itself.
func (h *hub) tell(topics ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range topics {
		h.changes.note(t)
	}
	if len(topics) == 0 {
		h.changes.note("")
	}
	for _, t := range append(topics, "") {
		for ch := range h.subs[t] {
			select {
			case ch <- struct{}{}:
			default:
			}
		}
	}
}

// Watch returns a channel that gets a value, coalesced, after each change of a build; of any build and trigger
// when build is empty. It is closed when ctx ends.
func (s *Scheduler) Watch(ctx context.Context, build string) <-chan struct{} {
	return s.hub.watch(ctx, build)
}

// WatchTrigger is Watch for a trigger.
func (s *Scheduler) WatchTrigger(ctx context.Context, id string) <-chan struct{} {
	return s.hub.watch(ctx, id)
}
