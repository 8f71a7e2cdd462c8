package scheduler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// pausedWhy says of a job at a breakpoint since when it waits, and how it goes on.
func pausedWhy(build string, since time.Time) string {
	return fmt.Sprintf("paused at a breakpoint since %s; to go on: runner resume %s", since.UTC().Format("15:04:05 MST"), build)
}

// Resume lets the jobs of a build go on that wait at a breakpoint: one of them, or with job "" all. It returns their
// ids; the error is a *ConflictError when none waits.
func (s *Scheduler) Resume(ctx context.Context, build, job, by string) ([]string, error) {
	if _, err := s.Build(build); err != nil {
		return nil, err
	}
	jobs, err := s.Jobs(build)
	if err != nil {
		return nil, err
	}
	if job != "" && !slices.ContainsFunc(jobs, func(j Job) bool { return j.ID == job }) {
		return nil, fmt.Errorf("job %s of build %s: %w", job, build, ErrNotFound)
	}
	var resumed []string
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range jobs {
		j := &jobs[i]
		if (job != "" && j.ID != job) || j.State != JobLeased || j.Attempts[len(j.Attempts)-1].Paused.IsZero() {
			continue
		}
		e := s.queue[entryKey(j.Build, j.ID)]
		if e == nil {
			continue
		}
		select {
		case e.resume <- by:
		default: // told already
		}
		resumed = append(resumed, j.ID)
	}
	if len(resumed) == 0 {
		what := "build " + build
		if job != "" {
			what = "job " + job + " of " + build
		}
		return nil, &ConflictError{what + " waits at no breakpoint", "codebuild-breakpoint holds a build that was started with --debug"}
	}
	s.log.Info("resumed", "build", build, "jobs", strings.Join(resumed, " "), "by", by)
	return resumed, nil
}
