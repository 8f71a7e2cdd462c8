package scheduler

import (
	"container/heap"
	"time"
)

// queue is the picture of the jobs that wait for a slot or hold one. It keeps each project's waiting jobs in a line of
// their own, so that a choice looks at the first of each line, however many wait behind it.
type queue struct {
	all     map[string]*entry // by entryKey
	lines   map[string]*line  // by project
	asleep  []*entry          // that wait for their notBefore, too
	running int               // jobs that hold a slot
	waiting int               // jobs that wait for one
}

// line is what one project has in the queue.
type line struct {
	ready   readyHeap
	running int
	waiting int // those that are asleep, too
	// oldest is no later than the time since which any of them waits; zero: nothing is known.
	oldest time.Time
}

func newQueue() *queue {
	return &queue{all: make(map[string]*entry), lines: make(map[string]*line)}
}

func (q *queue) get(build, job string) *entry { return q.all[entryKey(build, job)] }

func (q *queue) add(e *entry) {
	q.all[entryKey(e.build, e.job)] = e
	e.at = -1
	q.count(e, 1)
}

func (q *queue) remove(key string) {
	if e := q.all[key]; e != nil {
		delete(q.all, key)
		q.count(e, -1)
	}
}

// lease notes that a job holds a slot.
func (q *queue) lease(e *entry) { q.change(e, func() { e.state, e.leased = JobLeased, time.Now() }) }

// wait notes that a job waits for a slot, since a time, and is not to have one before another.
func (q *queue) wait(e *entry, since, notBefore time.Time) {
	q.change(e, func() { e.state, e.queued, e.notBefore = JobQueued, since, notBefore })
}

// change keeps the counts and the lines true of an entry that changes. One that has left the queue is changed alone.
func (q *queue) change(e *entry, change func()) {
	if q.all[entryKey(e.build, e.job)] != e {
		change()
		return
	}
	q.count(e, -1)
	change()
	q.count(e, 1)
}

// count takes an entry into the counts and lines, or out of them.
func (q *queue) count(e *entry, by int) {
	n := q.lines[e.project]
	if n == nil {
		n = &line{}
		q.lines[e.project] = n
	}
	switch e.state {
	case JobLeased:
		n.running, q.running = n.running+by, q.running+by
	case JobQueued:
		n.waiting, q.waiting = n.waiting+by, q.waiting+by
		n.place(q, e, by > 0)
	}
	if n.running == 0 && n.waiting == 0 {
		delete(q.lines, e.project)
	}
}

// place puts a waiting entry in line, or takes it out.
func (n *line) place(q *queue, e *entry, in bool) {
	switch {
	case in && n.waiting == 1, in && e.queued.Before(n.oldest):
		n.oldest = e.queued
	}
	switch {
	case in && !e.notBefore.IsZero():
		q.asleep = append(q.asleep, e)
	case in:
		heap.Push(&n.ready, e)
	case e.at >= 0:
		heap.Remove(&n.ready, e.at)
	default:
		for i, other := range q.asleep {
			if other == e {
				q.asleep = append(q.asleep[:i], q.asleep[i+1:]...)
				return
			}
		}
	}
}

// awake puts those in line whose wait is over. They are few: each has just had an attempt that failed.
func (q *queue) awake(now time.Time) {
	still := q.asleep[:0]
	for _, e := range q.asleep {
		if now.Before(e.notBefore) {
			still = append(still, e)
		} else {
			heap.Push(&q.lines[e.project].ready, e)
		}
	}
	clear(q.asleep[len(still):])
	q.asleep = still
}

// overdue returns the jobs that have waited for as long as their project allows. A line is walked only where one of it
// may have: this is asked each second, and a batch has ten thousand jobs.
func (q *queue) overdue(now time.Time, limit func(project string) time.Duration) (out []*entry) {
	for project, n := range q.lines {
		most := limit(project)
		if n.waiting == 0 || most <= 0 || now.Sub(n.oldest) < most {
			continue
		}
		n.oldest = now
		for _, e := range n.ready {
			out = n.look(e, now, most, out)
		}
		for _, e := range q.asleep {
			if e.project == project {
				out = n.look(e, now, most, out)
			}
		}
	}
	return out
}

func (n *line) look(e *entry, now time.Time, most time.Duration, out []*entry) []*entry {
	if e.queued.Before(n.oldest) {
		n.oldest = e.queued
	}
	if now.Sub(e.queued) >= most {
		return append(out, e)
	}
	return out
}

// readyHeap has the job first that its project would have run next.
type readyHeap []*entry

func (h readyHeap) Len() int { return len(h) }

func (h readyHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	switch {
	case a.priority != b.priority:
		return a.priority > b.priority
	case a.seq != b.seq:
		return a.seq < b.seq
	}
	return a.index < b.index
}

func (h readyHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push and Pop are those of container/heap.
func (h *readyHeap) Push(x any) {
	e := x.(*entry)
	e.at = len(*h)
	*h = append(*h, e)
}

// Pop removes the last.
func (h *readyHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h, e.at = (*h)[:last], -1
	return e
}
