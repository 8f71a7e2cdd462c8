package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/tests"
	"github.com/runner-ci/runner/tests/history"
	"github.com/runner-ci/runner/tests/parse"
)

// reportTries is how often reports are tried to be read when the stores fail, reportPause how long lies between.
const (
	reportTries = 5
	reportPause = 5 * time.Second
)

// reportQueue is what of the scheduler a reportReader needs.
type reportQueue interface {
	NextReports() (*scheduler.DueReports, error)
	ReportsRead(d *scheduler.DueReports) error
	ReportsKick() <-chan struct{}
}

// reportReader reads the reports that attempts left, one attempt at a time, into the history of tests. Nothing about
// a report fails a build.
type reportReader struct {
	queue     reportQueue
	artifacts *artifacts.Store
	history   *history.Store
	root      func(a *scheduler.Attempt) string // source directory as the job saw it
	explain   explainer
	log       *slog.Logger
}

func (p *parts) reports() *reportReader {
	return &reportReader{
		queue: p.scheduler, artifacts: p.artifacts, history: p.tests, log: p.log,
		explain: explainer{builds: p.scheduler, history: p.tests, read: p.source.ReadFile},
		root: func(a *scheduler.Attempt) string {
			if ex := p.runner.Executors[a.Engine]; ex != nil {
				return ex.Paths(a.Sandbox).Source
			}
			return ""
		},
	}
}

// run reads what is due until ctx ends. A failure of a store is tried again, for a while: then builds that come later
// are more worth having.
func (r *reportReader) run(ctx context.Context, t *activity.Task) {
	failures := 0
	for ctx.Err() == nil {
		d, err := r.queue.NextReports()
		idle := d == nil
		if d != nil && err == nil {
			t.Does("reading what tests of " + build(d) + " left")
			err = r.read(ctx, d)
		}
		t.Waits(err)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			failures++
			r.log.Warn("reading the reports of a build", "build", build(d), "try", failures, "error", err)
		}
		if d != nil && (err == nil || errors.Is(err, scheduler.ErrNotFound) || failures >= reportTries) {
			failures = 0
			if err = r.queue.ReportsRead(d); err == nil {
				continue
			}
			r.log.Error("noting that reports were read", "build", build(d), "error", err)
		}
		pause := reportPause
		if idle && err == nil {
			pause = time.Hour
		}
		select {
		case <-ctx.Done():
		case <-r.queue.ReportsKick():
		case <-time.After(pause):
		}
	}
}

func build(d *scheduler.DueReports) string {
	if d == nil {
		return ""
	}
	return d.Build.ID()
}

// read takes one attempt's reports in or, at the end of a build, its tests into their history.
func (r *reportReader) read(ctx context.Context, d *scheduler.DueReports) error {
	b, a := &d.Build, d.Attempt
	if a == nil {
		return r.history.Finish(b.Project, b.Number)
	}
	in, err := r.history.Begin(
		history.Build{Project: b.Project, Number: b.Number, Commit: b.Commit, Ref: b.Ref, Trusted: b.Trusted, Fork: b.Fork, At: b.Created, Quarantine: b.QuarantineInForce()},
		history.Attempt{Job: d.Index, Run: tests.Run{Shard: d.Index, Attempt: a.Number}, Took: testTime(a), Shard: d.Shard},
	)
	if err != nil || in == nil {
		return err
	}
	told, err := r.explain.telling(b, d.Index, a.Number)
	if err != nil {
		in.Abandon()
		return err
	}
	if err := r.take(ctx, in, a, told); err != nil {
		in.Abandon()
		return err
	}
	if err := in.Commit(d.More); err != nil {
		return err
	}
	failpoint.Pass("6/reports-read")
	_, err = r.explain.tell(ctx, b, told, true)
	return err
}

// testTime is how long the phases of an attempt took that may run tests, without what it waited for those of other shards.
// Installing is left out: each shard does it, and one shard would, too.
func testTime(a *scheduler.Attempt) (took time.Duration) {
	for _, p := range a.Phases {
		switch p.Name {
		case wire.PhasePreBuild, wire.PhaseBuild, wire.PhasePostBuild:
			took += p.Took
		}
	}
	return max(0, took-a.Waited)
}

// take reads the files of all groups of an attempt.
func (r *reportReader) take(ctx context.Context, in *history.Intake, a *scheduler.Attempt, told *telling) error {
	set, err := r.artifacts.Set(a.Reports.Set)
	if errors.Is(err, fs.ErrNotExist) {
		in.Problem("", errors.New("its report files are no longer kept"))
		err = nil
	}
	if err != nil {
		return err
	}
	parser := parse.Parser{Root: r.root(a)}
	for i, g := range a.Reports.Groups {
		group := in.Group(g.Name, g.Format, max(0, g.Files), g.Discovered)
		folder := fmt.Sprintf("%d/", i)
		for _, f := range set.Files {
			name, below := strings.CutPrefix(f.Path, folder)
			if !below || !f.Mode.IsRegular() {
				continue
			}
			if err := r.file(ctx, in, told, parser, group, fileOf{a.Reports.Set, f.Path, name, g.Format}); err != nil {
				return err
			}
		}
	}
	return nil
}

// fileOf is one report file: where it is stored, what it is called, and what it is said to be.
type fileOf struct{ set, path, name, format string }

// file reads one report file. What is wrong with the file is told as a problem of the report; an error is the stores'.
func (r *reportReader) file(ctx context.Context, in *history.Intake, told *telling, parser parse.Parser, group int, f fileOf) error {
	content, _, err := r.artifacts.OpenFile(ctx, f.set, f.path)
	if err != nil {
		return err
	}
	defer content.Close()
	var store error
	in.Round(roundOf(f.name))
	sink := parse.Sink{
		Case: func(c *tests.Case) error {
			store = in.Case(group, f.name, c)
			told.see(c)
			return store
		},
		File: in.File,
	}
	err = survive(func() error { return parser.Parse(f.format, f.name, content, sink) })
	switch {
	case errors.Is(store, history.ErrFull): // told of with the whole report
		in.Incomplete(group)
	case store != nil:
		return store
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		in.Incomplete(group)
		in.Problem(f.name, err)
	}
	return nil
}

// rerunReport is in the name of a report of tests that were tried again, as codebuild-tests-run hands it to test commands.
var rerunReport = regexp.MustCompile(`(?:^|[^A-Za-z0-9])retry-([0-9]{1,9})(?:[^A-Za-z0-9]|$)`)

// roundOf is the round that a report file is of, by its name; 0 where it does not say.
func roundOf(name string) int {
	m := rerunReport.FindStringSubmatch(name)
	if m == nil {
		return 0
	}
	round, _ := strconv.Atoi(m[1]) // up to nine digits are a number
	return round
}

// survive makes a panic an error: what a parser reads was written by a job.
func survive(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading it failed in a way that nobody foresaw: %v", p)
		}
	}()
	return f()
}

// keepTests applies retention to the tests of builds.
func (p *parts) keepTests(r config.Retention) {
	if r.Age <= 0 {
		return
	}
	limit := time.Now().Add(-r.Age)
	if err := p.tests.Expire(func(b history.Build) bool { return b.At.Before(limit) }); err != nil {
		p.log.Warn("applying retention to the tests of builds", "error", err)
	}
}
