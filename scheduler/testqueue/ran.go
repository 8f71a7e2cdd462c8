package testqueue

import "time"

// Ran is a batch that was handed out, as its worker had it.
type Ran struct {
	Worker string
	Shard  int
	Began  time.Time
	Ended  time.Time // zero: it was not answered, or not yet
	Items  []string
}

// Ran lists the batches in the order in which they were handed out.
func (q *Queue) Ran() []Ran {
	var out []Ran
	at, shards := make(map[uint64]int), make(map[string]int)
	for _, e := range q.events {
		switch e.Kind {
		case kindJoin:
			shards[e.Worker] = e.Shard
		case kindTake:
			at[e.Token] = len(out)
			out = append(out, Ran{Worker: e.Worker, Shard: shards[e.Worker], Began: time.UnixMilli(e.At), Items: q.names(e.Items)})
		case kindDone:
			if i, known := at[e.Token]; known && out[i].Ended.IsZero() {
				out[i].Ended = time.UnixMilli(e.At)
			}
		}
	}
	return out
}

// Joined is when each worker first came.
func (q *Queue) Joined() map[string]time.Time {
	out := make(map[string]time.Time)
	for _, e := range q.events {
		if _, known := out[e.Worker]; e.Kind == kindJoin && !known {
			out[e.Worker] = time.UnixMilli(e.At)
		}
	}
	return out
}

// Times are what each item took, all its tries together, without those that nobody has answered for; and what was known of
// them when the queue was made. An item is known that was measured: alone, or by what its tests say of themselves. The time
// of any other is its part of its batch's, by division.
func (q *Queue) Times() (real []Item, known History) {
	divided := make(map[int]bool)
	took, list := make(map[int]int64), (*List)(nil)
	for _, e := range q.events {
		if e.List != nil {
			list = e.List
		}
		if e.Kind != kindDone {
			continue
		}
		for n, i := range e.Items {
			if n < len(e.Micros) {
				took[i] += e.Micros[n]
				divided[i] = divided[i] || e.Sum == 0 && len(e.Items) > 1
			}
		}
	}
	known = make(History)
	for i := range q.items {
		if micros, ran := took[i]; ran {
			real = append(real, Item{Name: q.items[i].name, Took: time.Duration(micros) * time.Microsecond, Known: !divided[i]})
		}
		if list != nil && i < len(list.Micros) && list.Micros[i] > 0 {
			known[q.items[i].name] = time.Duration(list.Micros[i]) * time.Microsecond
		}
	}
	return real, known
}

// Startup is what the start of a batch cost, where the tests' own durations show it, else 0: then it is part of theirs.
func (q *Queue) Startup() time.Duration {
	if q.learned.directly == 0 {
		return 0
	}
	return time.Duration(max(0, q.learned.direct/q.learned.directly) * float64(time.Second))
}
