package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// ReplayInput carries the key by which a request that was sent twice is known, where what it makes must not be kept, like the
// secret of a token: its answer is in memory alone, for a while. What makes builds has a KeyInput, whose keys are durable.
type ReplayInput struct {
	Key string `header:"Idempotency-Key" maxLength:"128" doc:"a second request with the same key gets the first one's answer, for ten minutes and until the daemon ends"`
}

func (in *ReplayInput) replayKey() string { return in.Key }

type replayable interface{ replayKey() string }

const (
	// replayAge is for how long an answer is given again: a client that lost it asks within seconds.
	replayAge = 10 * time.Minute
	// maxReplays bounds the answers that are kept; beyond, the oldest is forgotten.
	maxReplays = 1000
)

// replays are the answers of requests that bore a key.
type replays struct {
	mu    sync.Mutex
	known map[replayID]*replay
	order []*replay // by their age
}

// replayID is a key of one caller, for one operation: nobody can guess another's.
type replayID struct{ operation, caller, key string }

type replay struct {
	id      replayID
	request [sha256.Size]byte
	began   time.Time
	done    chan struct{} // closed once the answer is there, or there will be none
	answer  any           // nil: it failed
}

// begin tells whether a request is the first with its key; the caller then has to end it.
func (r *replays) begin(id replayID, request [sha256.Size]byte, now time.Time) (one *replay, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.order) > 0 && (now.Sub(r.order[0].began) > replayAge || len(r.order) >= maxReplays) {
		r.forget(r.order[0])
	}
	if one := r.known[id]; one != nil {
		return one, false
	}
	one = &replay{id: id, request: request, began: now, done: make(chan struct{})}
	if r.known == nil {
		r.known = map[replayID]*replay{}
	}
	r.known[id] = one
	r.order = append(r.order, one)
	return one, true
}

// end keeps an answer. A request that failed is forgotten, so that it can be sent again.
func (r *replays) end(one *replay, answer any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if one.answer = answer; answer == nil {
		r.forget(one)
	}
	close(one.done)
}

func (r *replays) forget(one *replay) {
	if r.known[one.id] == one {
		delete(r.known, one.id)
	}
	for i, x := range r.order {
		if x == one {
			r.order = append(r.order[:i], r.order[i+1:]...)
			return
		}
	}
}

// replayed gives a request with a known key the answer of the first one. It stands before the audit log: nothing is done.
func replayed[I, O any](a *api, op huma.Operation, handle func(context.Context, *I) (*O, error)) func(context.Context, *I) (*O, error) {
	if _, ok := any(new(I)).(replayable); !ok {
		return handle
	}
	return func(ctx context.Context, in *I) (*O, error) {
		key := any(in).(replayable).replayKey()
		if key == "" {
			return handle(ctx, in)
		}
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		id, sum := replayID{op.OperationID, callerOf(ctx), key}, sha256.Sum256(text)
		for {
			one, first := a.replays.begin(id, sum, time.Now())
			if first {
				return answerFirst(ctx, a, one, in, handle)
			}
			if one.request != sum {
				return nil, problem(http.StatusUnprocessableEntity, "another request had this Idempotency-Key", "give every request a key of its own, and only its repetitions the same")
			}
			select {
			case <-one.done:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
			if out, ok := one.answer.(*O); ok {
				return out, nil
			}
			// The first one failed; this one is tried in its place.
		}
	}
}

func answerFirst[I, O any](ctx context.Context, a *api, one *replay, in *I, handle func(context.Context, *I) (*O, error)) (*O, error) {
	var answer any
	defer func() { a.replays.end(one, answer) }() // also after a panic, or repetitions would wait for ever
	out, err := handle(ctx, in)
	if err == nil {
		answer = out
	}
	return out, err
}
