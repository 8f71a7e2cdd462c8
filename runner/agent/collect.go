//go:build linux

package agent

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// keeps is what a job leaves in the spool's directory.
type keeps struct {
	artifacts *wire.Artifacts
	secondary []wire.Artifacts
	reports   *wire.Reports
	cache     *wire.Cache
	cacheUse  *wire.CacheUse
	exported  []wire.Var
}

// collect takes what the job leaves when its phases are over, and returns its result: the cache if every phase
// succeeded, the reports in any case, and the artifacts unless a failure ended the build early.
func (p *phases) collect(ctx context.Context, upload bool) wire.Done {
	p.export(ctx)
	err := p.saveCache(ctx)
	if err == nil {
		err = p.collectReports(ctx)
	}
	if err == nil && upload {
		err = p.upload(ctx)
	}
	if err == nil && upload && !p.failed {
		err = p.packContext(ctx)
	}
	if err != nil {
		return p.endedBy(err, wire.PhaseUpload)
	}
	done := p.result
	if !p.failed {
		done.Status = wire.StatusSucceeded
	}
	done.Artifacts, done.Secondary = p.keeps.artifacts, p.keeps.secondary
	done.Reports, done.Cache, done.Exported = p.keeps.reports, p.keeps.cache, p.keeps.exported
	done.CacheUse = p.keeps.cacheUse
	return done
}

// reportsAfterEnd takes the declared reports of a job that was stopped, or whose time was up. Its processes are
// gone; a new shell in the state of the last one tells the variables.
func (p *phases) reportsAfterEnd(why *ending) *wire.Reports {
	if p.shell == nil || len(p.job.Reports) == 0 || why.status == wire.StatusFault || p.keeps.reports != nil {
		return p.keeps.reports
	}
	limit := stoppedReports
	if why.hurry {
		limit = hurriedReports
	}
	p.shell.bury()
	ctx, cancel := context.WithTimeoutCause(context.Background(), limit, errReportsTime)
	defer cancel()
	if err := p.declaredReports(ctx); err != nil {
		p.log.say("The reports were not collected: %v", err)
	}
	p.shell.end()
	endRest()
	return p.keeps.reports
}

// stoppedReports bounds the collecting of reports when a job was stopped, hurriedReports when its sandbox is about to
// be killed: engines wait 10 s, of which termGrace may be spent.
const (
	stoppedReports = 60 * time.Second
	hurriedReports = 3 * time.Second
)

// errReportsTime is the cause of a context that ended while reports of a stopped job were collected.
var errReportsTime = errors.New("it took too long")

// bury forgets a shell that was ended with all other processes, and what it said last.
func (s *shell) bury() {
	if s.script != nil {
		s.discard()
	}
	if s.status != nil {
		s.closeFiles()
		_ = os.Remove(s.statusPath())
	}
}
