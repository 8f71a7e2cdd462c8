package runner

import (
	"context"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/runner/wire"
)

// takeReports stores the files of report groups. That they cannot be had is told in the log, and is nobody's failure:
// a report says how the tests went, the job's status whether it did its work.
func (s *session) takeReports(ctx context.Context, r wire.Reports) *Reports {
	limits := artifacts.Limits{Bytes: s.attempt.Job.Limits.ReportBytes, Files: wire.MaxReportFiles}
	if limits.Bytes <= 0 {
		limits.Bytes = wire.DefaultReportBytes
	}
	files := 0
	for _, g := range r.Groups {
		files += max(0, min(g.Files, wire.MaxReportFiles))
	}
	// No identifier of a secondary artifact begins with a dot.
	t := tree{"the reports", wire.ReportsFile, s.attempt.Set + "/.reports", "", files, limits}
	if err := s.takeTree(ctx, t); err != nil {
		s.say("The reports could not be taken in, and are missing: %v", err)
		s.log.Warn("the reports of a job could not be taken in", "error", err)
		return nil
	}
	return &Reports{Set: t.set, Groups: r.Groups}
}
