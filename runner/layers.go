package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner/wire"
)

// A Layerer is an Executor that can mount directories of the daemon's host in a sandbox that runs, before the first command
// of its job. Its methods are idempotent, with the errors of an Executor.
type Layerer interface {
	// CanLayer tells why the other methods cannot be called for a sandbox; nil if they can.
	CanLayer(ctx context.Context, sandbox string) error

	// Remount mounts the workspace again, with layers between the snapshot and what lies over it, the first on top.
	// What the job changes is in <spec.Dir>/upper. After an error the sandbox may have no workspace.
	Remount(ctx context.Context, spec SandboxSpec, layers []string) error

	// MountExtra mounts an overlay of layers, the first on top, and returns where. What the job changes is in
	// <spec.Dir>/extra-upper/<name>. Setuid programs and devices have no effect in there.
	MountExtra(ctx context.Context, sandbox, name string, layers []string) (path string, err error)

	// Ended tells whether all processes of the sandbox have ended. It may be late in that.
	Ended(ctx context.Context, sandbox string) (bool, error)
}

// maxLayerPaths bounds the paths of an overlay's layers together: the kernel takes them, and others, within one page.
const maxLayerPaths = 3000

// mountPatience is shorter than that of an agent, which goes on without an answer: nothing is mounted under its commands.
const mountPatience = time.Minute

// restoreLayers mounts a cache of whole directories, or empty ones where there is none. It returns no answer where that is
// impossible.
func (s *session) restoreLayers(ctx context.Context, q wire.CacheRequest) (*wire.CacheAnswer, error) {
	ex, ok := s.ex.(Layerer)
	if !ok || len(q.Dirs) == 0 {
		return nil, nil
	}
	began := time.Now()
	tree, release, err := s.tree(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := s.cannotLayer(ctx, ex, q.Dirs, tree); err != nil {
		s.log.Info("a cache is packed and unpacked, and not mounted", "because", err)
		return nil, nil
	}
	hold, err := s.holdLayers(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("looking for the cache: %w", err)
	}
	failpoint.Pass("5/cache-held")
	if time.Since(began) > mountPatience {
		return nil, fmt.Errorf("finding the cache took longer than %s, and by now commands of the job may run", mountPatience)
	}
	a := &wire.CacheAnswer{Hit: hold.Cache != "", Key: string(hold.Key), Bytes: hold.Bytes, Mounted: true}
	if a.Links, err = s.mountLayers(ctx, ex, tree, hold); err != nil {
		return nil, err
	}
	s.log.Info("mounted a cache", "key", a.Key, "hit", a.Hit, "bytes", a.Bytes, "layers", len(hold.Layers))
	return a, nil
}

// tree is the snapshot that the workspace was made of.
func (s *session) tree(ctx context.Context) (dir string, release func(), err error) {
	if s.attempt.Source.Commit == "" {
		return "", func() {}, nil
	}
	snap, err := s.snapshot(ctx)
	if err != nil {
		return "", nil, err
	}
	return snap.Dir, snap.Release, nil
}

// cannotLayer tells why a cache has to be packed and unpacked.
func (s *session) cannotLayer(ctx context.Context, ex Layerer, dirs []string, tree string) error {
	if s.attempt.Privileged {
		return errors.New("the job is privileged")
	}
	if s.commanded.Load() {
		return errors.New("commands of the job have begun, and nothing is mounted under them")
	}
	if err := checkDirs(dirs); err != nil {
		return err
	}
	for _, dir := range dirs {
		if rel, ok := inSource(dir); ok {
			if err := clearOf(tree, rel); err != nil {
				return err
			}
		}
	}
	if err := s.runner.Artifacts.CanTakeFrom(s.runner.dir(s.attempt.Sandbox)); err != nil {
		return err
	}
	return ex.CanLayer(ctx, s.attempt.Sandbox)
}

// checkDirs looks at what a job asks for.
func checkDirs(dirs []string) error {
	if len(dirs) > wire.MaxCacheDirs {
		return fmt.Errorf("it has %d directories, more than %d", len(dirs), wire.MaxCacheDirs)
	}
	for i, dir := range dirs {
		_, rel, _ := strings.Cut(dir, "/")
		if !filepath.IsLocal(rel) || filepath.Clean(rel) != rel || rel == "." || strings.ContainsRune(dir, 0) {
			return fmt.Errorf("%q is no name of a directory in a cache", dir)
		}
		for _, other := range dirs[:i] {
			if dir <= other || strings.HasPrefix(dir, other+"/") {
				return fmt.Errorf("the directories %q and %q of a cache are not sorted, or lie in each other", other, dir)
			}
		}
	}
	return nil
}

// inSource tells whether a directory of a cache lies in the source directory, and where.
func inSource(dir string) (rel string, ok bool) { return strings.CutPrefix(dir, "source/") }

// clearOf sees that a layer with a directory hides nothing of a snapshot.
func clearOf(tree, rel string) error {
	names := strings.Split(rel, "/")
	if names[0] == ".git" {
		return errors.New(".git is not the cache's")
	}
	for i := range names {
		if tree == "" {
			return nil
		}
		at := filepath.Join(names[:i+1]...)
		info, err := os.Lstat(filepath.Join(tree, at))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case i == len(names)-1:
			return fmt.Errorf("the commit has %s itself", at)
		case !info.IsDir():
			return fmt.Errorf("%s of the commit is no directory", at)
		}
	}
	return nil
}

