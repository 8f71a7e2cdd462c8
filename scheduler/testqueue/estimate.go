package testqueue

import (
	"cmp"
	"hash/fnv"
	"path"
	"slices"
	"strings"
	"time"
)

// unknownTook is what a test is taken to need when nothing at all is recorded. Only its ratio to other such tests
// matters: how long they really need is learned while they run.
const unknownTook = time.Second

// History is how long each item took when it last ran, by name. A queue and a split freeze it: they never look again.
type History map[string]time.Duration

// Item is one piece of the work: a test file, a package, a test function.
type Item struct {
	Name  string
	Took  time.Duration // recorded, or estimated
	Known bool          // Took is recorded
}

// PartMark stands between a file and one of its tests, in the name of an item that is less than a file.
const PartMark = "#"

// partsOf counts the items of each file that is not one item.
func partsOf(names []string) map[string]int {
	parts := make(map[string]int)
	for _, name := range names {
		if file, _, part := strings.Cut(name, PartMark); part {
			parts[file]++
		}
	}
	return parts
}

// Items gives each name its duration. A test of a file whose duration is recorded, and its own is not, gets an equal part
// of that; any other name that is not recorded the median of the recorded names with the same
// directory and extension, else of the same extension, else of all; when nothing is recorded all are alike. Recorded
// names that are not asked for are not looked at, so that what has left the suite has no say. Durations of zero or less
// count as not recorded.
func (h History) Items(names []string) []Item {
	groups := make(map[string][]time.Duration)
	for _, name := range names {
		if took := h[name]; took > 0 {
			for _, group := range groupsOf(name) {
				groups[group] = append(groups[group], took)
			}
		}
	}
	medians := make(map[string]time.Duration, len(groups))
	for group, all := range groups {
		medians[group] = median(all)
	}
	parts := partsOf(names)
	items := make([]Item, len(names))
	for i, name := range names {
		items[i] = Item{Name: name, Took: h[name], Known: h[name] > 0}
		if file, _, part := strings.Cut(name, PartMark); !items[i].Known && part && h[file] > 0 {
			items[i].Took = max(h[file]/time.Duration(parts[file]), 1)
		} else if !items[i].Known {
			items[i].Took = firstMedian(medians, name)
		}
	}
	return items
}

// groupsOf names the groups whose median stands for a name, the closest first.
func groupsOf(name string) []string {
	ext := path.Ext(name)
	return []string{"dir\x00" + path.Dir(name) + "\x00" + ext, "ext\x00" + ext, "all"}
}

func firstMedian(medians map[string]time.Duration, name string) time.Duration {
	for _, group := range groupsOf(name) {
		if took, ok := medians[group]; ok {
			return took
		}
	}
	return unknownTook
}

// median of a list that is not empty, the lower one of an even number.
func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[(len(all)-1)/2]
}

// longestFirst orders items for a split.
func longestFirst(a, b Item) int {
	return cmp.Or(cmp.Compare(b.Took, a.Took), cmp.Compare(a.Name, b.Name))
}

// scatter is a number that says nothing of a name's neighbours. A queue orders equals by it, because files that are
// neighbours by name are alike, and a slow directory should not be one batch.
func scatter(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}
