package runner

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner/wire"
)

// collect takes in what the job left, and turns the agent's last word into a result.
func (s *session) collect(ctx context.Context, d wire.Done) Result {
	res := Result{Status: d.Status, Reason: d.Reason, Message: d.Message, Phase: d.Phase, Exit: d.Exit, Command: d.Command}
	if !known(d.Status) {
		return Result{
			Status: wire.StatusFailed, Reason: "spool_damaged",
			Message: fmt.Sprintf("the job's record ends with the unknown status %q: something in the job wrote to it", d.Status),
		}
	}
	res.Transient = d.Status == wire.StatusFault // the agent's own trouble
	if s.stop != nil && s.stop.Message != "" && res.Status == s.stop.Status {
		res.Message = s.stop.Message
	}
	if s.overDisk() && res.Status != wire.StatusSucceeded {
		res.Status, res.Reason, res.Message = s.stop.Status, s.stop.Reason, s.stop.Message // failed commands, too, failed of that
	}
	if res.Status == wire.StatusFailed && res.Exit == 137 && res.Reason == "command_failed" {
		if st, err := s.ex.Inspect(ctx, s.attempt.Sandbox); err == nil && st.OOMKilled {
			res.Reason = "oom"
			res.Message += "; the kernel killed a process for lack of memory: raise limits.memory of the project, or let the build use less"
		}
	}
	if s.rec.gap > 0 {
		res = damaged(res, s.rec.gap)
	}
	return s.images(ctx, s.left(ctx, d, res))
}

// left takes in the files that the job left, and what else it says of itself.
func (s *session) left(ctx context.Context, d wire.Done, res Result) Result {
	res.Retry = d.Retry && res.Status == wire.StatusFailed && res.Reason != "spool_damaged"
	res.Exported = s.exported(d.Exported)
	if d.Reports != nil {
		res.Reports = s.takeReports(ctx, *d.Reports)
	}
	began := time.Now()
	if d.Cache != nil && d.Cache.File != "" {
		s.takeCache(ctx, *d.Cache)
	}
	taken := time.Since(began)
	reports, exported := res.Reports, res.Exported
	if err := s.takeArtifacts(ctx, d, &res); err != nil {
		res = s.withoutArtifacts(res, err)
		res.Reports, res.Exported = reports, exported
	}
	if d.Cache != nil && d.Cache.File == "" && d.Status == wire.StatusSucceeded { // by now the sandbox may have ended, which this waits for
		began = time.Now()
		s.takeCache(ctx, *d.Cache)
		taken = time.Since(began)
	}
	if d.CacheUse != nil && d.Status == wire.StatusSucceeded {
		s.noteCacheUse(ctx, *d.CacheUse, taken)
		res.Cache = &CacheUse{Scope: s.attempt.Cache.Write, Paths: d.CacheUse.Paths, Hit: d.CacheUse.Hit}
	}
	return res
}

// exported keeps the variables that the buildspec exports, each once.
func (s *session) exported(vars []wire.Var) (kept []wire.Var) {
	for _, v := range vars {
		declared := slices.Contains(s.attempt.Job.Exported, v.Name)
		twice := slices.ContainsFunc(kept, func(k wire.Var) bool { return k.Name == v.Name })
		if declared && !twice {
			kept = append(kept, v)
		}
	}
	return kept
}

// damaged is the result of a job whose record has gaps. A full disk makes them too, and every other end than the
// job's own is known from elsewhere: it stands.
func damaged(res Result, gap uint64) Result {
	missing := fmt.Sprintf("%d pieces of the job's record are missing", gap)
	if res.Status != wire.StatusSucceeded && res.Status != wire.StatusFailed {
		res.Message = joined(res.Message, missing)
		return res
	}
	res.Status, res.Reason = wire.StatusFailed, "spool_damaged"
	res.Message = missing + ": something in the job wrote to the agent's files in its spool directory, so its log and result cannot be trusted; let the build leave that directory alone"
	return res
}

func joined(message, more string) string {
	if message == "" {
		return more
	}
	return message + "; " + more
}

func known(s wire.Status) bool {
	switch s {
	case wire.StatusSucceeded, wire.StatusFailed, wire.StatusFault, wire.StatusTimedOut, wire.StatusStopped:
		return true
	}
	return false
}

// finish seals the log, with our own sentences as its last lines where the agent could not say them.
func (s *session) finish(ctx context.Context, res Result) Result {
	if ctx.Err() != nil {
		return res
	}
	if s.rec != nil {
		held := s.rec.frame != s.rec.stored
		if err := s.end(ctx, res); err != nil {
			s.log.Error("storing the last lines of a log", "error", err)
			if err := s.runner.Artifacts.SealLog(ctx, s.attempt.Log); err != nil {
				s.log.Error("sealing a log", "error", err)
			}
			if held {
				res = s.storeFault(err)
			}
		}
	}
	failpoint.Pass("6/log-sealed")
	s.decided = true
	s.log.Info("attempt ended", "status", res.Status, "reason", res.Reason, "took", time.Since(s.began).Round(time.Millisecond))
	if res.Status == wire.StatusFault {
		res.Begun = s.begun()
		s.log.Warn("an attempt ended by our fault or the machine's", "reason", res.Reason, "message", res.Message, "passing", res.Transient, "begun", res.Begun)
	}
	return res
}
