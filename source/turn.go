package source

import (
	"context"
	"sync"
)

// turns lets one child at a time change a mirror. Between processes, the mirror's lock does; but children that wait
// for it would take the places of children for other repositories, and use up their time.
type turns struct {
	mu sync.Mutex
	by map[string]*turn
}

// turn is a queue for one mirror.
type turn struct {
	free    chan struct{} // holds a value while nobody has the turn
	waiting int
}

// take waits for the turn of a key, and returns what ends it.
func (t *turns) take(ctx context.Context, key string) (done func(), err error) {
	t.mu.Lock()
	if t.by == nil {
		t.by = make(map[string]*turn)
	}
	q, ok := t.by[key]
	if !ok {
		q = &turn{free: make(chan struct{}, 1)}
		q.free <- struct{}{}
		t.by[key] = q
	}
	q.waiting++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if q.waiting--; q.waiting == 0 {
			delete(t.by, key)
		}
	}
	select {
	case <-q.free:
		return func() {
			q.free <- struct{}{}
			leave()
		}, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}
