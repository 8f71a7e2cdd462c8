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
	makespan         = Source{Package: "./internal/makespan"}
	artifactPut      = Source{Package: "./artifacts", Benchmark: "BenchmarkFigurePut", Times: 7}
	artifactGet      = Source{Package: "./artifacts", Benchmark: "BenchmarkFigureGet", Times: 7}
	artifactEndToEnd = Source{Package: "./internal/e2e", Benchmark: "BenchmarkFigureArtifact", Times: 5}
	longLog          = Source{Package: "./internal/e2e", Benchmark: "BenchmarkFigureLog", Times: 5}
	clone            = Source{Package: "./source", Benchmark: "BenchmarkFigureClone", Times: 5}
	realShards       = Source{Package: "./internal/e2e", Benchmark: "BenchmarkFigureRealShards", Times: 1}
	sandbox          = Source{Package: "./runner", Benchmark: "BenchmarkFigureSandbox", Times: 5}
	webhooks         = Source{Package: "./internal/e2e", Benchmark: "BenchmarkFigureWebhooks", Times: 5}
	crowded          = Source{Package: "./internal/e2e", Benchmark: "BenchmarkFigureCrowd", Times: 5}
	warm             = Source{Package: "./internal/e2e", Benchmark: "BenchmarkFigureWarm", Times: 10}
	warmAct          = Source{Package: "./internal/e2e", Benchmark: "BenchmarkFigureWarmAct", Times: 5}
	cold             = Source{Package: "./internal/e2e", Benchmark: "BenchmarkFigureStartCold", Times: 10}
	submitFirst      = Source{Package: "./internal/e2e", Benchmark: "BenchmarkFigureSubmitFirst", Times: 2}
	submitAgain      = Source{Package: "./internal/e2e", Benchmark: "BenchmarkFigureSubmitAgain", Times: 5}
	jobs             = Source{Package: "./internal/e2e", Benchmark: "BenchmarkFigureJobs", Times: 5}
	burst            = Source{Package: "./internal/e2e", Benchmark: "BenchmarkFigureBurst", Times: 5}
	hooksUnderLoad   = Source{Package: "./internal/e2e", Benchmark: "BenchmarkFigureHooksUnderLoad", Times: 1}
	day              = Source{Package: "./scheduler", Benchmark: "BenchmarkFigureDay", Times: 1}
	decide           = Source{Package: "./scheduler", Benchmark: "BenchmarkFigureDecide", Times: 5}
	greenPush        = Source{Package: "./internal/e2e", Benchmark: "BenchmarkFigureGreenPush", Times: 10}
	logPage          = Source{Package: "./internal/faces", Benchmark: "BenchmarkFigureLogPage", Times: 3}
	logWatchers      = Source{Package: "./internal/faces", Benchmark: "BenchmarkFigureLogWatchers", Times: 1}
	pageWatchers     = Source{Package: "./internal/faces", Benchmark: "BenchmarkFigurePageWatchers", Times: 1}
	buildPage        = Source{Package: "./internal/faces", Benchmark: "BenchmarkFigureBuildPage", Times: 5}
	caches           = Source{Package: "./runner", Benchmark: "BenchmarkFigureCache", Times: 5}
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
	{Name: "clone-cold", Goal: RatioAtMost(1), From: clone},
	{Name: "clone-next", Goal: RatioAtMost(1), From: clone},
	{Name: "workspace", Goal: RatioAtMost(0.05), From: sandbox},
	{Name: "hand-over", Goal: RatioAtMost(0.04), From: sandbox},
	{Name: "sandboxes-100", Goal: RatioAtMost(1), From: sandbox},
	{Name: "start-cold", Goal: RatioAtMost(1.15), From: cold},
	{Name: "start-warm", Goal: RatioAtMost(0.10), From: warm},
	{Name: "build-warm", Goal: RatioAtMost(0.40), From: warm, Note: submitNote},
	{Name: "build-warm-act", Goal: RatioAtMost(0.08), From: warmAct, Note: submitNote},
	{Name: "build-warm-webhook", From: warm},
	{Name: "green-push", Goal: OursAtMost(1), From: greenPush, Note: "theirs is the same push where its one job, an echo, runs in a sandbox that waited for it"},
	{Name: "submit-first", Goal: RatioAtMost(1.25), From: submitFirst},
	{Name: "submit-again", Goal: OursAtMost(1000), From: submitAgain},
	{Name: "submit-one-file", Goal: OursAtMost(1000), From: submitAgain, Note: "theirs is git add, commit and push of the same change"},
	{Name: "submit-one-file-output", From: submitAgain, Note: "until the build prints; theirs stops at the push"},
	{Name: "burst-4", Goal: RatioAtMost(0.15), From: burst},
	{Name: "jobs-100", Goal: RatioAtMost(1), From: jobs},
	{Name: "cache-restore", Goal: RatioAtMost(0.03), From: caches},
	{Name: "cache-save", Goal: RatioAtMost(0.10), From: caches},
	{Name: "real-shards-timing", Goal: RatioAtMost(1.10), From: realShards},
	{Name: "real-shards-queue-cold", Goal: RatioAtMost(1.10), From: realShards},
	{Name: "real-shards-queue", Goal: RatioAtMost(1.05), From: realShards},
	{Name: "real-shards-equal", From: realShards},
	{Name: "log-100MB", Goal: RatioAtMost(0.35), From: longLog},
	{Name: "build-page-bytes", Goal: OursAtMost(100), From: buildPage, Note: "KiB that a browser receives for the page of a build of 8 shards that runs, with all that belongs to it"},
	{Name: "build-page-paint", Goal: OursAtMost(300), From: buildPage, Note: "the same, opened by a browser that runs, to its first contentful paint; theirs is the page of the login, of two sentences"},
	{Name: "build-page-longtask", Goal: OursAtMost(50), From: buildPage, Note: "the longest task of the page in ten seconds, while the shards print 2,000 lines a second and tell of tests; 0: none was longer than 50 ms"},
	{Name: "build-page-watchers", From: pageWatchers, Note: "cores that the daemon uses more while 200 look at that page"},
	{Name: "build-page-watchers-memory", From: pageWatchers, Note: "what it has more then"},
	{Name: "log-page-paint", Goal: OursAtMost(1000), From: logPage, Note: "the page of a log of 1,000,000 lines, opened, to the first contentful paint of Chromium"},
	{Name: "log-page-end", Goal: OursAtMost(500), From: logPage, Note: "scrolled from its first line to its last, until that is shown"},
	{Name: "log-page-memory", Goal: OursAtMost(200), From: logPage, Note: "private memory of the page's process, after looks at sixty places of it"},
	{Name: "log-watchers", Goal: OursAtMost(1), From: logWatchers, Note: "cores of the daemon while 200 watch one log to which 2,000 lines a second come"},
	{Name: "log-watchers-memory", Goal: OursAtMost(100), From: logWatchers, Note: "what it has more then"},
	{Name: "artifact-put", Goal: RatioAtMost(1.8), From: artifactPut},
	{Name: "artifact-put-bare", From: artifactPut, Note: "bbolt alone, with the same bytes in the same transactions and one sync"},
	{Name: "artifact-put-floor", From: artifactPut, Note: "the same with both SHA-256 beside it, and nothing that waits for anything: what artifact-put cannot go below"},
	{Name: "artifact-get", Goal: RatioAtMost(1.5), From: artifactGet},
	{Name: "artifact-end-to-end", Goal: RatioAtMost(1.0), From: artifactEndToEnd},
	{Name: "webhooks", Goal: RatioAtLeast(0.5), From: webhooks},
	{Name: "webhooks-skipped", Goal: RatioAtLeast(0.5), From: webhooks},
	{Name: "start-100k", Goal: OursAtMost(0.3), From: crowded},
	{Name: "idle-memory", Goal: OursAtMost(40), From: crowded},
	{Name: "decide-100k", Goal: OursAtMost(5), From: decide},
	{Name: "hooks-10k-p99", Goal: OursAtMost(100), From: hooksUnderLoad},
	{Name: "hooks-10k-memory", Goal: OursAtMost(150), From: hooksUnderLoad},
	{Name: "hooks-10k-lost", Goal: OursAtMost(0), From: hooksUnderLoad},
	{Name: "day-memory", Goal: RatioAtMost(1.10), From: day},
	{Name: "day-artifacts", Goal: RatioAtMost(1.10), From: day},
	{Name: "day-state", From: day, Note: "rows of builds are kept for ever: this is what each costs"},
}

const coldNote = "nothing that knows no durations gets there: see makespan-pull-p95, which pulls single files and pays nothing for it"

const submitNote = "ours is all of `runner submit` of an edited tree, from the start of the process to its end; build-warm-webhook is the daemon's part alone"

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

// RatioAtLeast wants ours to be no less than a part of theirs: both are rates.
func RatioAtLeast(value float64) Goal { return Goal{"ratio at least", value} }

// OursAtMost wants no more than a value, where there is nothing to compare it with.
func OursAtMost(value float64) Goal { return Goal{"ours at most", value} }

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
