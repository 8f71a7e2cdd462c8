package testqueue

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// apply brings an event into the state. It decides nothing, and takes nothing on trust: events are read from a file.
func (q *Queue) apply(e Event) error {
	if (e.Kind == kindList) == (q.hash != "") && e.Kind != kindLost {
		return errors.New("the list of a queue comes first, and once")
	}
	if err := q.inRange(e.Items, e.Again, e.Dropped); err != nil {
		return err
	}
	var err error
	switch e.Kind {
	case kindList:
		err = q.applyList(e)
	case kindJoin:
		q.applyJoin(e)
	case kindTake:
		err = q.applyTake(e)
	case kindDone:
		err = q.applyDone(e)
	case kindLost:
		q.applyLost(e)
	default:
		err = errors.New("there is no such kind of event; a later release wrote it, or the file is damaged")
	}
	if err == nil {
		q.events = append(q.events, e)
	}
	return err
}

// inRange checks that lists name items, each once.
func (q *Queue) inRange(lists ...[]int) error {
	for _, list := range lists {
		seen := make(map[int]bool, len(list))
		for _, i := range list {
			if i < 0 || i >= len(q.items) || seen[i] {
				return fmt.Errorf("it names item %d of %d wrongly or twice", i, len(q.items))
			}
			seen[i] = true
		}
	}
	return nil
}

func (q *Queue) applyJoin(e Event) {
	w := q.workers[e.Worker]
	if w == nil {
		w = &worker{shard: e.Shard, requests: make(map[uint64]uint64)}
		q.workers[e.Worker] = w
	}
	if w.state != gone {
		w.state = live
	}
}

func (q *Queue) applyTake(e Event) error {
	w := q.workers[e.Worker]
	if w == nil || w.state != live || w.token != 0 || e.Token <= q.token || len(e.Items) == 0 {
		return fmt.Errorf("worker %q cannot take batch %d now", e.Worker, e.Token)
	}
	for _, i := range e.Items {
		if q.items[i].state != waiting {
			return fmt.Errorf("item %d does not wait", i)
		}
	}
	for _, i := range e.Items {
		q.unwait(i)
		q.items[i].state, q.items[i].token, q.items[i].owner = held, e.Token, 0
	}
	q.token, w.token = e.Token, e.Token
	if e.Request != 0 {
		w.requests[e.Request] = e.Token
	}
	b := &batch{token: e.Token, worker: e.Worker, items: e.Items, open: true, only: make(map[int][]string)}
	for _, i := range e.Items {
		if only := q.items[i].only; len(only) > 0 {
			b.only[i] = only
		}
	}
	q.batches[e.Token] = b
	return nil
}

// answers checks that an event can be the answer to a batch: a fitting result for each of its items that has none yet.
func (q *Queue) answers(e Event) error {
	b := q.batches[e.Token]
	if b == nil || b.answered || b.worker != e.Worker || len(e.Result) != len(e.Items) || len(e.Micros) != len(e.Items) {
		return fmt.Errorf("worker %q cannot answer batch %d so", e.Worker, e.Token)
	}
	for n, i := range e.Items {
		outcome := letters[e.Result[n]]
		if !slices.Contains(b.items, i) || checkTry(outcome, "") != nil || outcome != Failed && slices.Contains(e.Again, i) {
			return fmt.Errorf("item %d of batch %d cannot have ended so", i, e.Token)
		}
	}
	for _, i := range b.items {
		if (q.items[i].state != ended) != slices.Contains(e.Items, i) {
			return fmt.Errorf("batch %d leaves item %d out, or counts it twice", e.Token, i)
		}
	}
	return nil
}

func (q *Queue) applyDone(e Event) error {
	if err := q.answers(e); err != nil {
		return err
	}
	b := q.batches[e.Token]
	for n, i := range e.Items {
		if slices.Contains(e.Again, i) {
			q.items[i].only = failedIn(b, i, e.Tests[i])
			tries := max(1, len(q.items[i].only))
			q.retried, b.tries = q.retried+tries, b.tries+tries
		}
		q.count(b, i, letters[e.Result[n]], time.Duration(e.Micros[n])*time.Microsecond, slices.Contains(e.Again, i))
	}
	for _, i := range b.items {
		if !slices.Contains(e.Items, i) {
			b.receipt.Ignored = append(b.receipt.Ignored, q.items[i].name)
		}
	}
	if w := q.workers[e.Worker]; w.token == e.Token {
		w.token = 0
	}
	b.open, b.answered = false, true
	q.learn(b, e)
	return nil
}

// failedIn are the tests within an item that are to be tried again, if not all: those that the worker named, or those
// that it had tried.
func failedIn(b *batch, item int, told []string) []string {
	if len(told) > 0 {
		return told
	}
	return b.only[item]
}

// count takes one item's result.
func (q *Queue) count(b *batch, i int, outcome Outcome, took time.Duration, again bool) {
	it := &q.items[i]
	b.receipt.Counted = append(b.receipt.Counted, it.name)
	it.took = took
	if outcome == Failed {
		if it.fails == 0 {
			q.failed++
		}
		it.fails++
	}
	if (outcome == Passed || outcome == Quarantined) && it.fails > 0 {
		outcome = Flaky
		b.receipt.Flaky = append(b.receipt.Flaky, it.name)
	}
	if !again {
		if it.state == waiting {
			q.unwait(i)
		}
		q.end(i, outcome, b.token)
		return
	}
	b.receipt.Again = append(b.receipt.Again, it.name)
	it.avoid, q.again = b.worker, q.again+took
	if it.state == held && it.token == b.token {
		q.wait(i) // otherwise it waits or runs elsewhere already, which is its next try
	}
}

func (q *Queue) applyLost(e Event) {
	w := q.workers[e.Worker]
	if w == nil {
		w = &worker{shard: e.Shard, requests: make(map[uint64]uint64)}
		q.workers[e.Worker] = w
	}
	for _, i := range q.holds(w) {
		q.items[i].losses++
		if slices.Contains(e.Dropped, i) {
			q.end(i, Lost, 0)
		} else {
			q.wait(i)
		}
	}
	if b := q.batches[w.token]; b != nil {
		b.open = false
	}
	w.token = 0
	if w.state != gone {
		w.state = silent
	}
	if e.Final {
		w.state = gone
	}
	q.free(w.shard)
}

// free gives what a replay keeps for a shard to all, when the shard has no live worker.
func (q *Queue) free(shard int) {
	for _, w := range q.workers {
		if w.shard == shard && w.state == live {
			return
		}
	}
	for i := range q.items {
		if q.items[i].owner == shard+1 {
			q.items[i].owner = 0
		}
	}
}
