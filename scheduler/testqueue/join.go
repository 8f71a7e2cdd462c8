package testqueue

import "time"

// Join brings a worker in with the list of tests that it found. The first list makes the queue; a list that says
// something else is refused with a *ListError. Joining again changes nothing. A worker that was given up for good is
// refused with ErrGone, an empty list with ErrEmpty. Shards are numbered from 0; a shard has several workers when
// attempts replace each other.
func (q *Queue) Join(id string, shard int, names []string, now time.Time) error {
	w := q.workers[id]
	if w != nil && w.state == gone {
		return ErrGone
	}
	list := Normalise(names)
	if len(list) == 0 {
		return ErrEmpty
	}
	if q.hash == "" {
		if err := q.apply(q.listEvent(id, list, now)); err != nil {
			return err
		}
	} else if err := q.compare(id, list); err != nil {
		return err
	}
	if w != nil {
		_, err := q.hear(id, now)
		return err
	}
	if err := q.apply(Event{Kind: kindJoin, At: now.UnixMilli(), Worker: id, Shard: shard}); err != nil {
		return err
	}
	q.workers[id].seen = now
	return nil
}

// listEvent freezes what history says about a list.
func (q *Queue) listEvent(id string, list []string, now time.Time) Event {
	items := q.opts.History.Items(list)
	e := Event{Kind: kindList, At: now.UnixMilli(), Worker: id, List: &List{Names: list}}
	if !anyKnown(items) {
		return e
	}
	e.List.Micros = make([]int64, len(items))
	for i, it := range items {
		micros := max(it.Took.Microseconds(), 1)
		if !it.Known {
			micros = -micros
		}
		e.List.Micros[i] = micros
	}
	return e
}

// Heartbeat says that a worker lives. A worker that was given up because it was silent may go on: what it held went
// to others, but what it answers first still counts.
func (q *Queue) Heartbeat(id string, now time.Time) error {
	_, err := q.hear(id, now)
	return err
}

// hear notes a sign of life.
func (q *Queue) hear(id string, now time.Time) (*worker, error) {
	w := q.workers[id]
	switch {
	case w == nil:
		return nil, ErrUnknown
	case w.state == gone:
		return nil, ErrGone
	case w.state == silent:
		if err := q.apply(Event{Kind: kindJoin, At: now.UnixMilli(), Worker: id, Shard: w.shard}); err != nil {
			return nil, err
		}
	}
	w.seen = now
	return w, nil
}
