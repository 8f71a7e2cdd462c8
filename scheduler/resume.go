package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/runner"
)

// pausedWhy says of a job at a breakpoint since when it waits, and how it goes on.
func pausedWhy(build string, since time.Time) string {
	return fmt.Sprintf("paused at a breakpoint since %s; to go on: runner resume %s", since.UTC().Format("15:04:05 MST"), build)
}

// Resume lets the jobs of a build go on that wait at a breakpoint: one of them, or with job "" all. It returns their
// ids; the error is a *ConflictError when none waits. What it returns is committed: a daemon that dies before the job
// heard of it is followed by one that tells it.
func (s *Scheduler) Resume(ctx context.Context, build, job, by string) ([]string, error) {
	key, err := keyOf(build)
	if err != nil {
		return nil, err
	}
	told := make(map[string]runner.ResumeRequest)
	var resumed []string
	err = s.db.Update(func(tx *bbolt.Tx) error {
		if _, err := get[Build](tx, bucketBuilds, key); err != nil {
			return fmt.Errorf("build %s: %w", build, err)
		}
		jobs, err := jobsOf(tx, key)
		if err != nil {
			return err
		}
		if job != "" && !slices.ContainsFunc(jobs, func(j Job) bool { return j.ID == job }) {
			return fmt.Errorf("job %s of build %s: %w", job, build, ErrNotFound)
		}
		for i := range jobs {
			j := &jobs[i]
			if (job != "" && j.ID != job) || j.State != JobLeased || j.newest().Paused.IsZero() {
				continue
			}
			j.newest().Resume = cmp.Or(by, "the daemon")
			if err := putJob(tx, key, i, j); err != nil {
				return err
			}
			resumed = append(resumed, j.ID)
			told[j.ID] = *resumeOf(j)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(resumed) == 0 {
		what := "build " + build
		if job != "" {
			what = "job " + job + " of " + build
		}
		return nil, &ConflictError{what + " waits at no breakpoint", "codebuild-breakpoint holds a build that was started with --debug"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, req := range told {
		if e := s.queue.get(build, id); e != nil {
			e.tellResume(&req)
		}
	}
	s.log.Info("resumed", "build", build, "jobs", strings.Join(resumed, " "), "by", by)
	return resumed, nil
}

// newest is the attempt that a leased job has in progress.
func (j *Job) newest() *Attempt { return &j.Attempts[len(j.Attempts)-1] }

// resumeOf is the request to go on that a job's row holds; nil is none.
func resumeOf(j *Job) *runner.ResumeRequest {
	if j.State != JobLeased || len(j.Attempts) == 0 {
		return nil
	}
	a := j.newest()
	if a.Paused.IsZero() || a.Resume == "" {
		return nil
	}
	return &runner.ResumeRequest{By: a.Resume, Pause: a.Pause}
}

// tellResume passes a request on, in place of one that nobody has taken yet.
func (e *entry) tellResume(req *runner.ResumeRequest) {
	if req == nil {
		return
	}
	select {
	case <-e.resume:
	default:
	}
	e.resume <- *req
}
