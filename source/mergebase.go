package source

import (
	"container/heap"
	"context"
	"time"

	"github.com/runner-ci/runner/source/pack"
)

// Marks of a commit while the place is looked for where two histories part.
const (
	ofOne   = 1 << iota // an ancestor of the one
	ofOther             // an ancestor of the other
	below               // an ancestor of one that both have
	parts               // both have it
)

// dated is a commit in the order in which histories are walked: the newest first.
type dated struct {
	id      pack.ID
	when    time.Time
	parents []pack.ID
}

// mergeBase finds the newest commit that two have in common and that is no ancestor of another such. Both histories are
// walked together, the newest commit first, and each commit passes its marks on to its parents; when only ancestors of
// common commits are left to walk, the commons are known.
func (c *comparison) mergeBase(one, other pack.ID) (base pack.ID, found bool, err error) {
	if other, err = c.meta.peel(other); err != nil {
		return base, false, err
	}
	w := &baseWalk{c: c, marks: map[pack.ID]int{}}
	if err := w.mark(one, ofOne); err != nil {
		return base, false, err
	}
	if err := w.mark(other, ofOther); err != nil {
		return base, false, err
	}
	var common []pack.ID
	for w.open() {
		at := heap.Pop(&w.queue).(dated)
		marks := w.marks[at.id] & (ofOne | ofOther | below)
		if marks == ofOne|ofOther {
			if w.marks[at.id]&parts == 0 {
				w.marks[at.id] |= parts
				common = append(common, at.id)
			}
			marks |= below
		}
		for _, parent := range at.parents {
			if err := w.mark(parent, marks); err != nil {
				return base, false, err
			}
		}
	}
	for _, id := range common { // the newest first
		if w.marks[id]&below == 0 {
			return id, true, nil
		}
	}
	return base, false, nil
}

type baseWalk struct {
	c     *comparison
	marks map[pack.ID]int
	queue byDate
}

// mark adds marks to a commit, and has it walked, unless it had them all.
func (w *baseWalk) mark(id pack.ID, marks int) error {
	if w.marks[id]&marks == marks {
		return nil
	}
	w.marks[id] |= marks
	if w.c.commits--; w.c.commits < 0 {
		return errLongWalk
	}
	if w.c.commits%256 == 0 && w.c.ctx.Err() != nil {
		return context.Cause(w.c.ctx)
	}
	of, err := w.c.meta.commit(id)
	if err != nil {
		return err
	}
	heap.Push(&w.queue, dated{id, of.Committer.When, of.ParentHashes})
	return nil
}

// open tells whether something is left to walk that may still turn out to be common.
func (w *baseWalk) open() bool {
	for _, d := range w.queue {
		if w.marks[d.id]&below == 0 {
			return true
		}
	}
	return false
}

// byDate is a heap of commits, the newest first.
type byDate []dated

func (q byDate) Len() int           { return len(q) }
func (q byDate) Less(i, j int) bool { return q[i].when.After(q[j].when) }
func (q byDate) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push is that of container/heap.
func (q *byDate) Push(x any) { *q = append(*q, x.(dated)) }

// Pop is that of container/heap.
func (q *byDate) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
