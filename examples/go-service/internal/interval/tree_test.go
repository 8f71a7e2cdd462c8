package interval

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func span(from, to int) Span {
	return Span{noon.Add(time.Duration(from) * time.Minute), noon.Add(time.Duration(to) * time.Minute)}
}

func TestOverlaps(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b Span
		want bool
	}{
		{"apart", span(0, 10), span(20, 30), false},
		{"touching", span(0, 10), span(10, 20), false},
		{"by a minute", span(0, 11), span(10, 20), true},
		{"inside", span(0, 60), span(20, 30), true},
		{"equal", span(5, 6), span(5, 6), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.a.Overlaps(c.b); got != c.want {
				t.Errorf("a over b: %v", got)
			}
			if got := c.b.Overlaps(c.a); got != c.want {
				t.Errorf("b over a: %v", got)
			}
		})
	}
}

// TestTreeAgainstList does random inserts, deletes and queries on a tree and on a plain list, and compares.
func TestTreeAgainstList(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed", seed), func(t *testing.T) {
			t.Parallel()
			compareWithList(t, rand.New(rand.NewPCG(seed, 7)), 6000)
		})
	}
}

func compareWithList(t *testing.T, random *rand.Rand, steps int) {
	var tree Tree
	list := map[string]Span{}
	for step := range steps {
		from := random.IntN(10_000)
		s := span(from, from+1+random.IntN(240))
		switch id := fmt.Sprintf("b%03d", random.IntN(400)); random.IntN(3) {
		case 0:
			if old, ok := list[id]; ok {
				tree.Delete(old, id)
			}
			tree.Insert(s, id)
			list[id] = s
		case 1:
			old, there := list[id]
			if got := tree.Delete(old, id); got != there {
				t.Fatalf("step %d: delete %s = %v, want %v", step, id, got, there)
			}
			delete(list, id)
		case 2:
			var got, want []string
			for _, id := range tree.Overlapping(s) {
				got = append(got, id)
			}
			for id, other := range list {
				if other.Overlaps(s) {
					want = append(want, id)
				}
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("step %d: overlapping %v = %v, want %v", step, s, got, want)
			}
		}
		if tree.Len() != len(list) {
			t.Fatalf("step %d: %d entries, want %d", step, tree.Len(), len(list))
		}
	}
}

func TestOverlappingIsOrdered(t *testing.T) {
	var tree Tree
	for i := range 500 {
		from := (i * 7919) % 5000
		tree.Insert(span(from, from+100), fmt.Sprint(i))
	}
	var last time.Time
	count := 0
	for s := range tree.Overlapping(span(1000, 2000)) {
		if s.Start.Before(last) {
			t.Fatalf("%v after %v", s.Start, last)
		}
		last = s.Start
		count++
	}
	if count == 0 {
		t.Fatal("nothing overlaps")
	}
}

func TestFreeAfterDelete(t *testing.T) {
	var tree Tree
	tree.Insert(span(0, 30), "standup")
	if tree.Free(span(10, 20)) {
		t.Error("free although the standup is there")
	}
	if !tree.Delete(span(0, 30), "standup") || !tree.Free(span(10, 20)) {
		t.Error("not free after the delete")
	}
}
