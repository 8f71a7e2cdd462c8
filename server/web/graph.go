package web

import (
	"fmt"
	"slices"
	"strings"

	"github.com/runner-ci/runner/client"
)

const (
	// mostNodes is how many jobs a graph shows one by one; of more, those are one node that depend on the same and on which the same
	// depends.
	mostNodes = 24
	// mostInColumn bounds the nodes beneath each other.
	mostInColumn = 16

	// freeColumns is how many stand beside each other where none waits for another.
	freeColumns = 4

	nodeWidth, nodeHeight = 190, 36
	nodeGapX, nodeGapY    = 56, 10
)

// graph is the jobs of a build and what each waits for, as a drawing.
type graph struct {
	Nodes         []node
	Edges         []string // paths
	Width, Height int
	More          string // what is left out
}

// node is one job, or several alike.
type node struct {
	X, Y, Width, Height int
	Name, Note, Status  string
	Job                 string // id of the job that a click shows
	Title               string
	jobs                []*client.Job
	deps                []string
	column              int
}

// Middle and the like place what is in a node.
func (n node) Middle() int { return n.Y + n.Height/2 }

// TextX is where its text begins, Baseline on which line it stands.
func (n node) TextX() int    { return n.X + 28 }
func (n node) DotX() int     { return n.X + 15 }
func (n node) Baseline() int { return n.Middle() + 4 }
func (n node) NoteX() int    { return n.X + n.Width - 10 }

// graphOf draws a build of several jobs; one job alone has no graph.
func graphOf(jobs []client.Job) *graph {
	if len(jobs) < 2 {
		return nil
	}
	nodes := nodesOf(jobs)
	of := map[string]int{}
	for i, n := range nodes {
		for _, j := range n.jobs {
			of[j.ID] = i
		}
	}
	before := make([][]int, len(nodes))
	for i := range nodes {
		for _, id := range nodes[i].deps {
			if d, ok := of[id]; ok && d != i && !slices.Contains(before[i], d) {
				before[i] = append(before[i], d)
			}
		}
	}
	if slices.ContainsFunc(before, func(b []int) bool { return len(b) > 0 }) {
		setColumns(nodes, before)
	} else {
		for i := range nodes { // nothing waits for anything: rows, as text goes
			nodes[i].column = i % freeColumns
		}
	}
	g := &graph{}
	g.place(nodes)
	g.connect(nodes, before)
	return g
}

// nodesOf makes a node for each job, or of many jobs for each kind.
func nodesOf(jobs []client.Job) []node {
	if len(jobs) <= mostNodes {
		out := make([]node, len(jobs))
		for i := range jobs {
			j := &jobs[i]
			out[i] = node{Name: j.Name, Status: shape(j), Job: j.ID, jobs: []*client.Job{j}, deps: j.DependsOn, Title: j.Name + " " + word(shape(j))}
			if !j.Started.IsZero() {
				out[i].Note = took(j.Seconds)
				out[i].Title += ", " + took(j.Seconds)
			}
		}
		return out
	}
	needed := map[string][]string{}
	for i := range jobs {
		for _, d := range jobs[i].DependsOn {
			needed[d] = append(needed[d], jobs[i].ID)
		}
	}
	byKind, out := map[string]int{}, []node{}
	for i := range jobs {
		j := &jobs[i]
		kind := strings.Join(j.DependsOn, "\x00") + "\x01" + strings.Join(needed[j.ID], "\x00")
		at, ok := byKind[kind]
		if !ok {
			at = len(out)
			byKind[kind], out = at, append(out, node{Name: j.Name, deps: j.DependsOn})
		}
		out[at].jobs = append(out[at].jobs, j)
	}
	for i := range out {
		out[i].sumUp()
	}
	return out
}

// sumUp says of a node of several jobs how they stand: the worst gives the colour.
func (n *node) sumUp() {
	counts := map[string]int{}
	for _, j := range n.jobs {
		switch {
		case bad(j):
			counts["no"]++
		case j.State == "leased":
			counts["run"]++
		case j.Status == "SUCCEEDED":
			counts["ok"]++
		}
	}
	worst := n.jobs[0]
	for _, c := range []string{"no", "run"} {
		if counts[c] > 0 {
			worst = n.jobs[slices.IndexFunc(n.jobs, func(j *client.Job) bool { return c == "no" && bad(j) || c == "run" && j.State == "leased" })]
			break
		}
	}
	n.Status, n.Job = shape(worst), worst.ID
	if len(n.jobs) == 1 {
		n.Title = n.Name + " " + word(shape(worst))
		return
	}
	n.Name = stem(n.jobs[0].Name) + " × " + number(len(n.jobs))
	n.Note = fmt.Sprintf("%d/%d", counts["ok"], len(n.jobs))
	n.Title = fmt.Sprintf("%s: %d passed, %d failed, %d running", n.Name, counts["ok"], counts["no"], counts["run"])
}

// stem is what the names of jobs alike begin with.
func stem(name string) string {
	if at := strings.LastIndexAny(name, "0123456789"); at == len(name)-1 {
		name = strings.TrimRight(name, "0123456789/ _-")
	}
	return name
}

// setColumns puts each node to the right of all that it waits for. Plans have no cycles; were there one, the walk would end.
func setColumns(nodes []node, before [][]int) {
	for range nodes {
		moved := false
		for i := range nodes {
			for _, d := range before[i] {
				if nodes[i].column <= nodes[d].column && nodes[d].column < len(nodes) {
					nodes[i].column, moved = nodes[d].column+1, true
				}
			}
		}
		if !moved {
			return
		}
	}
}

// place gives each node its place, column by column; what a column has no room for is left out and counted.
func (g *graph) place(nodes []node) {
	filled, left := map[int]int{}, 0
	for i := range nodes {
		n := &nodes[i]
		row := filled[n.column]
		if row == mostInColumn {
			left += len(n.jobs)
			continue
		}
		filled[n.column]++
		n.X, n.Y, n.Width, n.Height = 1+n.column*(nodeWidth+nodeGapX), 1+row*(nodeHeight+nodeGapY), nodeWidth, nodeHeight
		n.Name = clip(n.Name, 19)
		g.Width, g.Height = max(g.Width, n.X+nodeWidth+1), max(g.Height, n.Y+nodeHeight+1)
		g.Nodes = append(g.Nodes, *n)
	}
	if left > 0 {
		g.More = plural(left, "job") + " more " + verb(left, "is", "are") + " not drawn"
	}
}

func (g *graph) connect(nodes []node, before [][]int) {
	for i := range nodes {
		for _, d := range before[i] {
			from, to := nodes[d], nodes[i]
			if from.Width == 0 || to.Width == 0 {
				continue
			}
			x, y := from.X+from.Width, from.Middle()
			g.Edges = append(g.Edges, fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x, y, x+nodeGapX/2, y, to.X-nodeGapX/2, to.Middle(), to.X, to.Middle()))
		}
	}
}
