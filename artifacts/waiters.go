package artifacts

import "sync"

// waiters wakes those who follow a log.
type waiters struct {
	mu sync.Mutex
	at map[string]*waiter
}

// waiter is shared by all who wait for the next change of one log.
type waiter struct {
	changed chan struct{}
	users   int
}

// join returns a waiter whose channel is closed at the next change of log id. Join before reading the log's state,
// or a change is missed; leave afterwards.
func (w *waiters) join(id string) *waiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	one, ok := w.at[id]
	if !ok {
		if w.at == nil {
			w.at = map[string]*waiter{}
		}
		one = &waiter{changed: make(chan struct{})}
		w.at[id] = one
	}
	one.users++
	return one
}

func (w *waiters) leave(id string, one *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one.users--; one.users == 0 && w.at[id] == one {
		delete(w.at, id)
	}
}

func (w *waiters) wake(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if one, ok := w.at[id]; ok {
		close(one.changed)
		delete(w.at, id)
	}
}
