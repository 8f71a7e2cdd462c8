package figures

import (
	"fmt"
	"strings"
)

// Figure is one line of the table.
type Figure struct {
	Name string // without spaces
	Goal Goal
	From Source
	Note string // what the reader should know who sees the goal missed
}

// Source is what measures figures: a benchmark or, without one, a command.
type Source struct {
	Package   string // as the go command takes it
	Benchmark string
	Times     int // how many samples the benchmark is to give of each figure
}

var (
	makespan   = Source{Package: "./internal/makespan"}
	sandbox    = Source{Package: "./runner", Benchmark: "BenchmarkFigureSandbox", Times: 5}
	caches     = Source{Package: "./runner", Benchmark: "BenchmarkFigureCache", Times: 5}
	realShards = Source{Package: "./internal/e2e", Benchmark: "BenchmarkFigureRealShards", Times: 1}
)

// Table is every figure, in the order in which they are printed.
var Table = []Figure{
	{Name: "parse-junit", Goal: OursAtLeast(50), From: makespan},
	{Name: "parse-junit-memory", Goal: RatioAtMost(1), From: makespan},
	{Name: "makespan-timing", Goal: RatioAtMost(1.10), From: makespan},
	{Name: "makespan-timing-p95", Goal: RatioAtMost(1.10), From: makespan},
	{Name: "makespan-queue-cold", Goal: RatioAtMost(1.10), From: makespan},
	{Name: "makespan-queue-cold-p95", Goal: RatioAtMost(1.10), From: makespan, Note: coldNote},
	{Name: "makespan-queue-history", Goal: RatioAtMost(1.05), From: makespan},
	{Name: "makespan-queue-history-p95", Goal: RatioAtMost(1.05), From: makespan},
	{Name: "makespan-queue-kill", Goal: RatioAtMost(1.15), From: makespan},
	{Name: "makespan-queue-kill-p95", Goal: RatioAtMost(1.15), From: makespan},
	{Name: "makespan-queue-kill-cold", From: makespan},
	{Name: "makespan-queue-kill-cold-p95", From: makespan},
	{Name: "makespan-equal", From: makespan},
	{Name: "makespan-equal-p95", From: makespan},
	{Name: "makespan-pull", From: makespan},
	{Name: "makespan-pull-p95", From: makespan},
	{Name: "workspace", Goal: RatioAtMost(0.05), From: sandbox},
	{Name: "hand-over", Goal: RatioAtMost(0.04), From: sandbox},
	{Name: "sandboxes-100", Goal: RatioAtMost(1), From: sandbox},
	{Name: "cache-restore", Goal: RatioAtMost(0.03), From: caches},
	{Name: "cache-save", Goal: RatioAtMost(0.10), From: caches},
	{Name: "real-shards-timing", Goal: RatioAtMost(1.10), From: realShards},
	{Name: "real-shards-queue-cold", Goal: RatioAtMost(1.10), From: realShards},
	{Name: "real-shards-queue", Goal: RatioAtMost(1.05), From: realShards},
	{Name: "real-shards-equal", From: realShards},
}

const coldNote = "nothing that knows no durations gets there: see makespan-pull-p95, which pulls single files and pays nothing for it"

// Find is the line of a figure.
func Find(name string) (Figure, error) {
	for _, f := range Table {
		if f.Name == name {
			return f, nil
		}
	}
	return Figure{}, fmt.Errorf("no figure is called %q: add its line to the table in internal/figures/table.go", name)
}

// Goal is what is wanted of a figure. The zero value wants nothing: the figure is as found.
type Goal struct {
	Is    string // "ratio at most", "ratio at least", "ours at most" or "ours at least"
	Value float64
}

// RatioAtMost wants ours to be no more than a multiple of theirs.
func RatioAtMost(value float64) Goal { return Goal{"ratio at most", value} }

// OursAtLeast wants no less than a value, whatever theirs is.
func OursAtLeast(value float64) Goal { return Goal{"ours at least", value} }

// Met tells whether a figure is as good as wanted.
func (g Goal) Met(ours, ratio float64) bool {
	got := ratio
	if strings.HasPrefix(g.Is, "ours") {
		got = ours
	}
	switch {
	case g.Is == "":
		return true
	case strings.HasSuffix(g.Is, "least"):
		return got >= g.Value
	}
	return got <= g.Value
}

// String is the goal as the table shows it, without spaces.
func (g Goal) String() string {
	sign := "<="
	if strings.HasSuffix(g.Is, "least") {
		sign = ">="
	}
	switch {
	case g.Is == "":
		return "as-found"
	case strings.HasPrefix(g.Is, "ours"):
		return fmt.Sprintf("ours%s%g", sign, g.Value)
	}
	return fmt.Sprintf("%s%.2f", sign, g.Value)
}
