package buildspec

import (
	"fmt"
	"slices"
	"strings"
)

// depends judges whom the entries wait for: each must be there, and none may wait for itself in the end.
func (c *checker) depends(entries []Entry) {
	index := make(map[string]int, len(entries))
	names := make([]string, len(entries))
	for i, e := range entries {
		index[e.Identifier] = i
		names[i] = e.Identifier
	}
	before := c.counts[SeverityError]
	for _, e := range entries {
		for k, name := range e.DependsOn {
			if name == e.Identifier {
				c.fail(e.dependsAt[k], complaint{
					message: fmt.Sprintf("%s depends on itself", shorten(name)),
					hint:    "remove it from depend-on",
				})
			} else if _, ok := index[name]; !ok {
				c.fail(e.dependsAt[k], complaint{
					message: fmt.Sprintf("%s depends on %q, and no entry has this identifier", e.Identifier, shorten(name)),
					hint:    dependHint(name, names, e.Identifier),
				})
			}
		}
	}
	if c.counts[SeverityError] > before {
		return
	}
	w := &walker{entries: entries, index: index, state: make([]visit, len(entries))}
	for i := range entries {
		if cycle := w.from(i); cycle != nil {
			c.fail(entries[cycle[0]].at, complaint{
				message: "these jobs wait for one another: " + w.spell(cycle),
				hint:    "remove one of these dependencies",
			})
			return
		}
	}
}

func dependHint(name string, names []string, self string) string {
	others := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == self })
	if near := nearest(name, others); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "name the identifier of another entry of this graph"
}

type visit uint8

const (
	unseen visit = iota
	onWay        // on the way from where the walk began
	clear        // leads to no cycle
)

// walker goes along dependencies, depth first, without recursion: a chain may be as long as the file.
type walker struct {
	entries []Entry
	index   map[string]int
	state   []visit
}

// from is a cycle that can be reached from an entry, as indices, nil if there is none.
func (w *walker) from(start int) []int {
	if w.state[start] != unseen {
		return nil
	}
	way := []int{start}
	next := map[int]int{} // the dependency to look at, by entry on the way
	w.state[start] = onWay
	for len(way) > 0 {
		at := way[len(way)-1]
		deps := w.entries[at].DependsOn
		if next[at] == len(deps) {
			w.state[at] = clear
			way = way[:len(way)-1]
			continue
		}
		to := w.index[deps[next[at]]]
		next[at]++
		switch w.state[to] {
		case onWay:
			return slices.Clone(way[slices.Index(way, to):])
		case unseen:
			w.state[to] = onWay
			way = append(way, to)
		}
	}
	return nil
}

// spell writes a cycle: a → b → a. Of a long one only the beginning and the end are shown.
func (w *walker) spell(cycle []int) string {
	const most = 10
	var names []string
	for i, at := range cycle {
		if len(cycle) > most && i == most-1 {
			names = append(names, cut)
			continue
		}
		if len(cycle) > most && i > most-1 && i < len(cycle)-1 {
			continue
		}
		names = append(names, shorten(w.entries[at].Identifier))
	}
	return strings.Join(append(names, shorten(w.entries[cycle[0]].Identifier)), " → ")
}
