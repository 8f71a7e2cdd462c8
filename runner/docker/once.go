package docker

import (
	"context"
	"sync"
)

// once remembers the first success of something that is asked of the engine, and forgets failures, so that an
// engine which was down is asked again. Callers that come meanwhile share the answer of the one that asks.
type once[T any] struct {
	mu     sync.Mutex
	asking *question[T]
	known  *T
}

// question is one asking. Its fields are set before done is closed.
type question[T any] struct {
	done    chan struct{}
	val     T
	err     error
	gaveUp  bool // the asker's own context ended, which says nothing about the engine
	dropped bool // forget came meanwhile
}

func (o *once[T]) get(ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	for {
		o.mu.Lock()
		if o.known != nil {
			defer o.mu.Unlock()
			return *o.known, nil
		}
		q := o.asking
		if q == nil {
			q = &question[T]{done: make(chan struct{})}
			o.asking = q
			o.mu.Unlock()
			return o.answer(ctx, q, ask)
		}
		o.mu.Unlock()
		select {
		case <-q.done:
			if !q.gaveUp {
				return q.val, q.err
			}
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
	}
}

func (o *once[T]) answer(ctx context.Context, q *question[T], ask func(context.Context) (T, error)) (T, error) {
	q.val, q.err = ask(ctx)
	q.gaveUp = q.err != nil && ctx.Err() != nil
	o.mu.Lock()
	defer o.mu.Unlock()
	if q.err == nil && !q.dropped {
		o.known = &q.val
	}
	o.asking = nil
	close(q.done)
	return q.val, q.err
}

// forget makes the next get ask again.
func (o *once[T]) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known = nil
	if o.asking != nil {
		o.asking.dropped = true
	}
}
