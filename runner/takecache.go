package runner

import (
	"context"
	"errors"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner/wire"
)

// takeCache stores the cache that the job left, in the one scope where it may. That it cannot be had is told in the
// log, and is nobody's failure.
func (s *session) takeCache(ctx context.Context, c wire.Cache) {
	if s.attempt.Cache.Write == "" {
		s.say("The cache was not stored: this build may not leave one")
		return
	}
	meta := artifacts.CacheMeta{Scope: s.attempt.Cache.Write, Key: c.Key, Paths: c.Paths}
	var info artifacts.CacheInfo
	var stored bool
	err := s.patiently(ctx, "the cache", func() (err error) {
		if c.File == "" {
			info, stored, err = s.takeLayers(ctx, c)
			return err
		}
		f, err := s.openLeft(ctx, wire.CacheFile, c.Files)
		if err != nil {
			return err
		}
		defer f.Close()
		info, stored, err = s.runner.Artifacts.PutCache(ctx, meta, f, s.attempt.Job.Limits.CacheBytes)
		return err
	})
	failpoint.Pass("6/cache-stored")
	switch {
	case errors.Is(err, artifacts.ErrNothing):
		s.say("The cache was not stored: %v", artifacts.ErrNothing)
	case errors.Is(err, artifacts.ErrLimit):
		s.say("The cache was not stored: %v; raise limits.cache of the project, or name fewer paths under cache", err)
	case err != nil:
		s.say("The cache was not stored: %v", err)
		s.log.Warn("the cache of a job could not be stored", "error", err)
	case !stored:
		s.say("Nothing more was stored for the cache: its key has one, and a cache with a key never changes") // perhaps ours, by a daemon that died then
	default: // the agent has told the key, and hidden secrets in it
		s.say("Stored the cache, %d bytes", info.Bytes)
	}
}
