package runner

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/runner/wire"
)

// jobName is the job's name within its build, which every build of the project has a job of.
func (s *session) jobName() string {
	_, rest, _ := strings.Cut(s.attempt.ID, "#")
	_, name, _ := strings.Cut(rest, "/")
	name, _, _ = strings.Cut(name, "@")
	return name
}

// cacheOff tells, in a sentence, that the cache of a job cost more than it saved; "" is that it is used.
func (s *session) cacheOff(paths string) (string, error) {
	if s.attempt.Cache.Write == "" {
		return "", nil
	}
	e, err := s.runner.Artifacts.CacheOff(s.attempt.Cache.Write, paths, s.jobName())
	if err != nil || !e.Off {
		return "", err
	}
	return fmt.Sprintf("builds that had it took %s longer than those that had not, restoring and saving included (%d with, %d without); "+
		"runner caches rm --scope %s turns it on again", (-e.PerHit).Round(10*time.Millisecond), e.Hits, e.Misses, s.attempt.Cache.Write), nil
}

// longestRun bounds what a job can say of itself.
const longestRun = 30 * 24 * time.Hour

// noteCacheUse accounts for what the cache was worth to the job. saved is how long taking it in took us.
func (s *session) noteCacheUse(ctx context.Context, u wire.CacheUse, saved time.Duration) {
	if s.attempt.Cache.Write == "" {
		return
	}
	millis := func(n int64) time.Duration {
		return time.Duration(min(max(n, 0), longestRun.Milliseconds())) * time.Millisecond
	}
	off, err := s.runner.Artifacts.NoteCacheRun(ctx, artifacts.CacheRun{
		Attempt: s.attempt.ID, Job: s.jobName(), Scope: s.attempt.Cache.Write, Paths: u.Paths, Hit: u.Hit,
		Work: millis(u.WorkMillis), Restore: millis(u.RestoreMillis), Save: millis(u.SaveMillis) + saved,
	})
	if err != nil {
		s.log.Warn("what a cache is worth could not be noted", "error", err)
	}
	if off {
		s.log.Warn("a cache costs more than it saves, and is not used any more; runner caches rm turns it on again", "scope", s.attempt.Cache.Write)
		s.say("The cache costs more than it saves, and later builds do without it: runner caches rm --scope %s turns it on again", s.attempt.Cache.Write)
	}
}
