package buildspec

import (
	"fmt"
	"strconv"
)

// MaxParallelism bounds batch.build-fanout.parallelism, as no machine runs more jobs at once and each one is a row
// of the state. A project may set a lower bound by Options.MaxJobs.
const MaxParallelism = 256

func (c *checker) batch(e entry) {
	n, ok := c.block(e, "batch")
	if !ok {
		return
	}
	b := &Batch{at: e.at}
	before := c.counts[SeverityError]
	c.section(batchSection, n, map[string]func(entry){
		"fast-fail":    func(e entry) { b.FastFail = c.flag(e, "batch.fast-fail") },
		"build-graph":  func(e entry) { b.Graph = c.entries(e, graphEntry, "batch.build-graph") },
		"build-list":   func(e entry) { b.List = c.entries(e, listEntry, "batch.build-list") },
		"build-matrix": func(e entry) { b.Matrix = c.matrix(e) },
		"build-fanout": func(e entry) { b.Fanout = c.fanout(e) },
	})
	kinds := 0
	first := ""
	for _, e := range n.entries {
		if k := e.key; k == "build-graph" || k == "build-list" || k == "build-matrix" || k == "build-fanout" {
			if kinds++; kinds == 1 {
				first = k
				continue
			}
			c.fail(e.at, complaint{
				message: fmt.Sprintf("batch has both %s and %s, and can have one kind", first, k),
				hint:    "keep one; a build-graph without depend-on runs its jobs at once, like a build-list",
			})
		}
	}
	if kinds == 0 && c.counts[SeverityError] == before {
		c.warn(e.at, complaint{
			message: "batch has no build-graph, build-list, build-matrix or build-fanout: the build is one job",
			hint:    "add one of them, or remove batch",
		})
	}
	c.spec.Batch = b
}

// withoutFile is the first job of a graph, list or matrix that names no buildspec, as a message says it. bare is false
// where all name one; who is "" where the batch makes no jobs at all.
func (b *Batch) withoutFile() (at mark, who string, bare bool) {
	if b.Matrix != nil {
		for _, a := range b.Matrix.Axes {
			if a.Key == axisBuildspec {
				return mark{}, "", false
			}
		}
		return b.Matrix.at, "the jobs of batch.build-matrix name", true
	}
	entries := append(b.Graph[:len(b.Graph):len(b.Graph)], b.List...)
	for _, e := range entries {
		if e.Buildspec == "" {
			return e.at, "the job " + e.Identifier + " names", true
		}
	}
	return mark{}, "", len(entries) == 0
}

func (c *checker) fanout(e entry) *Fanout {
	n, ok := c.block(e, fanoutSection.name)
	f := &Fanout{}
	if ok {
		c.section(fanoutSection, n, map[string]func(entry){
			"parallelism":    func(e entry) { f.Parallelism, f.at = c.parallelism(e), e.value.at },
			"ignore-failure": func(e entry) { f.IgnoreFailure = c.flag(e, fanoutSection.path("ignore-failure")) },
		})
	}
	if (ok && n.get("parallelism") == nil) || e.value.kind == null {
		c.fail(e.at, complaint{
			message: "batch.build-fanout lacks the key parallelism",
			hint:    "say how many jobs to run at once, for example parallelism: 4",
		})
	}
	return f
}

// parallelism is a whole number from 1 to MaxParallelism, 0 when it is told to be something else.
func (c *checker) parallelism(e entry) int {
	if e.value.kind == scalar {
		if n, err := strconv.Atoi(e.value.text); err == nil && n >= 1 && n <= MaxParallelism {
			return n
		}
	}
	c.fail(e.value.at, complaint{
		message: fmt.Sprintf("batch.build-fanout.parallelism must be a whole number from 1 to %d, but this is %s", MaxParallelism, e.value.found()),
		hint:    "say how many jobs to run at once, for example parallelism: 4",
	})
	return 0
}
