package testqueue

import (
	"errors"
	"slices"
	"time"
)

// Share is what a shard was given: batches of item numbers in the order in which they went out.
type Share struct {
	Shard   int     `json:"shard"`
	Batches [][]int `json:"batches"`
}

// Assignment is the recorded assignment: for each shard, by number, the batches that were counted from it. An item that
// was tried twice is where it was counted.
func (q *Queue) Assignment() []Share {
	byShard := make(map[int][][]int)
	for token := uint64(1); token <= q.token; token++ {
		b := q.batches[token]
		if b == nil {
			continue
		}
		mine := slices.DeleteFunc(slices.Clone(b.items), func(i int) bool {
			return q.items[i].state != ended || q.items[i].token != token
		})
		if shard := q.workers[b.worker].shard; len(mine) > 0 {
			byShard[shard] = append(byShard[shard], mine)
		}
	}
	shares := make([]Share, 0, len(byShard))
	for shard, batches := range byShard {
		shares = append(shares, Share{Shard: shard, Batches: batches})
	}
	slices.SortFunc(shares, func(a, b Share) int { return a.Shard - b.Shard })
	return shares
}

// Replay makes the queue of a retry in which only these shards run again: each is given what it was given in old, in
// the same batches. What other shards passed is kept; what they failed, and what nobody answered, goes to whoever is
// free. A shard that is lost before its end frees what is left of its part. The workers must find the same list.
func Replay(opts Options, old *Queue, shards []int, now time.Time) (*Queue, error) {
	if old.hash == "" {
		return nil, errors.New("there is no recorded assignment: no shard of that build had come to its tests")
	}
	list := &List{Names: old.names(old.all()), Micros: make([]int64, len(old.items))}
	for i, it := range old.items {
		took := it.took.Microseconds()
		if it.state != ended || took <= 0 {
			took = it.weight.Microseconds()
		}
		list.Micros[i] = max(took, 1)
	}
	again := make(map[int]bool)
	for _, share := range old.Assignment() {
		if slices.Contains(shards, share.Shard) {
			list.Plan = append(list.Plan, share)
			for _, i := range slices.Concat(share.Batches...) {
				again[i] = true
			}
		}
	}
	for i, it := range old.items {
		if c, _ := letter(it.outcome); !again[i] && (it.outcome == Passed || it.outcome == Flaky || it.outcome == Quarantined) {
			list.Kept, list.Result = append(list.Kept, i), list.Result+string(c)
		}
	}
	return Open(opts, now, Event{Kind: kindList, At: now.UnixMilli(), Worker: old.first, List: list})
}

// Repeat makes the queue of one shard that begins again after old has ended: it is given what it was given in old, in the
// same batches, and all else is kept, whatever became of it. What no worker ended well enough to answer stays lost.
func Repeat(opts Options, old *Queue, shard int, now time.Time) (*Queue, error) {
	if !old.Ended() {
		return nil, errors.New("a shard's tests can begin again only when all tests have ended once")
	}
	list := &List{Names: old.names(old.all()), Micros: make([]int64, len(old.items))}
	again := make(map[int]bool)
	for _, share := range old.Assignment() {
		if share.Shard == shard {
			list.Plan = []Share{share}
			for _, i := range slices.Concat(share.Batches...) {
				again[i] = true
			}
		}
	}
	for i, it := range old.items {
		list.Micros[i] = max(it.took.Microseconds(), 1)
		if c, _ := letter(it.outcome); !again[i] {
			list.Kept, list.Result = append(list.Kept, i), list.Result+string(c)
		}
	}
	return Open(opts, now, Event{Kind: kindList, At: now.UnixMilli(), Worker: old.first, List: list})
}

// all item numbers.
func (q *Queue) all() []int {
	all := make([]int, len(q.items))
	for i := range all {
		all[i] = i
	}
	return all
}
