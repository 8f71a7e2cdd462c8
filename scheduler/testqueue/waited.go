package testqueue

import "time"

// Waited is how long each worker had nothing to do while tests ran elsewhere: from its coming, or the end of a batch, to
// its next batch, and at last to the end of the batch that ended last so far.
func (q *Queue) Waited() map[string]time.Duration {
	waited, idle := make(map[string]time.Duration), make(map[string]int64) // idle: since when
	seen, last := make(map[string]bool), int64(0)
	until := func(id string, at int64) {
		if since, is := idle[id]; is {
			waited[id] += time.Duration(max(0, at-since)) * time.Millisecond
			delete(idle, id)
		}
	}
	for _, e := range q.events {
		switch e.Kind {
		case kindTake, kindLost:
			until(e.Worker, e.At)
		case kindDone:
			last = max(last, e.At)
			idle[e.Worker] = e.At
		case kindJoin:
			if !seen[e.Worker] { // else it was silent, and may have a batch
				seen[e.Worker], idle[e.Worker] = true, e.At
			}
		}
	}
	for id := range idle {
		until(id, last)
	}
	return waited
}
