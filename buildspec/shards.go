package buildspec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shardings are the ways to divide tests over shards. The first two are CodeBuild's.
var shardings = []string{"equal-distribution", "stability", "timing", "queue"}

// maxTarget bounds how long tests may be wished to take.
const maxTarget = 24 * time.Hour

// sharding is one of these words, "" for what was told to be none.
func (c *checker) sharding(e entry, what string) string { return c.word(e, what, shardings) }

// word is one of those allowed, in any case; "" where it is none.
func (c *checker) word(e entry, what string, allowed []string) string {
	text, ok := c.text(e, what)
	word := strings.ToLower(text)
	if !ok || slices.Contains(allowed, word) {
		return word
	}
	hint := "write " + strings.Join(allowed, ", ")
	if near := nearest(text, allowed); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	c.fail(e.value.at, complaint{
		message: fmt.Sprintf("%s must be one of %s, but this is %s", what, strings.Join(allowed, ", "), e.value.found()),
		hint:    hint,
	})
	return ""
}

// shards is a number, the word auto, or a mapping with a target; nil where it says nothing.
func (c *checker) shards(e entry, what string) *Shards {
	to := &Shards{at: e.value.at}
	switch n := e.value; {
	case n.kind == null:
		return nil
	case n.kind == mapping:
		return c.chosenShards(n)
	case n.kind == scalar && strings.EqualFold(n.text, "auto"):
		return to
	case n.kind == scalar:
		if count, err := strconv.Atoi(n.text); err == nil && count >= 1 && count <= MaxParallelism {
			to.Count = count
			return to
		}
	}
	c.fail(e.value.at, complaint{
		message: fmt.Sprintf("%s must be auto, or a whole number from 1 to %d, but this is %s", what, MaxParallelism, e.value.found()),
		hint:    "write shards: auto, or shards: {auto: true, target: 5m}",
	})
	return nil
}

// chosenShards is a mapping that says how the number is chosen; nil where it is not.
func (c *checker) chosenShards(n *node) *Shards {
	to, auto := &Shards{at: n.at}, true
	var target entry
	c.section(shardsSection, n, map[string]func(entry){
		"auto": func(e entry) { auto = e.value.kind == null || c.flag(e, shardsSection.path("auto")) },
		"target": func(e entry) {
			target, to.Target = e, c.target(e, shardsSection.path("target"))
		},
	})
	switch {
	case auto:
		return to
	case to.Target > 0:
		c.fail(target.at, complaint{
			message: shardsSection.path("target") + " would do nothing beside auto: false, with which parallelism says how many shards there are",
			hint:    "write auto: true, or leave target out",
		})
	}
	return nil
}

// target reads how long tests may take: a whole number of seconds, or one with its unit.
func (c *checker) target(e entry, what string) time.Duration {
	text, ok := c.text(e, what)
	if !ok {
		return 0
	}
	if isNumber(text) {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err == nil && d >= time.Second && d <= maxTarget {
		return d
	}
	c.fail(e.value.at, complaint{
		message: fmt.Sprintf("%s must be a time from 1s to 24h, but this is %s", what, e.value.found()),
		hint:    "write seconds, or a number with its unit: 90s, 5m",
	})
	return 0
}

// withoutFanout tells that there is nothing to have so many of.
func (c *checker) withoutFanout() {
	if s := c.spec.Shards; s != nil && (c.spec.Batch == nil || c.spec.Batch.Fanout == nil) {
		c.warn(s.at, complaint{
			message: "x-runner.shards has no effect without batch.build-fanout, and is ignored",
			hint:    "add batch: with build-fanout: and parallelism:, which is what CodeBuild runs",
		})
		c.spec.Shards = nil
	}
}

// countShards is how many jobs a fanout has, with the place of what says so and its name.
func (p *planner) countShards(f *Fanout) (count int, at mark, what string) {
	s := p.spec.Shards
	switch {
	case p.opts.Parallelism > 0:
		p.note = fmt.Sprintf("%d shards, as --shards says", p.opts.Parallelism)
		return p.opts.Parallelism, f.at, "--shards"
	case s == nil:
		return f.Parallelism, f.at, "parallelism"
	case s.Count > 0:
		return s.Count, s.at, "shards"
	case p.opts.Shards == nil:
		p.warn(s.at, complaint{
			message: fmt.Sprintf("the number of shards depends on how long the tests of earlier builds took, which only the daemon knows: parallelism stands in for it, %d", f.Parallelism),
			hint:    "see the plan of a build on the daemon",
		})
		return f.Parallelism, f.at, "parallelism"
	}
	most := MaxParallelism
	if p.opts.MaxJobs > 0 {
		most = min(most, p.opts.MaxJobs)
	}
	n, why := p.opts.Shards(s.Target, most)
	if n = min(n, most); n < 1 {
		p.note = fmt.Sprintf("%d shards, as parallelism says: %s", f.Parallelism, why)
		return f.Parallelism, f.at, "parallelism"
	}
	p.note = fmt.Sprintf("%d shards: %s", n, why)
	return n, s.at, "shards"
}
