package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// collect takes in what the job left, and turns the agent's last word into a result.
func (s *session) collect(ctx context.Context, d wire.Done) Result {
	res := Result{Status: d.Status, Reason: d.Reason, Message: d.Message, Phase: d.Phase, Exit: d.Exit}
	if !known(d.Status) {
		return Result{
			Status: wire.StatusFailed, Reason: "spool_damaged",
			Message: fmt.Sprintf("the job's record ends with the unknown status %q: something in the job wrote to it", d.Status),
		}
	}
	if s.stop != nil && s.stop.Message != "" && res.Status == s.stop.Status {
		res.Message = s.stop.Message
	}
	if res.Status == wire.StatusFailed && res.Exit == 137 {
		if st, err := s.ex.Inspect(ctx, s.attempt.Sandbox); err == nil && st.OOMKilled {
			res.Reason = "oom"
			res.Message += "; the kernel killed a process for lack of memory: raise limits.memory of the project, or let the build use less"
		}
	}
	if s.rec.gap > 0 {
		res = damaged(res, s.rec.gap)
	}
	if d.Artifacts != nil {
		set, err := s.takeArtifacts(ctx, *d.Artifacts)
		if err != nil {
			return s.withoutArtifacts(ctx, res, err)
		}
		res.Set = set
	}
	return res
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

// finish seals the log, with our own sentence as its last line where the agent could not say it.
func (s *session) finish(ctx context.Context, res Result) Result {
	if ctx.Err() != nil {
		return res
	}
	if s.rec != nil {
		if res.Status == wire.StatusFault || res.Reason == "spool_damaged" || res.Reason == "artifacts" {
			if err := s.rec.note(ctx, fmt.Sprintf("%s: %s", res.Status, res.Message)); err != nil {
				s.log.Error("storing the last line of a log", "error", err)
			}
		}
		if err := s.runner.Artifacts.SealLog(ctx, s.attempt.Log); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Error("sealing a log", "error", err)
		}
	}
	s.decided = true
	s.log.Info("attempt ended", "status", res.Status, "reason", res.Reason, "took", time.Since(s.began).Round(time.Millisecond))
	if res.Status == wire.StatusFault {
		s.log.Warn("an attempt ended by our fault or the machine's", "reason", res.Reason, "message", res.Message, "again", res.Transient)
	}
	return res
}
