package interval

import (
	"iter"
	"math/rand/v2"
	"time"
)

// Tree is a treap of spans, each node knowing the latest end below it. The zero value is empty and ready.
// Several entries may have the same span as long as their ids differ. A Tree is not safe for concurrent use.
type Tree struct {
	root *node
	size int
}

type node struct {
	span        Span
	id          string
	priority    uint64
	latest      time.Time // the latest end in this subtree
	left, right *node
}

// Len is the number of entries.
func (t *Tree) Len() int { return t.size }

// Insert adds an entry. An entry with the same span and id is replaced, that is, left alone.
func (t *Tree) Insert(span Span, id string) {
	if t.find(span, id) {
		return
	}
	t.root = insert(t.root, &node{span: span, id: id, priority: rand.Uint64(), latest: span.End})
	t.size++
}

// Delete removes an entry and tells whether it was there.
func (t *Tree) Delete(span Span, id string) bool {
	if !t.find(span, id) {
		return false
	}
	t.root = remove(t.root, span, id)
	t.size--
	return true
}

// Overlapping yields the ids of the entries that overlap the span, ordered by start.
func (t *Tree) Overlapping(span Span) iter.Seq2[Span, string] {
	return func(yield func(Span, string) bool) { walk(t.root, span, yield) }
}

// Free tells whether nothing overlaps the span.
func (t *Tree) Free(span Span) bool {
	for range t.Overlapping(span) {
		return false
	}
	return true
}

func (t *Tree) find(span Span, id string) bool {
	for n := t.root; n != nil; {
		switch c := order(span, id, n); {
		case c == 0:
			return true
		case c < 0:
			n = n.left
		default:
			n = n.right
		}
	}
	return false
}

func order(span Span, id string, n *node) int {
	if c := span.compare(n.span); c != 0 {
		return c
	}
	switch {
	case id < n.id:
		return -1
	case id > n.id:
		return 1
	}
	return 0
}

func insert(n, added *node) *node {
	if n == nil {
		return added
	}
	if order(added.span, added.id, n) < 0 {
		n.left = insert(n.left, added)
		if n.left.priority > n.priority {
			n = rotateRight(n)
		}
	} else {
		n.right = insert(n.right, added)
		if n.right.priority > n.priority {
			n = rotateLeft(n)
		}
	}
	n.update()
	return n
}

func remove(n *node, span Span, id string) *node {
	switch c := order(span, id, n); {
	case c < 0:
		n.left = remove(n.left, span, id)
	case c > 0:
		n.right = remove(n.right, span, id)
	default:
		return merge(n.left, n.right)
	}
	n.update()
	return n
}

// merge joins two trees, every entry of the first before every entry of the second.
func merge(a, b *node) *node {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.priority > b.priority:
		a.right = merge(a.right, b)
		a.update()
		return a
	default:
		b.left = merge(a, b.left)
		b.update()
		return b
	}
}

func rotateRight(n *node) *node {
	l := n.left
	n.left, l.right = l.right, n
	n.update()
	l.update()
	return l
}

func rotateLeft(n *node) *node {
	r := n.right
	n.right, r.left = r.left, n
	n.update()
	r.update()
	return r
}

func (n *node) update() {
	n.latest = n.span.End
	for _, child := range []*node{n.left, n.right} {
		if child != nil && child.latest.After(n.latest) {
			n.latest = child.latest
		}
	}
}

// walk visits what overlaps, and skips each subtree that ends too early or begins too late.
func walk(n *node, span Span, yield func(Span, string) bool) bool {
	if n == nil || !n.latest.After(span.Start) {
		return true
	}
	if !walk(n.left, span, yield) {
		return false
	}
	if !n.span.Start.Before(span.End) {
		return true
	}
	if n.span.Overlaps(span) && !yield(n.span, n.id) {
		return false
	}
	return walk(n.right, span, yield)
}
