//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// early tells the daemon of report files while the job still runs, so that a failed test is known before the end.
// Nothing about it fails a job or stands in its log: the reports at the end are what counts.
type early struct {
	job   *wire.Job
	spool *spool
	found func() []*reportGroup          // what the tools of ours have left; may be nil
	kept  func() map[string][]keptReport // what they kept of files that were written over; may be nil

	mu     sync.Mutex
	since  time.Time            // when the job began: older files are not its own
	specs  []wire.ReportSpec    // whose variables are expanded
	seen   map[string]fileStamp // by path: what was told of
	sent   int
	bytes  int64
	closed bool
}

// earlyTime bounds one look.
const earlyTime = 3 * time.Second

// earlyFormats are those that tell of tests. Coverage can wait.
var earlyFormats = []string{"JUNITXML", "CUCUMBERJSON", "NUNITXML", "NUNIT3XML", "TESTNGXML", "VISUALSTUDIOTRX", goReportsFormat, "TAP"}

func newEarly(job *wire.Job, s *spool) *early {
	e := &early{job: job, spool: s, seen: map[string]fileStamp{}}
	e.specs = e.plain()
	return e
}

// begin sets when the job began. File systems tell times by a coarser clock.
func (e *early) begin() { e.since = time.Now().Add(-20 * time.Millisecond) }

// close ends the looking: what comes now are the reports that count.
func (e *early) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
}

// plain are the declared groups that name no variables, so that they can be looked at while a command runs.
func (e *early) plain() (specs []wire.ReportSpec) {
	for _, spec := range e.job.Reports {
		if slices.Contains(earlyFormats, spec.Format) && len(varsIn(spec)) == 0 {
			specs = append(specs, spec)
		}
	}
	return specs
}

func varsIn(spec wire.ReportSpec) (names []string) {
	for _, text := range append([]string{spec.Group, spec.BaseDirectory}, spec.Files...) {
		names = append(names, varNames(text)...)
	}
	return names
}

// lookEarly looks for reports after a command of a phase that runs tests, unless nothing follows: then the reports
// themselves do.
func (p *phases) lookEarly(ctx context.Context, phase wire.Phase, command int) {
	if phase.Name != wire.PhaseBuild && phase.Name != wire.PhasePostBuild || p.isLast(phase, command) {
		return
	}
	specs := p.early.plain()
	for _, spec := range p.job.Reports {
		if !slices.Contains(earlyFormats, spec.Format) || len(varsIn(spec)) == 0 {
			continue
		}
		texts := append([]string{spec.Group, spec.BaseDirectory}, spec.Files...)
		values, err := p.values(ctx, "reports", texts)
		if err != nil {
			continue
		}
		spec.Group, spec.BaseDirectory, spec.Files = expandVars(spec.Group, values), expandVars(spec.BaseDirectory, values), expandAll(spec.Files, values)
		specs = append(specs, spec)
	}
	p.early.mu.Lock()
	p.early.specs = specs
	p.early.mu.Unlock()
	p.early.look()
}

// isLast tells whether a command is the last of the job.
func (p *phases) isLast(phase wire.Phase, command int) bool {
	if command < len(phase.Commands)+len(phase.Finally)-1 {
		return false
	}
	after := false
	for _, other := range p.job.Phases {
		if after && len(other.Commands)+len(other.Finally) > 0 {
			return false
		}
		after = after || other.Name == phase.Name
	}
	return true
}

// look packs the files that are new or have changed, and tells of them. It returns how often that was done by now.
func (e *early) look() (told int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.sent >= wire.MaxEarly || e.bytes >= wire.MaxEarlyTotal {
		return e.sent
	}
	ctx, cancel := context.WithTimeout(context.Background(), earlyTime)
	defer cancel()
	groups := e.changed(ctx)
	if len(groups) > 0 {
		_ = e.pack(ctx, groups) // the reports at the end have it
	}
	return e.sent
}

// told returns how often it was told of files by now.
func (e *early) told() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sent
}

// changed returns the groups that have something to tell.
func (e *early) changed(ctx context.Context) (groups []*reportGroup) {
	quiet := func(string, ...any) {}
	var kept map[string][]keptReport
	if e.kept != nil {
		kept = e.kept()
	}
	for _, spec := range e.specs {
		group := &reportGroup{ReportGroup: wire.ReportGroup{Name: groupName(spec.Group), Format: spec.Format}}
		files, err := selectFiles(ctx, e.job.Dir, "reports", wire.ArtifactSpec{
			Files: spec.Files, BaseDirectory: spec.BaseDirectory, DiscardPaths: spec.DiscardPaths,
		}, quiet)
		if group.files = e.news(e.withKept(files, kept)); err == nil && len(group.files) > 0 {
			groups = append(groups, group)
		}
	}
	if e.found != nil {
		for _, group := range e.found() {
			if group.files = e.news(group.files); len(group.files) > 0 {
				groups = append(groups, group)
			}
		}
	}
	return groups[:min(len(groups), wire.MaxReportGroups)]
}

// withKept adds what earlier runs wrote to the files since the last look, before what they are now.
func (e *early) withKept(files []packFile, kept map[string][]keptReport) (out []packFile) {
	for _, file := range files {
		older, _ := overwritten(kept[file.path], file)
		for _, c := range older {
			if info, err := os.Stat(c.path); err == nil && stampOf(info) == e.seen[file.path] {
				e.seen[c.path] = e.seen[file.path] // it was told of when it was the file itself
			}
			out = append(out, c.packFile)
		}
		out = append(out, file)
	}
	return out
}

// news are the files that were not told of as they are now.
func (e *early) news(files []packFile) (out []packFile) {
	for _, file := range files {
		info, err := os.Stat(file.path)
		if err != nil || !info.Mode().IsRegular() || info.Size() == 0 || info.ModTime().Before(e.since) ||
			e.seen[file.path] == stampOf(info) || len(file.name) > maxReportName || !plainName(file.name) {
			continue
		}
		e.seen[file.path] = stampOf(info)
		out = append(out, file)
	}
	return out
}

// pack writes the files into the spool's directory, as many as there is room for.
func (e *early) pack(ctx context.Context, groups []*reportGroup) error {
	name := wire.EarlyFile(e.sent)
	b, err := newBundle(ctx, e.spool.dir, name, "early reports")
	if err != nil {
		return err
	}
	b.limit = min(wire.MaxEarlyBytes, wire.MaxEarlyTotal-e.bytes)
	told := wire.Early{Number: e.sent}
	for i, group := range groups {
		for _, file := range group.files {
			group.Files++ // also of one that does not fit, so that it is missed
			err = b.regular(file.path, fmt.Sprintf("%d/%s", i, file.name), false)
			if err != nil && !errors.Is(err, errShrunk) && (b.broken || ctx.Err() != nil) {
				return b.finish(err)
			}
		}
		told.Groups = append(told.Groups, group.ReportGroup)
	}
	if err := b.finish(nil); err != nil {
		return err
	}
	e.sent++
	e.bytes += b.total + b.names
	told.Bytes = b.total
	e.spool.add(told)
	return nil
}
