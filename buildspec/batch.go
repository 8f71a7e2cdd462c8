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
	b := &Batch{}
	before := c.counts[SeverityError]
	c.section(batchSection, n, map[string]func(entry){
		"fast-fail":    func(e entry) { b.FastFail = c.flag(e, "batch.fast-fail") },
		"build-fanout": func(e entry) { b.Fanout = c.fanout(e) },
	})
	if b.Fanout == nil && c.counts[SeverityError] == before {
		c.warn(e.at, complaint{
			message: "batch has no build-fanout: the build is one job",
			hint:    "add build-fanout: with parallelism:, or remove batch",
		})
	}
	c.spec.Batch = b
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
