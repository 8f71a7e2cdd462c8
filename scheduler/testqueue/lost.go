package testqueue

import (
	"slices"
	"time"
)

// Lost gives a worker up for good, because its attempt has ended. What it held goes to others, in front. If it answered
// before, or its answer is found later, that counts where nobody else's did. A worker that ended well after the queue
// was done may be lost, too; a worker that never joined frees what a replay kept for its shard.
func (q *Queue) Lost(id string, shard int, now time.Time) error {
	if w := q.workers[id]; w != nil && w.state == gone {
		return nil
	}
	return q.lose(id, shard, true, now)
}

// Expire gives up the workers that have been silent for too long, and says which. Take does so, too; an owner calls it
// when nobody asks.
func (q *Queue) Expire(now time.Time) (lost []string, err error) {
	for id, w := range q.workers {
		if w.state == live && now.Sub(w.seen) > q.opts.Silence {
			lost = append(lost, id)
		}
	}
	slices.Sort(lost)
	for _, id := range lost {
		if err := q.lose(id, q.workers[id].shard, false, now); err != nil {
			return nil, err
		}
	}
	return lost, nil
}

func (q *Queue) lose(id string, shard int, final bool, now time.Time) error {
	e := Event{Kind: kindLost, At: now.UnixMilli(), Worker: id, Shard: shard, Final: final}
	if w := q.workers[id]; w != nil {
		e.Shard = w.shard
		for _, i := range q.holds(w) {
			if q.items[i].losses+1 >= q.opts.MaxLosses {
				e.Dropped = append(e.Dropped, i)
			}
		}
	}
	return q.apply(e)
}

// holds lists the items that a worker's open batch still holds: a late answer may have ended some.
func (q *Queue) holds(w *worker) (items []int) {
	if b := q.batches[w.token]; b != nil {
		for _, i := range b.items {
			if q.items[i].state == held && q.items[i].token == b.token {
				items = append(items, i)
			}
		}
	}
	return items
}
