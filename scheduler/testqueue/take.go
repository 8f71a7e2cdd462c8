package testqueue

import (
	"fmt"
	"slices"
	"time"
)

// Batch is what a worker is to run, in this order.
type Batch struct {
	Token uint64 // says which batch an answer is for; later batches have greater ones
	Items []string
	Only  map[string][]string // of an item that is tried again: the tests within it that failed, the others need not run
}

// Offer answers Take: a batch, or the end, or, when it is neither, that the worker should ask again soon, because tests
// still run elsewhere, and will be its own if they are lost there or fail.
type Offer struct {
	Batch *Batch
	Done  bool
	Why   string // for the worker's log, when there is no batch
}

// Take asks for a batch. A worker has one batch at a time: until it has answered, it is offered the same one again. A
// request that repeats an earlier one's id gets the batch that this one got, answered or not; id 0 repeats nothing.
// The errors are ErrUnknown and ErrGone.
func (q *Queue) Take(id string, request uint64, now time.Time) (Offer, error) {
	w, err := q.hear(id, now)
	if err != nil {
		return Offer{}, err
	}
	if _, err := q.Expire(now); err != nil {
		return Offer{}, err
	}
	if token := w.requests[request]; token != 0 {
		return q.offer(token), nil
	}
	if w.token != 0 {
		return q.offer(w.token), nil
	}
	if q.Ended() {
		return Offer{Done: true, Why: "all tests are done"}, nil
	}
	items := q.choose(id, w)
	switch {
	case len(items) > 0:
	case q.onlyKept():
		return Offer{Done: true, Why: q.whyWait()}, nil
	default:
		return Offer{Why: q.whyWait()}, nil
	}
	e := Event{Kind: kindTake, At: now.UnixMilli(), Worker: id, Request: request, Token: q.token + 1, Items: items}
	if err := q.apply(e); err != nil {
		return Offer{}, err
	}
	return q.offer(e.Token), nil
}

func (q *Queue) offer(token uint64) Offer {
	b := q.batches[token]
	return Offer{Batch: &Batch{Token: token, Items: q.names(b.items), Only: q.Only(token)}}
}

// Only returns the items of a batch of which not all is tried, with the tests within them that are.
func (q *Queue) Only(token uint64) map[string][]string {
	b := q.batches[token]
	if b == nil || len(b.only) == 0 {
		return nil
	}
	out := make(map[string][]string, len(b.only))
	for i, tests := range b.only {
		out[q.items[i].name] = tests
	}
	return out
}

func (q *Queue) names(items []int) []string {
	names := make([]string, len(items))
	for i, at := range items {
		names[i] = q.items[at].name
	}
	return names
}

func (q *Queue) whyWait() string {
	s := q.Summary()
	if s.Waiting == 0 {
		return fmt.Sprintf("%s still running elsewhere", plural(s.Running, "test is", "tests are"))
	}
	return fmt.Sprintf("%s kept for other shards", plural(s.Waiting, "test is", "tests are"))
}

// onlyKept tells whether all that is left is kept for shards that have no worker yet. Whoever waited for them might hold
// the very slot that one of them needs to begin.
func (q *Queue) onlyKept() bool {
	begun := make(map[int]bool)
	for _, w := range q.workers {
		if w.state == live {
			begun[w.shard] = true
		}
	}
	for i := range q.items {
		it := &q.items[i]
		if it.state == held || it.state == waiting && (it.owner == 0 || begun[it.owner-1]) {
			return false
		}
	}
	return true
}

// choose picks the next batch for a worker; none when nothing that waits may be its.
func (q *Queue) choose(id string, w *worker) []int {
	if items := q.planned(w.shard); len(items) > 0 {
		return items
	}
	alone := q.liveBut(id) == 0
	fits := func(i int) bool {
		it := &q.items[i]
		return it.owner == 0 && (alone || it.avoid != id)
	}
	var chosen []int
	var sum time.Duration
	target, most := q.size()
	for _, i := range q.pending {
		it := &q.items[i]
		switch {
		case !fits(i):
		case len(chosen) > 0 && (it.fails > 0) != (q.items[chosen[0]].fails > 0): // a run is of first tries or of further ones
		case it.losses > 1: // perhaps the one that ends its worker: others should not go with it
			if len(chosen) == 0 {
				return []int{i}
			}
		case len(chosen) > 0 && (sum+it.weight > target || len(chosen) >= most):
			return chosen
		default:
			chosen, sum = append(chosen, i), sum+it.weight
		}
	}
	return chosen
}

// planned is what is left of the first batch that a replay keeps for a shard and that still waits.
func (q *Queue) planned(shard int) []int {
	for _, items := range q.plan[shard] {
		left := slices.DeleteFunc(slices.Clone(items), func(i int) bool {
			return q.items[i].state != waiting || q.items[i].owner != shard+1
		})
		if len(left) > 0 {
			return left
		}
	}
	return nil
}
