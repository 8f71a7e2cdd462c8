package testqueue

import (
	"errors"
	"slices"
	"time"
)

// longest is the longest duration that is believed of an item, in microseconds: a week.
const longest = 7 * 24 * 3600 * 1_000_000

// applyList makes the queue.
func (q *Queue) applyList(e Event) error {
	list := e.List
	if list == nil || len(list.Names) == 0 || !slices.Equal(list.Names, Normalise(list.Names)) {
		return errors.New("its list is empty or not sorted")
	}
	if n := len(list.Micros); n != 0 && n != len(list.Names) {
		return errors.New("its durations are not those of its list")
	}
	if len(list.Kept) != len(list.Result) {
		return errors.New("its outcomes are not those of what it keeps")
	}
	q.hash, q.first = Hash(list.Names), e.Worker
	q.items = make([]item, len(list.Names))
	for i, name := range list.Names {
		it := item{name: name, scatter: scatter(name), weight: unknownTook}
		if len(list.Micros) > 0 {
			micros := list.Micros[i]
			it.known = micros > 0
			it.weight = time.Duration(min(max(micros, -micros, 1), longest)) * time.Microsecond
		}
		q.items[i], q.byName[name] = it, i
		q.pending = append(q.pending, i)
	}
	slices.SortFunc(q.pending, q.order)
	return q.applyReplay(list)
}

// applyReplay sets apart what a replay keeps, and for whom the rest is.
func (q *Queue) applyReplay(list *List) error {
	lists := [][]int{list.Kept}
	for _, share := range list.Plan {
		lists = append(lists, slices.Concat(share.Batches...))
	}
	if err := q.inRange(slices.Concat(lists...)); err != nil {
		return err
	}
	for n, i := range list.Kept {
		outcome := letters[list.Result[n]]
		if outcome == "" {
			return errors.New("what it keeps has no outcome")
		}
		q.unwait(i)
		q.end(i, outcome, 0)
	}
	q.plan = make(map[int][][]int)
	for _, share := range list.Plan {
		if share.Shard < 0 {
			return errors.New("it plans for a shard below 0")
		}
		q.plan[share.Shard] = append(q.plan[share.Shard], share.Batches...)
		for _, i := range slices.Concat(share.Batches...) {
			q.items[i].owner = share.Shard + 1
		}
	}
	return nil
}
