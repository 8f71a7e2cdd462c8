package runner

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

const (
	// diskEvery is how often the free space is asked for, which costs nothing, and how often a small tree is measured.
	diskEvery = time.Second
	// idleCalm and idleAlarm are how many times as long as a measurement took there is none after it: a job with
	// millions of files costs the daemon a tenth of a core, and a quarter while the disk fills so fast that the job may
	// be over its limit.
	idleCalm, idleAlarm = 9, 3
	// stillGrowing is how much a job that was told to end for its use of the disk may write on before it is killed from
	// outside.
	stillGrowing = 64 << 20
)

// diskTurns has two sandboxes measured at once: more would take the disk from the jobs.
var diskTurns = make(chan struct{}, 2)

// diskWatch measures what one sandbox takes of the disk for as long as its job runs.
type diskWatch struct {
	s      *session
	limits Limits
	over   chan<- StopRequest

	at    WrittenAt
	known bool // at is what the executor said

	use        diskUse
	free       [2]int64 // bytes and files when it was measured
	cost       time.Duration
	measuredAt time.Time
	warned     bool
}

// watchDisk watches until the returned function is called. The request comes at most once.
func (s *session) watchDisk(ctx context.Context) (over <-chan StopRequest, end func()) {
	l := s.attempt.Limits
	if l.DiskBytes <= 0 && l.Files <= 0 {
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	told, gone := make(chan StopRequest, 1), make(chan struct{})
	w := &diskWatch{s: s, limits: l, over: told}
	go func() { defer close(gone); w.run(ctx) }()
	return told, func() { cancel(); <-gone }
}

func (w *diskWatch) run(ctx context.Context) {
	tick := time.NewTicker(diskEvery)
	defer tick.Stop()
	for told := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !w.due() {
			continue
		}
		was := w.use
		if err := w.measure(ctx, told); err != nil {
			w.warn(ctx, err)
			continue
		}
		switch {
		case told && w.use.Bytes > was.Bytes+stillGrowing:
			w.s.log.Warn("a job that is over its disk limit writes on; killing it", "bytes", w.use.Bytes)
			_ = w.s.ex.Kill(ctx, w.s.attempt.Sandbox)
		case !told && w.use.over(w.limits):
			told = true
			w.over <- StopRequest{Status: wire.StatusFailed, Reason: wire.ReasonDisk, Message: tooMuchDisk(w.use, w.limits)}
		}
	}
}

// due tells whether it is time to measure: when enough time has passed for what it costs, and sooner where so much of
// the disk has gone since the last time that the job may be over its limit.
func (w *diskWatch) due() bool {
	since := time.Since(w.measuredAt)
	switch {
	case since >= idleCalm*w.cost:
		return true
	case since < idleAlarm*w.cost:
		return false
	}
	bytes, files := freeOn(w.dirs())
	grown := diskUse{Bytes: w.use.Bytes + max(0, w.free[0]-bytes), Files: w.use.Files + max(0, w.free[1]-files)}
	return grown.over(w.limits)
}

// dirs are all directories in which the sandbox writes.
func (w *diskWatch) dirs() []WrittenDir {
	dir, paths := w.s.runner.dir(w.s.attempt.Sandbox), w.s.ex.Paths(w.s.attempt.Sandbox)
	all := []WrittenDir{
		{filepath.Join(dir, "upper"), paths.Source}, {filepath.Join(dir, "spool"), paths.Spool},
		{filepath.Join(dir, "objects"), paths.Objects}, {filepath.Join(dir, "work"), paths.Source},
		{filepath.Join(dir, "extra-upper"), "/codebuild/extra"}, {filepath.Join(dir, "extra-work"), "/codebuild/extra"},
	}
	return append(all, w.at.Dirs...)
}

// measure looks at all of it, up to twice the limits, and further when the job was told already.
func (w *diskWatch) measure(ctx context.Context, told bool) error {
	if meter, ok := w.s.ex.(Meter); ok && (!w.known || w.at.Bytes > 0) {
		at, err := meter.Written(ctx, w.s.attempt.Sandbox)
		if err != nil {
			return err
		}
		w.at, w.known = at, true
	}
	// How far a job is over its limits is worth knowing, and not worth any length of time.
	limits := Limits{DiskBytes: 2 * w.limits.DiskBytes, Files: 2 * w.limits.Files}
	if told {
		limits = Limits{DiskBytes: 2 * limits.DiskBytes, Files: 2 * limits.Files}
	}
	use, began, err := w.walk(ctx, limits)
	if err != nil {
		return err
	}
	use.measureUnlinked(w.at.PIDs)
	if w.at.Bytes > 0 {
		use.add("/", w.at.Bytes)
	}
	w.use, w.measuredAt = use, time.Now()
	w.cost = w.measuredAt.Sub(began)
	return nil
}

// walk measures the directories when it is this sandbox's turn, and notes what was free before.
func (w *diskWatch) walk(ctx context.Context, limits Limits) (use diskUse, began time.Time, err error) {
	select {
	case diskTurns <- struct{}{}:
	case <-ctx.Done():
		return use, began, ctx.Err()
	}
	defer func() { <-diskTurns }()
	began = time.Now()
	w.free[0], w.free[1] = freeOn(w.dirs())
	use, err = measure(ctx, w.dirs(), limits)
	return use, began, err
}

// warn says once that a sandbox cannot be measured.
func (w *diskWatch) warn(ctx context.Context, err error) {
	if ctx.Err() != nil || w.warned || errors.Is(err, ErrNoSandbox) {
		return
	}
	w.warned = true
	w.s.log.Warn("what a job takes of the disk cannot be measured, so that limits.disk and limits.files are not kept for now; trying again", "error", err)
}

// tooMuchDisk is the sentence for a job that has more than it may.
func tooMuchDisk(u diskUse, l Limits) string {
	if u.TooDeep {
		return "the job had more directories than can be measured that lie far below others when it was stopped; let the build nest fewer of them"
	}
	var b strings.Builder
	of, shown := func(s share) int64 { return s.bytes }, mib
	if l.DiskBytes > 0 && u.Bytes > l.DiskBytes {
		fmt.Fprintf(&b, "the job had written %s%s to the disk when it was stopped, %s more than limits.disk of %s",
			atLeast(u.Bytes >= 2*l.DiskBytes), mib(u.Bytes), mib(u.Bytes-l.DiskBytes), mib(l.DiskBytes))
	} else {
		of, shown = func(s share) int64 { return s.files }, func(n int64) string { return strconv.FormatInt(n, 10) }
		fmt.Fprintf(&b, "the job had made %s%d files when it was stopped, %d more than limits.files of %d",
			atLeast(u.Files >= 2*l.Files), u.Files, u.Files-l.Files, l.Files)
	}
	most := u.largest(3, of)
	for i, name := range most {
		most[i] = fmt.Sprintf("%s in %s", shown(of(u.top[name])), shownPath(name))
	}
	if len(most) > 0 {
		fmt.Fprintf(&b, "; most of what was counted: %s", strings.Join(most, ", "))
	}
	b.WriteString("; let the build write less, or raise the limit of the project")
	return wire.Cut(b.String())
}

// atLeast tells of a number that was not counted to its end.
func atLeast(broken bool) string {
	if broken {
		return "at least "
	}
	return ""
}

// shownPath is a path that a job made up, fit to be printed.
func shownPath(name string) string {
	const most = 120
	if len(name) > most {
		name = name[:most] + "…"
	}
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}

func mib(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
