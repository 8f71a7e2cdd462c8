package source

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// nearest is a hint with the names most like one that does not exist.
func nearest(name string, all []string) string {
	type candidate struct {
		name     string
		distance int
	}
	var found []candidate
	base := path.Base(name)
	for _, n := range all {
		limit := max(2, len(base)/3)
		if d := min(distance(base, path.Base(n), limit), distance(name, n, limit)); d <= limit {
			found = append(found, candidate{n, d})
		}
	}
	if len(found) == 0 {
		return "nothing there has a name like it"
	}
	slices.SortFunc(found, func(a, b candidate) int {
		if a.distance != b.distance {
			return a.distance - b.distance
		}
		return strings.Compare(a.name, b.name)
	})
	var names []string
	for _, c := range found[:min(3, len(found))] {
		names = append(names, printable(c.name))
	}
	return "near it: " + strings.Join(names, ", ")
}

// printable quotes a name that would disturb a line.
func printable(name string) string {
	if q := strconv.Quote(name); q != `"`+name+`"` {
		return q
	}
	return name
}

// distance counts the changes of one character that lead from a to b, without regard to case. Above limit, any
// number above limit is returned.
func distance(a, b string, limit int) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	if len(a)-len(b) > limit || len(b)-len(a) > limit || len(a) > 300 {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost = 1 + min(last, row[j], row[j+1])
			}
			last, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
