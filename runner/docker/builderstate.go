package docker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"
)

// maxStates is how many builders' layers are kept on an engine; the longest unused go first.
const maxStates = 32

// builderStates lets one builder at a time have the layers of earlier ones: an engine wants its directory for itself.
type builderStates struct {
	mu   sync.Mutex
	busy map[string]chan struct{} // by volume, closed when it is free
}

// builderVolume is the volume in which layers are kept under a name; "" for none.
func (e *Engine) builderVolume(state string) string {
	if state == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(e.opts.Instance + "\x00" + state))
	return "runner-builder-" + hex.EncodeToString(sum[:10])
}

// takeState waits until no builder of ours has the state, and takes it. It notes that it is used.
func (e *Engine) takeState(ctx context.Context, state string) (free func(), err error) {
	name := e.builderVolume(state)
	if name == "" {
		return func() {}, nil
	}
	s := &e.states
	for {
		s.mu.Lock()
		wait, taken := s.busy[name]
		if !taken {
			if s.busy == nil {
				s.busy = map[string]chan struct{}{}
			}
			done := make(chan struct{})
			s.busy[name] = done
			s.mu.Unlock()
			free = sync.OnceFunc(func() {
				s.mu.Lock()
				delete(s.busy, name)
				s.mu.Unlock()
				close(done)
			})
			if err := e.noteState(ctx, name); err != nil {
				free()
				return nil, err
			}
			return free, nil
		}
		s.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (s *builderStates) has(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, taken := s.busy[name]
	return taken
}

// clearBuilders removes builders that a daemon left which died: the one of a name, and any that has the volume, which is
// ours now.
func (e *Engine) clearBuilders(ctx context.Context, name, volume string) error {
	mine := e.labelled("")
	mine.Add("label", LabelService+"="+builderService)
	all, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: mine})
	if err != nil {
		return err
	}
	for _, c := range all {
		if slices.Contains(c.Names, "/"+name) || volume != "" && c.Labels[LabelBuilder] == volume {
			if err := e.removeByID(ctx, c.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Engine) statesDir() string { return filepath.Join(e.opts.DataDir, "builders", e.opts.Engine) }

// noteState notes that a state is used, before it is made: a file of its own for each, whose time is that of the last use.
// Where there are too many, others go.
func (e *Engine) noteState(ctx context.Context, name string) error {
	dir := e.statesDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("noting that a builder is used: %w", err)
	}
	path, now := filepath.Join(dir, name), time.Now()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return fmt.Errorf("noting that a builder is used: %w", err)
	}
	_ = os.Chtimes(path, now, now)
	entries, err := os.ReadDir(dir)
	if over := len(entries) - maxStates; err == nil && over > 0 {
		if _, err := e.EvictBuilders(ctx, 0, func() bool { over--; return over < 0 }); err != nil {
			e.log.Warn("removing layers of builders that were not used for long", "error", err)
		}
	}
	return nil
}

// EvictBuilders removes layers that builders keep, the longest unused first, until enough says so: those that no builder has
// and that were not used for age. It returns how many are gone.
func (e *Engine) EvictBuilders(ctx context.Context, age time.Duration, enough func() bool) (gone int, err error) {
	entries, err := os.ReadDir(e.statesDir())
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	type state struct {
		name string
		used time.Time
	}
	var all []state
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) >= age && !e.states.has(entry.Name()) {
			all = append(all, state{entry.Name(), info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b state) int { return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.name, b.name)) })
	errs := []error{err}
	for _, s := range all {
		if ctx.Err() != nil || enough() {
			break
		}
		removed, err := e.evictState(ctx, s.name)
		if errs = append(errs, err); removed {
			gone++
		}
	}
	return gone, errors.Join(errs...)
}

// evictState removes one volume and its record. One that a builder of a dead daemon still has stays.
func (e *Engine) evictState(ctx context.Context, name string) (bool, error) {
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := e.api.VolumeList(short, volume.ListOptions{Filters: filters.NewArgs(
		filters.Arg("label", LabelInstance+"="+e.opts.Instance), filters.Arg("label", LabelBuilder+"="+name))})
	if err != nil {
		return false, e.fail(ctx, "looking for the layers of a builder", err)
	}
	for _, v := range found.Volumes {
		err := e.api.VolumeRemove(short, v.Name, false)
		if cerrdefs.IsConflict(err) {
			return false, nil
		}
		if err != nil && !cerrdefs.IsNotFound(err) {
			return false, e.fail(ctx, "removing the layers of a builder", err)
		}
	}
	return len(found.Volumes) > 0, os.Remove(filepath.Join(e.statesDir(), name))
}
