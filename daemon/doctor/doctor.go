// Package doctor looks at a machine and its settings for what would keep builds from running, and says how to mend
// each thing. It changes nothing that stays: what it makes to try something out, it removes.
//
// # What it promises
//
//  1. Every finding was seen in this run. What could not be looked at is left out, and Report.LeftOut says so: nothing is
//     ever called well because it was not looked at.
//  2. Checks run side by side, each within a time of its own; one that hangs is a finding, and keeps no other waiting.
//  3. It needs no daemon and disturbs none: it takes no lock but one that a daemon waits for, and none for longer than a moment. With one
//     running it asks that one, too.
//  4. What it leaves when it is killed bears an instance id of its own, and goes with the next run.
package doctor

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/runner-ci/runner/config"
)

// Level says how bad a finding is.
type Level string

// The levels of a finding. Warn is what builds run in spite of.
const (
	OK   Level = "ok"
	Warn Level = "warn"
	Fail Level = "fail"
)

// Finding is one thing that was looked at.
type Finding struct {
	Check string `json:"check"` // "disk", "engine local", "remote api"
	Level Level  `json:"level"`
	What  string `json:"what"`           // what was seen
	Mend  string `json:"mend,omitempty"` // what to do, unless all is well
}

// Report is what Examine found.
type Report struct {
	Data     string    `json:"data"`
	Daemon   string    `json:"daemon"` // whether one runs on this data, in words
	Running  bool      `json:"running"`
	Findings []Finding `json:"findings"`
	LeftOut  []string  `json:"leftOut,omitempty"` // what could not be looked at, and why
}

// Failed tells whether anything keeps builds from running.
func (r *Report) Failed() bool { return r.Count(Fail) > 0 }

// Count tells how many findings are of a level.
func (r *Report) Count(l Level) (n int) {
	for _, f := range r.Findings {
		if f.Level == l {
			n++
		}
	}
	return n
}

// Options say what to examine. Config and Worker are required.
type Options struct {
	Config  *config.Config
	Version string   // of this binary, compared with that of a daemon that runs
	Worker  []string // command line of the source worker
	Image   string   // to try a sandbox in; empty: one of the projects', or the smallest that the engine has
	Logger  *slog.Logger
}

// Limits of a check. A sandbox is made and removed on an engine that may be busy with builds.
const (
	checkTime   = 5 * time.Second
	sandboxTime = 30 * time.Second
)

// check is one thing to look at.
type check struct {
	name  string
	limit time.Duration
	look  func(ctx context.Context) []Finding
}

// patient is what is looked at, with the ways to look that tests replace.
type patient struct {
	Options
	cfg    *config.Config
	base   string                                     // the data directory, or where it will be made: the nearest directory above that exists
	proc   string                                     // where the kernel tells of processes and of itself: "/proc"
	synced func() (bool, error)                       // whether anything keeps the clock
	drift  func(time.Duration) (time.Duration, error) // of the clock, while that time goes by
	daemon running
	left   *leftOut

	scratch string // a directory of this run's, for the source worker

	mu     sync.Mutex
	opened []io.Closer // engines
}

// end lets go of what the run made and opened.
func (p *patient) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.opened {
		_ = c.Close()
	}
	_ = os.RemoveAll(p.scratch)
}

// leftOut collects what was not looked at.
type leftOut struct {
	mu    sync.Mutex
	lines []string
}

func (l *leftOut) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

// Examine looks at everything. It fails only where nothing can be examined: without a temporary
// directory.
func Examine(ctx context.Context, o Options) (*Report, error) {
	p, err := newPatient(ctx, o)
	if err != nil {
		return nil, err
	}
	defer p.end()
	return p.examine(ctx), nil
}

func newPatient(ctx context.Context, o Options) (*patient, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	data, err := filepath.Abs(o.Config.Data)
	if err != nil {
		return nil, fmt.Errorf("finding the data directory %s: %w", o.Config.Data, err)
	}
	cfg := *o.Config
	cfg.Data = data
	p := &patient{Options: o, cfg: &cfg, base: existing(data), proc: "/proc", synced: clockSynced, drift: wallAgainstMonotonic, left: &leftOut{}}
	if p.scratch, err = os.MkdirTemp("", "runner-doctor-"); err != nil {
		return nil, fmt.Errorf("making a temporary directory: %w; set TMPDIR to a place where you may write", err)
	}
	p.daemon = p.findDaemon(ctx)
	return p, nil
}

// existing is the nearest directory that exists, from a path upwards.
func existing(path string) string {
	for {
		if st, err := os.Stat(path); err == nil && st.IsDir() || path == filepath.Dir(path) {
			return path
		}
		path = filepath.Dir(path)
	}
}

func (p *patient) examine(ctx context.Context) *Report {
	r := &Report{Data: p.cfg.Data, Daemon: p.daemon.words(), Running: p.daemon.runs}
	var checks []check
	for _, list := range [][]check{p.engineChecks(), p.diskChecks(), p.fileChecks(), p.machineChecks(), p.projectChecks(ctx), p.networkChecks()} {
		checks = append(checks, list...)
	}
	found := make([][]Finding, len(checks))
	var all sync.WaitGroup
	for i, c := range checks {
		all.Go(func() { found[i] = c.run(ctx) })
	}
	all.Wait()
	for i, list := range found {
		for _, f := range list {
			f.Check = checks[i].name
			r.Findings = append(r.Findings, f)
		}
	}
	p.left.mu.Lock()
	defer p.left.mu.Unlock()
	r.LeftOut = append(r.LeftOut, p.left.lines...)
	return r
}

// grace is how much longer than its limit a check may take to put away what it made.
const grace = 10 * time.Second

// run runs a check within its limit. One that does not come back is left behind; the process ends soon.
func (c *check) run(ctx context.Context) []Finding {
	limited, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	done := make(chan []Finding, 1)
	go func() { done <- c.look(limited) }()
	late := time.NewTimer(c.limit + grace)
	defer late.Stop()
	select {
	case found := <-done:
		return found
	case <-late.C:
		return []Finding{failed("look what it waits for: a network file system that is gone, a device that hangs", "it did not end within %v", c.limit+grace)}
	}
}

func well(format string, args ...any) Finding {
	return Finding{Level: OK, What: fmt.Sprintf(format, args...)}
}

func warned(mend, format string, args ...any) Finding {
	return Finding{Level: Warn, What: fmt.Sprintf(format, args...), Mend: mend}
}

func failed(mend, format string, args ...any) Finding {
	return Finding{Level: Fail, What: fmt.Sprintf(format, args...), Mend: mend}
}

// parted takes the advice off an error that ends with it, behind a semicolon, as ours do.
func parted(err error, otherwise string) (what, mend string) {
	text := err.Error()
	if i := strings.LastIndex(text, "; "); i > 0 {
		return text[:i], text[i+2:]
	}
	return text, otherwise
}
