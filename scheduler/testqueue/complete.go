package testqueue

import (
	"fmt"
	"slices"
	"time"
)

// Complete answers a batch. Per item the first acknowledgement wins, whoever it is from: the answer of a worker that
// was given up counts for what nobody else has answered yet, since the tests did run, and what is counted once is never
// counted again. An answer that is repeated gets the same receipt. A token that the worker was never given is ErrToken;
// an outcome that is none, or a result for an item that is not of the batch, is an error that changes nothing.
func (q *Queue) Complete(id string, token uint64, c Completion, now time.Time) (Receipt, error) {
	b := q.batches[token]
	if b == nil || b.worker != id {
		return Receipt{}, fmt.Errorf("batch %d of %s: %w", token, id, ErrToken)
	}
	if w := q.workers[id]; w.state != gone {
		if _, err := q.hear(id, now); err != nil {
			return Receipt{}, err
		}
	}
	if b.answered {
		return b.receipt, nil
	}
	results, err := q.results(b, c)
	if err != nil {
		return Receipt{}, fmt.Errorf("batch %d of %s: %w", token, id, err)
	}
	if err := q.apply(q.doneEvent(b, c, results, now)); err != nil {
		return Receipt{}, err
	}
	return b.receipt, nil
}

// results gives each item of the batch its result.
func (q *Queue) results(b *batch, c Completion) (map[int]Result, error) {
	out := make(map[int]Result, len(b.items))
	left, leftWeight := max(c.Took, 0), time.Duration(0)
	for _, r := range c.Results {
		i, known := q.byName[r.Item]
		if !known || !slices.Contains(b.items, i) {
			return nil, fmt.Errorf("the result for %s is not asked for", r.Item)
		}
		if err := checkTry(r.Outcome, r.Item); err != nil {
			return nil, err
		}
		out[i] = r
		left -= max(r.Took, 0)
	}
	for _, i := range b.items {
		if out[i].Took <= 0 {
			leftWeight += q.items[i].weight
		}
	}
	blameless := allPassed(b, out) && checkTry(c.Outcome, "") == nil // so that its failure, if it failed, is nobody's
	for _, i := range b.items {
		r, told := out[i]
		if !told {
			if err := checkTry(c.Outcome, "the batch"); err != nil {
				return nil, err
			}
			r.Outcome = c.Outcome
		}
		if blameless {
			r.Outcome = c.Outcome
		}
		if r.Took <= 0 {
			r.Took = time.Duration(float64(max(left, 0)) * float64(q.items[i].weight) / float64(leftWeight))
		}
		out[i] = r
	}
	return out, nil
}

// allPassed tells whether every item of a batch is said to have passed.
func allPassed(b *batch, told map[int]Result) bool {
	for _, i := range b.items {
		if told[i].Outcome != Passed {
			return false
		}
	}
	return true
}

func checkTry(o Outcome, what string) error {
	if o != Passed && o != Failed && o != Broken && o != Quarantined {
		return fmt.Errorf("the outcome of %s is %q, expected %s, %s, %s or %s", what, o, Passed, Failed, Broken, Quarantined)
	}
	return nil
}

// doneEvent decides what an answer counts for.
func (q *Queue) doneEvent(b *batch, c Completion, results map[int]Result, now time.Time) Event {
	e := Event{Kind: kindDone, At: now.UnixMilli(), Worker: b.worker, Token: b.token, Took: max(c.Took, 0).Microseconds()}
	if e.Sum = measured(b, c); e.Sum > e.Took {
		e.Sum = 0 // tests that ran side by side say nothing of the start-up
	}
	var failed []int
	for _, i := range b.items {
		if q.items[i].state == ended {
			continue
		}
		c, _ := letter(results[i].Outcome)
		e.Items, e.Result, e.Micros = append(e.Items, i), e.Result+string(c), append(e.Micros, results[i].Took.Microseconds())
		if results[i].Outcome == Failed {
			failed = append(failed, i)
		}
	}
	e.Again = q.grant(b, failed, results)
	for _, i := range e.Again {
		if tests := results[i].Tests; len(tests) > 0 {
			if e.Tests == nil {
				e.Tests = make(map[int][]string)
			}
			e.Tests[i] = tests
		}
	}
	return e
}

// measured is what the tests of a batch say they took, in microseconds; 0 when one of them does not say.
func measured(b *batch, c Completion) (sum int64) {
	told := make(map[string]bool)
	for _, r := range c.Results {
		if r.Took > 0 && !told[r.Item] {
			told[r.Item] = true
			sum += r.Took.Microseconds()
		}
	}
	if len(told) < len(b.items) {
		return 0
	}
	return sum
}

// grant chooses the failed items that are tried again, within the budget.
func (q *Queue) grant(b *batch, failed []int, results map[int]Result) (again []int) {
	budget := q.opts.Retry
	failures, retried, spent := q.failed, q.retried, q.again
	for _, i := range failed {
		if q.items[i].fails == 0 {
			failures++
		}
	}
	if budget.Share > 0 && float64(failures) > budget.Share*float64(len(q.items)) {
		return nil
	}
	for _, i := range failed {
		spent += results[i].Took
		tries := max(1, len(failedIn(b, i, results[i].Tests)))
		if q.items[i].fails >= budget.Each || budget.Items > 0 && retried+tries > budget.Items || budget.Time > 0 && spent > budget.Time {
			continue
		}
		again, retried = append(again, i), retried+tries
	}
	return again
}