// holdLayers finds the cache, and keeps its layers for the sandbox.
func (s *session) holdLayers(ctx context.Context, q wire.CacheRequest) (artifacts.LayerHold, error) {
	store := s.runner.Artifacts
	info, err := store.FindCache(s.readable(q), q.Key, q.Fallback, artifacts.LayeredPaths(q.Paths))
	if err == nil && info.Layers*(len(store.LayerDir(info.ID))+len("/source:")) < maxLayerPaths {
		hold, err := store.HoldLayers(ctx, s.attempt.Sandbox, info.ID, q.Dirs)
		if !errors.Is(err, fs.ErrNotExist) {
			return hold, err
		}
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return artifacts.LayerHold{}, err
	}
	return store.HoldLayers(ctx, s.attempt.Sandbox, "", q.Dirs)
}

// readable are the scopes in which a cache is looked for.
func (s *session) readable(q wire.CacheRequest) []string {
	if q.Empty {
		return nil
	}
	return s.attempt.Cache.Read
}

// mountLayers mounts what the sandbox has of a cache.
func (s *session) mountLayers(ctx context.Context, ex Layerer, tree string, hold artifacts.LayerHold) (links []wire.CacheLink, err error) {
	if below := s.layersOf(hold, sourceRoot); len(below) > 0 {
		spec := s.runner.spec(s.ex.Engine(), s.attempt, tree)
		if err := ex.Remount(ctx, spec, below); err != nil {
			return nil, s.withoutLayers(ctx, ex, spec, err)
		}
	}
	for i, dir := range hold.Dirs {
		if _, ok := inSource(dir); ok {
			continue
		}
		root := strconv.Itoa(i)
		below := s.layersOf(hold, root)
		if err := s.prepareExtra(root, below); err != nil {
			return nil, err
		}
		at, err := ex.MountExtra(ctx, s.attempt.Sandbox, root, below)
		if err != nil {
			return nil, err
		}
		links = append(links, wire.CacheLink{Dir: dir, To: at})
	}
	return links, nil
}

// sourceRoot is the tree of a layer that belongs into the source directory. The others are named by the number of their
// directory.
const sourceRoot = "source"

// layersOf are the directories of one tree, the newest first, of those layers that have it.
func (s *session) layersOf(hold artifacts.LayerHold, root string) (dirs []string) {
	for _, id := range hold.Layers {
		dir := filepath.Join(s.runner.Artifacts.LayerDir(id), root)
		if info, err := os.Lstat(dir); err == nil && info.IsDir() {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// withoutLayers mounts the workspace as it was, after an error. Where not even that succeeds, there is nothing that the job
// could work in.
func (s *session) withoutLayers(ctx context.Context, ex Layerer, spec SandboxSpec, why error) error {
	if ctx.Err() != nil {
		return why // the next daemon is asked the same
	}
	if err := ex.Remount(ctx, spec, nil); err != nil {
		s.log.Error("the workspace of a job is gone; ending it", "error", err)
		return errors.Join(why, s.ex.Kill(ctx, s.attempt.Sandbox))
	}
	return why
}

// prepareExtra makes the upper layer of a directory, with the owner and the mode that it had in the cache.
func (s *session) prepareExtra(root string, below []string) error {
	upper := s.extraUpper(root)
	if err := os.MkdirAll(upper, 0o755); err != nil || len(below) == 0 {
		return err
	}
	info, err := os.Lstat(below[0])
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		err = os.Lchown(upper, int(st.Uid), int(st.Gid))
	}
	return errors.Join(err, os.Chmod(upper, info.Mode()&(fs.ModePerm|fs.ModeSticky)))
}

func (s *session) extraUpper(root string) string {
	return filepath.Join(s.runner.dir(s.attempt.Sandbox), "extra-upper", root)
}
