package history

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/tests"
)

// Rank is by what tests are ranked.
type Rank string

// The ranks: by the mean duration, by how often a test was flaky, by how long it has been failing.
const (
	Slowest Rank = "slowest"
	Flaky   Rank = "flaky"
	Failing Rank = "failing"
)

// Trend is the history of one test in short.
type Trend struct {
	ID      string
	Runs    int           // results that are kept, without skips
	Bad     int           // how many failed
	Flaky   int           // how many failed first and passed then
	Mean    time.Duration // of results that passed; of all where none did
	Last    Result        // the newest
	Failing *Result       // the first of the failures that it has not recovered from
	Recent  []Mark        // the newest results, newest first, as many as were asked for
	since   int
}

// Mark is one result in short.
type Mark struct {
	Build    int // its number
	Status   tests.Status
	Flaky    bool
	Duration time.Duration
}

// Order is by what tests are ranked, which of them are, and how many results of each are shown.
type Order struct {
	By     Rank
	Text   string // only those with this in the id, in whatever case
	Recent int
}

// Ranked returns the first tests of an order, skipping some.
func (s *Store) Ranked(project string, order Order, skip, limit int) (page []Trend, more bool, err error) {
	top := &ranking{by: order.By}
	err = s.db.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketTrends).Bucket([]byte(project))
		if bucket == nil {
			return nil
		}
		err := bucket.ForEach(func(k, raw []byte) error {
			if len(k) == len(countKey) {
				return nil
			}
			t, err := decodeTrend(raw)
			if err != nil || len(t.results) == 0 || order.Text != "" && !within(t.id, order.Text) {
				return err
			}
			if short := t.short(); top.has(&short) {
				heap.Push(top, short)
				if top.Len() > skip+limit+1 {
					heap.Pop(top)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		slices.SortFunc(top.all, func(a, b Trend) int { return -top.compare(&a, &b) })
		page = top.all[min(skip, len(top.all)):]
		if more = len(page) > limit; more {
			page = page[:limit]
		}
		for i := range page {
			page[i].place(tx, project)
			if err := page[i].recall(bucket, order.Recent); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("the tests of project %s: %w", project, err)
	}
	return page, more, nil
}

// place fills in the builds of a trend's results.
func (t *Trend) place(tx *bbolt.Tx, project string) {
	last := point{t.Last.Build.Number, t.Last.Status, t.Last.Flaky, t.Last.Held, t.Last.Duration.Milliseconds()}
	t.Last = last.result(tx, project)
	if t.since > 0 {
		first := point{build: t.since, status: t.Last.Status}.result(tx, project)
		t.Failing = &first
	}
}

// recall fills in a trend's newest results. While all tests are ranked, none are held.
func (t *Trend) recall(bucket *bbolt.Bucket, recent int) error {
	if recent == 0 {
		return nil
	}
	all, err := decodeTrend(bucket.Get(trendKey(t.ID)))
	for _, p := range all.results[:min(len(all.results), recent)] {
		t.Recent = append(t.Recent, Mark{p.build, p.status, p.flaky, time.Duration(p.millis) * time.Millisecond})
	}
	return err
}

// short counts a test's results.
func (t *trend) short() Trend {
	newest := t.results[0]
	out := Trend{ID: t.id, Last: Result{Build: Build{Number: newest.build}, Status: newest.status, Flaky: newest.flaky, Held: newest.held, Duration: time.Duration(newest.millis) * time.Millisecond}}
	var passed, all time.Duration
	passes, recovered := 0, false
	for _, p := range t.results {
		took := time.Duration(p.millis) * time.Millisecond
		if p.status == codes[4] || p.status == codes[0] {
			continue
		}
		out.Runs++
		all += took
		if p.flaky {
			out.Flaky++
		}
		if !p.status.Bad() {
			passed += took
			passes++
			recovered = true
			continue
		}
		out.Bad++
		if !recovered {
			out.since = p.build
		}
	}
	switch {
	case passes > 0:
		out.Mean = passed / time.Duration(passes)
	case out.Runs > 0:
		out.Mean = all / time.Duration(out.Runs)
	}
	return out
}

// ranking is a heap whose first is the least of those that are kept.
type ranking struct {
	by  Rank
	all []Trend
}

func (r *ranking) has(t *Trend) bool {
	switch r.by {
	case Flaky:
		return t.Flaky > 0
	case Failing:
		return t.since > 0
	}
	return t.Runs > 0
}

// compare is above zero when a ranks before b.
func (r *ranking) compare(a, b *Trend) int {
	c := 0
	switch r.by {
	case Flaky:
		c = cmp.Or(cmp.Compare(a.Flaky*max(1, b.Runs), b.Flaky*max(1, a.Runs)), cmp.Compare(a.Flaky, b.Flaky))
	case Failing:
		c = cmp.Compare(b.since, a.since)
	default:
		c = cmp.Compare(a.Mean, b.Mean)
	}
	return cmp.Or(c, cmp.Compare(b.ID, a.ID))
}

func (r *ranking) Len() int           { return len(r.all) }
func (r *ranking) Less(i, j int) bool { return r.compare(&r.all[i], &r.all[j]) < 0 }
func (r *ranking) Swap(i, j int)      { r.all[i], r.all[j] = r.all[j], r.all[i] }

// Push is heap.Interface's.
func (r *ranking) Push(x any) { r.all = append(r.all, x.(Trend)) }

// Pop is heap.Interface's.
func (r *ranking) Pop() any {
	last := r.all[len(r.all)-1]
	r.all = r.all[:len(r.all)-1]
	return last
}
