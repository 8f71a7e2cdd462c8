package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/runner-ci/runner/runner/wire"
)

// restore finds a cache that the job may read, and mounts it in the sandbox or puts it there.
func (s *session) restore(ctx context.Context, q wire.CacheRequest) (*wire.CacheAnswer, error) {
	if s.restores >= maxRestores {
		return nil, fmt.Errorf("this job was given %d caches, and gets no more", maxRestores)
	}
	store := s.runner.Artifacts
	s.rec.mask.cacheKeys(&q)
	if off, err := s.cacheOff(q.Paths); off != "" || err != nil {
		return &wire.CacheAnswer{Off: off}, err
	}
	a, err := s.restoreLayers(ctx, q)
	if err != nil {
		return nil, err
	}
	if a == nil {
		a = &wire.CacheAnswer{}
	}
	if a.Hit {
		s.restores++
		return a, nil
	}
	info, err := store.FindCache(s.readable(q), q.Key, q.Fallback, q.Paths)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the cache: %w", err)
	}
	f, info, err := store.OpenCache(ctx, info.ID)
	if errors.Is(err, fs.ErrNotExist) { // evicted since
		return a, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the cache: %w", err)
	}
	defer f.Close()
	s.restores++
	// The executor is given the file itself, which its system may copy without us. That ends when the file is closed.
	defer context.AfterFunc(ctx, func() { f.Close() })()
	if err := s.ex.Put(ctx, s.attempt.Sandbox, wire.RestoreFile, f, info.Bytes); err != nil {
		return nil, fmt.Errorf("handing the cache over: %w", err)
	}
	s.log.Info("restored a cache", "key", info.Key, "scope", info.Scope, "bytes", info.Bytes)
	a.Hit, a.Key, a.File, a.Bytes = true, info.Key, wire.RestoreFile, info.Bytes
	return a, nil
}
