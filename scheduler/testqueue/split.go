package testqueue

import (
	"slices"
	"time"
)

// Split divides items among workers so that all end together: longest processing time first (Graham, "Bounds on
// multiprocessing timing anomalies", 1969), which is at most 4/3 - 1/(3·workers) of the best possible. Each item,
// longest first and equals by name, goes to the worker that is free first, equals by number; so whoever computes it
// from the same items computes the same.
//
// ready tells when each worker can begin, from a common start; a worker that it does not name is ready at once. The
// result has one list a worker, in the order in which to run it. A worker's list may be empty. Less than one worker
// counts as one.
func Split(items []Item, workers int, ready ...time.Duration) [][]Item {
	shares := make([][]Item, max(workers, 1))
	ends := make([]time.Duration, len(shares))
	copy(ends, ready)
	sorted := slices.Clone(items)
	slices.SortStableFunc(sorted, longestFirst)
	for _, item := range sorted {
		first := soonest(ends)
		shares[first] = append(shares[first], item)
		ends[first] += max(item.Took, 0)
	}
	return shares
}

func soonest(ends []time.Duration) int {
	first := 0
	for i, end := range ends {
		if end < ends[first] {
			first = i
		}
	}
	return first
}

// Ends is how long the longest share of a split takes, by the items' own durations.
func Ends(shares [][]Item) time.Duration {
	var longest time.Duration
	for _, share := range shares {
		longest = max(longest, total(share))
	}
	return longest
}

func total(items []Item) (sum time.Duration) {
	for _, item := range items {
		sum += item.Took
	}
	return sum
}
