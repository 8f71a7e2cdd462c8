package terminal

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/runner-ci/runner/buildspec"
)

// Mermaid draws no more than 500 edges and refuses texts of more than 50,000 characters, unless it is told otherwise.
const (
	maxNodes     = 150
	maxEdges     = 480
	maxNodeLabel = 60
)

// Mermaid writes the graph of a plan's jobs as a flowchart of Mermaid, which GitHub, GitLab and Gitea draw. Shards are
// one node; what is too much to draw is counted in a node of its own.
func Mermaid(o *Output, plan *buildspec.Plan) {
	groups := groupJobs(plan.Jobs)
	shown := groups[:min(len(groups), maxNodes)]
	o.Lines("flowchart LR")
	nodeOf := map[string]int{}
	for i, g := range shown {
		o.Lines("    " + mermaidNode(i, g))
		for _, id := range g.ids {
			nodeOf[id] = i
		}
	}
	edges, left := mermaidEdges(shown, nodeOf)
	o.Lines(edges...)
	if more := len(groups) - len(shown); more > 0 {
		o.Lines(fmt.Sprintf(`    more["%s"]`, mermaidText("… and "+Count(more, "more job", "more jobs"))))
	}
	if left > 0 {
		o.Lines(fmt.Sprintf(`    edges["%s"]`, mermaidText("… and "+Count(left, "more arrow", "more arrows"))))
	}
}

// mermaidNode is a job with what tells it from others. A job that may fail has a rounded node, shards a double frame.
func mermaidNode(i int, g jobGroup) string {
	lines := []string{g.first.ID}
	if g.shards > 1 {
		lines = []string{stem(g.first.ID), strconv.Itoa(g.shards) + " shards"}
	}
	for _, more := range []string{g.first.Image, assignments(g.first.BatchEnv), traits(g)} {
		if more != "" {
			lines = append(lines, more)
		}
	}
	for j := range lines {
		lines[j] = mermaidText(lines[j])
	}
	open, shut := "[", "]"
	switch {
	case g.shards > 1:
		open, shut = "[[", "]]"
	case g.first.IgnoreFailure:
		open, shut = "(", ")"
	}
	return fmt.Sprintf(`n%d%s"%s"%s`, i, open, strings.Join(lines, "<br/>"), shut)
}

// mermaidEdges are the arrows between nodes, each once, and how many were too many.
func mermaidEdges(groups []jobGroup, nodeOf map[string]int) (lines []string, left int) {
	for i, g := range groups {
		var from []int
		for _, id := range g.first.DependsOn {
			if node, known := nodeOf[id]; known {
				from = append(from, node)
			}
		}
		slices.Sort(from)
		for _, node := range slices.Compact(from) {
			if len(lines) == maxEdges {
				left++
				continue
			}
			lines = append(lines, fmt.Sprintf("    n%d --> n%d", node, i))
		}
	}
	return lines, left
}

// mermaidText makes a text safe within a quoted label: whatever has a meaning to Mermaid, Markdown or HTML becomes an
// entity.
func mermaidText(text string) string {
	runes := []rune(oneLine(text))
	if len(runes) > maxNodeLabel {
		runes = append(runes[:maxNodeLabel-1], '…')
	}
	var b strings.Builder
	for _, r := range runes {
		switch {
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r > 127, strings.ContainsRune(" _./:-=,", r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}
