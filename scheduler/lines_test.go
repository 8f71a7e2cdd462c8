package scheduler

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestChoiceIsThatOfAWalk compares the choice along the lines with that of a walk through all entries, while jobs come,
// are leased, fail, sleep and end as a seed says.
func TestChoiceIsThatOfAWalk(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		q, now := newQueue(), time.Now()
		l := limits{slots: 6, served: make(map[string]uint64), maxJobs: func(p string) int { return map[string]int{"p1": 2}[p] }}
		for step := range 600 {
			now = now.Add(time.Second)
			l.now = now
			switch some := anyEntry(q, r); {
			case r.IntN(3) == 0 || some == nil:
				p := r.IntN(4)
				e := &entry{
					build: fmt.Sprint("b", step/7), job: fmt.Sprint(step), project: fmt.Sprint("p", p), index: step % 7, seq: uint64(step/7*4 + p),
					priority: r.IntN(2), state: JobQueued, queued: now,
				}
				q.add(e)
			case some.state == JobLeased && r.IntN(2) == 0:
				q.wait(some, now, now.Add(time.Duration(r.IntN(9))*time.Second))
			case r.IntN(4) == 0:
				q.remove(entryKey(some.build, some.job))
			default:
				want := walk(q, l)
				got := next(q, l)
				if got != want {
					t.Fatalf("seed %d, step %d: chosen was %+v, want %+v", seed, step, got, want)
				}
				if got != nil {
					q.lease(got)
					l.served[got.project] = uint64(step)
				}
			}
			tallies(t, q, now)
		}
	}
}

// anyEntry draws one, nil when there is none.
func anyEntry(q *queue, r *rand.Rand) *entry {
	n := r.IntN(len(q.all) + 1)
	for _, e := range q.all {
		if n--; n < 0 {
			return e
		}
	}
	return nil
}

// walk is the choice by its rule alone. Of jobs that the rule holds equal it cannot say which, and the seeds give none.
func walk(q *queue, l limits) (best *entry) {
	running := make(map[string]int)
	total := 0
	for _, e := range q.all {
		if e.state == JobLeased {
			running[e.project]++
			total++
		}
	}
	for _, e := range q.all {
		limit := l.maxJobs(e.project)
		if total >= l.slots || e.state != JobQueued || l.now.Before(e.notBefore) || limit > 0 && running[e.project] >= limit {
			continue
		}
		switch {
		case best == nil,
			e.project != best.project && before(e, best, running[e.project], running[best.project], l.served),
			e.project == best.project && (readyHeap{e, best}).Less(0, 1):
			best = e
		}
	}
	return best
}

// tallies checks the counts, and that what is overdue is found.
func tallies(t *testing.T, q *queue, now time.Time) {
	t.Helper()
	waiting, running, late := 0, 0, 0
	const most = 100 * time.Second
	for _, e := range q.all {
		switch e.state {
		case JobLeased:
			running++
		case JobQueued:
			waiting++
			if now.Sub(e.queued) >= most {
				late++
			}
		}
	}
	if got := len(q.overdue(now, func(string) time.Duration { return most })); waiting != q.waiting || running != q.running || got != late {
		t.Fatalf("%d wait, %d run, %d are overdue, want %d, %d, %d", q.waiting, q.running, got, waiting, running, late)
	}
}

// crowd is a queue of n jobs of builds of a hundred, over twenty projects.
func crowd(n int) *queue {
	q := newQueue()
	for i := range n {
		project := fmt.Sprint("p", i/100%20)
		q.add(&entry{
			build: fmt.Sprint(project, "#", i/100), job: fmt.Sprint("j", i%100), project: project, index: i % 100, seq: uint64(i / 100),
			state: JobQueued, queued: time.Now(),
		})
	}
	return q
}
