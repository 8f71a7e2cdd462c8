package compare

import (
	"cmp"
	"slices"
)

// Change is a place at which two logs differ: green's lines From to To (not included), in whose place are red's.
type Change struct {
	GreenFrom, GreenTo int
	RedFrom, RedTo     int
}

// Alignment is how two logs go together.
type Alignment struct {
	Changes []Change
	Moved   int // lines that both logs have, in another order; no change has such lines alone

	greenMoved, redMoved []bool // of the lines in changes, by index
}

// GreenOnly tells whether red nowhere has green's line of an index, which must be in a change.
func (a *Alignment) GreenOnly(i int) bool { return !a.greenMoved[i] }

// RedOnly is the same the other way round.
func (a *Alignment) RedOnly(i int) bool { return !a.redMoved[i] }

// Align matches the lines of two logs: (1) what both begin and end with; (2) between that, lines that each has once, as many
// as come in the same order in both; (3) around these, what is the same before and behind. What is left is in changes, but for
// (4) lines that are gone in one place and come in another, which tests that run at the same time do all the time.
func Align(green, red []uint64) *Alignment {
	a := &Alignment{greenMoved: make([]bool, len(green)), redMoved: make([]bool, len(red))}
	head := 0
	for head < len(green) && head < len(red) && green[head] == red[head] {
		head++
	}
	tail := 0
	for tail < len(green)-head && tail < len(red)-head && green[len(green)-1-tail] == red[len(red)-1-tail] {
		tail++
	}
	g, r := green[head:len(green)-tail], red[head:len(red)-tail]
	a.between(g, r, head, head, 0)
	a.dropMoved(green, red)
	return a
}

// deepest bounds how often a part without matches is looked at for lines that are unique within it alone.
const deepest = 8

// between collects the changes of two parts, which begin at these places of their logs.
func (a *Alignment) between(g, r []uint64, green, red, depth int) {
	if len(g) == 0 && len(r) == 0 {
		return
	}
	var anchors []pair
	if len(g) > 0 && len(r) > 0 && depth < deepest {
		anchors = inOrder(uniques(g, r))
	}
	if len(anchors) == 0 {
		a.Changes = append(a.Changes, Change{green, green + len(g), red, red + len(r)})
		return
	}
	i, j := 0, 0 // all before is done
	for _, p := range append(anchors, pair{int32(len(g)), int32(len(r))}) {
		x, y := int(p.green), int(p.red)
		if x < i {
			continue // a former one grew over it
		}
		for x > i && y > j && g[x-1] == r[y-1] {
			x, y = x-1, y-1
		}
		a.between(g[i:x], r[j:y], green+i, red+j, depth+1)
		for x < len(g) && y < len(r) && g[x] == r[y] {
			x, y = x+1, y+1
		}
		i, j = x, y
	}
}

// pair are the indexes of one line in both logs.
type pair struct{ green, red int32 }

// bySum are indexes of lines, sorted by the lines' sums.
func bySum(sums []uint64) []int32 {
	order := make([]int32, len(sums))
	for i := range order {
		order[i] = int32(i)
	}
	sortBy(order, sums)
	return order
}

func sortBy(order []int32, sums []uint64) {
	slices.SortFunc(order, func(a, b int32) int { return cmp.Or(cmp.Compare(sums[a], sums[b]), cmp.Compare(a, b)) })
}

// equals visits the lines that both have, with all indexes of each.
func equals(green, red []uint64, g, r []int32, visit func(g, r []int32)) {
	for len(g) > 0 && len(r) > 0 {
		x, y := green[g[0]], red[r[0]]
		n, m := 1, 1
		for n < len(g) && green[g[n]] == x {
			n++
		}
		for m < len(r) && red[r[m]] == y {
			m++
		}
		switch {
		case x < y:
			g = g[n:]
		case y < x:
			r = r[m:]
		default:
			visit(g[:n], r[:m])
			g, r = g[n:], r[m:]
		}
	}
}

// uniques are the lines that each part has once, by their place in green.
func uniques(green, red []uint64) []pair {
	var out []pair
	equals(green, red, bySum(green), bySum(red), func(g, r []int32) {
		if len(g) == 1 && len(r) == 1 {
			out = append(out, pair{g[0], r[0]})
		}
	})
	slices.SortFunc(out, func(a, b pair) int { return cmp.Compare(a.green, b.green) })
	return out
}

// inOrder keeps as many pairs as can be kept so that they come in the same order in both logs: the longest increasing
// sequence of their places in red.
func inOrder(pairs []pair) []pair {
	var last []int32 // by length: the pair that a sequence of it ends with at the lowest place
	before := make([]int32, len(pairs))
	for i, p := range pairs {
		n, _ := slices.BinarySearchFunc(last, p.red, func(at, red int32) int { return cmp.Compare(pairs[at].red, red) })
		if before[i] = -1; n > 0 {
			before[i] = last[n-1]
		}
		if n == len(last) {
			last = append(last, 0)
		}
		last[n] = int32(i)
	}
	out := make([]pair, len(last))
	if len(last) > 0 {
		for at, n := last[len(last)-1], len(last)-1; at >= 0; at, n = before[at], n-1 {
			out[n] = pairs[at]
		}
	}
	return out
}

// dropMoved finds the lines of changes that both logs have, and drops changes that have no others.
func (a *Alignment) dropMoved(green, red []uint64) {
	var g, r []int32
	for _, c := range a.Changes {
		for i := c.GreenFrom; i < c.GreenTo; i++ {
			g = append(g, int32(i))
		}
		for i := c.RedFrom; i < c.RedTo; i++ {
			r = append(r, int32(i))
		}
	}
	sortBy(g, green)
	sortBy(r, red)
	equals(green, red, g, r, func(g, r []int32) {
		for k := range min(len(g), len(r)) {
			a.greenMoved[g[k]], a.redMoved[r[k]] = true, true
			a.Moved++
		}
	})
	a.Changes = slices.DeleteFunc(a.Changes, func(c Change) bool {
		return !slices.Contains(a.greenMoved[c.GreenFrom:c.GreenTo], false) && !slices.Contains(a.redMoved[c.RedFrom:c.RedTo], false)
	})
}
