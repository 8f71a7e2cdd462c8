package testqueue

import (
	"fmt"
	"slices"
)

// Check proves the invariants of the package comment, by their numbers. An error is a fault of this package, or of
// whoever wrote its events.
func (q *Queue) Check() error {
	for _, check := range []func() error{q.checkPlaces, q.checkBatches, q.checkCounts, q.checkOrder} {
		if err := check(); err != nil {
			return fmt.Errorf("test queue: %w", err)
		}
	}
	return nil
}

// checkPlaces is invariants 1 and 2.
func (q *Queue) checkPlaces() error {
	if len(q.byName) != len(q.items) {
		return fmt.Errorf("invariant 1: %d names for %d items", len(q.byName), len(q.items))
	}
	waits := make([]int, len(q.items))
	for _, i := range q.pending {
		waits[i]++
	}
	for i := range q.items {
		it := &q.items[i]
		b := q.batches[it.token]
		isHeld := b != nil && b.open && slices.Contains(b.items, i)
		switch {
		case waits[i] != 0 && it.state != waiting, waits[i] != 1 && it.state == waiting:
			return fmt.Errorf("invariant 2: %s is %d times among those that wait, in state %d", it.name, waits[i], it.state)
		case it.state == held && !isHeld:
			return fmt.Errorf("invariant 2: %s is held by batch %d, which is not open or does not have it", it.name, it.token)
		case it.state != ended && isHeld && it.state != held:
			return fmt.Errorf("invariant 2: %s waits while batch %d holds it", it.name, it.token)
		}
	}
	return nil
}

// checkBatches is invariant 3.
func (q *Queue) checkBatches() error {
	open := make(map[string]uint64)
	for token, b := range q.batches {
		if token != b.token || token > q.token {
			return fmt.Errorf("invariant 3: batch %d is kept as %d, the last one is %d", b.token, token, q.token)
		}
		if !b.open {
			continue
		}
		w := q.workers[b.worker]
		if w == nil || w.state != live || w.token != token || b.answered || open[b.worker] != 0 {
			return fmt.Errorf("invariant 3: batch %d is open, but %s is not live and at work on it alone", token, b.worker)
		}
		open[b.worker] = token
	}
	for id, w := range q.workers {
		if w.token != open[id] {
			return fmt.Errorf("invariant 3: %s is at work on batch %d, which is not open", id, w.token)
		}
	}
	return nil
}

// checkCounts is invariants 4 and 5.
func (q *Queue) checkCounts() error {
	done, failed := 0, 0
	counted := make([]int, len(q.items))
	again := 0
	for _, b := range q.batches {
		for _, name := range b.receipt.Counted {
			counted[q.byName[name]]++
		}
		again += len(b.receipt.Again)
	}
	for i := range q.items {
		it := &q.items[i]
		if _, known := letter(it.outcome); known != (it.state == ended) {
			return fmt.Errorf("invariant 4: %s is in state %d with outcome %q", it.name, it.state, it.outcome)
		}
		if it.state == ended {
			done++
		}
		if it.fails > 0 {
			failed++
		}
	}
	switch {
	case done != q.done:
		return fmt.Errorf("invariant 4: %d items have ended, %d are counted", done, q.done)
	case failed != q.failed || again != q.retried:
		return fmt.Errorf("invariant 5: %d failed and %d were tried again, %d and %d are counted", failed, again, q.failed, q.retried)
	}
	return q.checkTries(counted)
}

// checkTries holds that an item was counted once, and once more for each failure that was tried again.
func (q *Queue) checkTries(counted []int) error {
	for i := range q.items {
		it := &q.items[i]
		tries := it.fails
		if it.outcome == Passed || it.outcome == Flaky || it.outcome == Broken {
			tries++
		}
		if n := counted[i]; n != tries && (n != 0 || it.token != 0) {
			return fmt.Errorf("invariant 4: %s is counted %d times, with %d failures and outcome %q", it.name, n, it.fails, it.outcome)
		}
	}
	return nil
}

// checkOrder is invariant 6.
func (q *Queue) checkOrder() error {
	if !slices.IsSortedFunc(q.pending, q.order) {
		return fmt.Errorf("invariant 6: what waits is out of order")
	}
	return nil
}
