package runner

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/runner/wire"
)

// takeLayers takes what the job changed of directories that were mounted. They are renamed, so the sandbox has to be at
// its end.
func (s *session) takeLayers(ctx context.Context, c wire.Cache) (artifacts.CacheInfo, bool, error) {
	hold, err := s.runner.Artifacts.HeldLayers(s.attempt.Sandbox)
	if err != nil {
		return artifacts.CacheInfo{}, false, fmt.Errorf("nothing of it was mounted: %w", err)
	}
	if err := s.awaitEnd(ctx); err != nil {
		return artifacts.CacheInfo{}, false, err
	}
	meta := artifacts.CacheMeta{Scope: s.attempt.Cache.Write, Key: c.Key, Paths: artifacts.LayeredPaths(c.Paths)}
	return s.runner.Artifacts.TakeLayer(ctx, s.attempt.Sandbox, meta, s.layerParts(hold), s.attempt.Job.Limits.CacheBytes)
}

func (s *session) layerParts(hold artifacts.LayerHold) (parts []artifacts.LayerPart) {
	for i, dir := range hold.Dirs {
		p := artifacts.LayerPart{Root: strconv.Itoa(i), Upper: s.extraUpper(strconv.Itoa(i)), Path: "."}
		if rel, ok := inSource(dir); ok {
			p = artifacts.LayerPart{Root: sourceRoot, Upper: filepath.Join(s.runner.dir(s.attempt.Sandbox), "upper"), Path: rel}
		}
		parts = append(parts, p)
	}
	return parts
}

const (
	// endPatience is how long an agent that has said its last word may take to end.
	endPatience = 5 * time.Second
	// endLook is how often it is looked at first, and engineLook how often the engine is asked.
	endLook    = time.Millisecond
	engineLook = 100 * time.Millisecond
)

// awaitEnd returns when nothing runs in the sandbox any more, and nothing is mounted there.
func (s *session) awaitEnd(ctx context.Context) error {
	began, asked, killed := time.Now(), time.Now(), false
	for look := endLook; ; look = min(look*5/4, engineLook) {
		ended, err := s.ended(ctx, time.Since(asked) > engineLook)
		if ended {
			return nil
		}
		if time.Since(asked) > engineLook {
			asked = time.Now()
		}
		if time.Since(began) > endPatience && !killed {
			killed = true
			err = errors.Join(err, s.ex.Kill(ctx, s.attempt.Sandbox))
		}
		if time.Since(began) > 2*endPatience {
			return fmt.Errorf("the sandbox does not end: %w", errors.Join(err, context.DeadlineExceeded))
		}
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ended tells whether the sandbox has ended, by the word of the engine or by that of the machine.
func (s *session) ended(ctx context.Context, engine bool) (bool, error) {
	if ex, ok := s.ex.(Layerer); ok && !engine {
		ended, err := ex.Ended(ctx, s.attempt.Sandbox)
		return ended || errors.Is(err, ErrNoSandbox), err
	}
	st, err := s.ex.Inspect(ctx, s.attempt.Sandbox)
	return err == nil && !st.Running || errors.Is(err, ErrNoSandbox), err
}
