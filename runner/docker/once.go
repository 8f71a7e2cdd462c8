package docker

import (
	"context"
	"sync"
)

// once remembers the first success of something that is asked of the engine, and forgets failures, so that an
// engine which was down is asked again. Callers that come meanwhile wait for the one that asks.
type once[T any] struct {
	mu   sync.Mutex
	done bool
	val  T
}

func (o *once[T]) get(ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return o.val, nil
	}
	val, err := ask(ctx)
	if err != nil {
		return val, err
	}
	o.val, o.done = val, true
	return val, nil
}

// forget makes the next get ask again.
func (o *once[T]) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done = false
}
