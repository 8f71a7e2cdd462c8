package docker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/runner-ci/runner/runner"
)

// workspace is how a sandbox comes by its files.
type workspace string

const (
	workspaceAuto    = "auto"
	workspaceMount   = "mount"   // the daemon mounts an overlay of its files in the container
	workspaceOverlay = "overlay" // the engine does, as a volume
	workspaceCopy    = "copy"    // everything goes as a tar stream
)

// onDisk tells whether the sandbox's files are on the daemon's own disk.
func (w workspace) onDisk() bool { return w == workspaceMount || w == workspaceOverlay }

// modeMemory remembers what the first sandboxes of a process found out about its engine.
type modeMemory struct {
	found   atomic.Pointer[workspace]
	refused atomic.Bool // mounting in its containers
	told    atomic.Bool // the log has why everything is copied
}

func (m *modeMemory) get() workspace {
	if w := m.found.Load(); w != nil {
		return *w
	}
	return ""
}

func (m *modeMemory) set(w workspace) { m.found.Store(&w) }

// choose picks the workspace for a sandbox. When try is true, it may turn out not to work on this engine, and another
// is what to fall back on.
func (e *Engine) choose(spec runner.SandboxSpec, f facts) (mode workspace, try bool, err error) {
	why := e.noOverlay(spec, f)
	switch e.opts.Workspace {
	case workspaceCopy:
		return workspaceCopy, false, nil
	case workspaceMount, workspaceOverlay:
		if why != nil {
			return "", false, fmt.Errorf("engine %s: workspace %s is impossible: %w; set workspace to auto or copy", e.opts.Engine, e.opts.Workspace, why)
		}
		return workspace(e.opts.Workspace), false, nil
	}
	if why != nil {
		if e.mode.told.CompareAndSwap(false, true) {
			e.log.Info("workspaces and caches are copied into the containers, which takes longer the larger they are; and no sandbox is made ahead of its job", "because", why)
		}
		return workspaceCopy, false, nil
	}
	if known := e.mode.get(); known != "" {
		return known, false, nil
	}
	if e.mode.refused.Load() || e.opts.Runtime != "" {
		return workspaceOverlay, true, nil
	}
	return workspaceMount, true, nil
}

// noOverlay tells what is known beforehand to stand against an overlay.
func (e *Engine) noOverlay(spec runner.SandboxSpec, f facts) error {
	for _, p := range []string{spec.Dir, spec.Tree} {
		if err := layerable(p); err != nil {
			return err
		}
	}
	switch {
	case runtime.GOOS != "linux":
		return fmt.Errorf("this is %s, not linux", runtime.GOOS)
	case os.Geteuid() != 0:
		return errors.New("files that a job makes as root need a daemon that is root to read and remove them")
	case f.remapped:
		return errors.New("the engine maps root to another user")
	}
	return nil
}

// layerable refuses paths that a mount's options cannot hold: engines split them at commas, the kernel splits layers at
// colons, and how either is escaped depends on the kernel's version.
func layerable(path string) error {
	if strings.ContainsAny(path, ",:\\") {
		return fmt.Errorf("%s holds a comma, a colon or a backslash", path)
	}
	return nil
}

// unseen tells whether an engine's refusal means that it does not see our files, or cannot make overlays of them.
func unseen(err error, spec runner.SandboxSpec) bool {
	return says(err, "bind source path does not exist: "+spec.Dir) ||
		says(err, "failed to mount local volume: mount overlay", "error while mounting volume '")
}

// work is the directory in which the kernel prepares changes of an overlay. It also marks a sandbox whose files are
// on our own disk.
func (e *Engine) work(id string) string { return filepath.Join(e.SandboxDir(id), "work") }

// lower is the lower layer: the snapshot, or an empty directory.
func lower(spec runner.SandboxSpec) string {
	if spec.Tree != "" {
		return spec.Tree
	}
	return filepath.Join(spec.Dir, "empty")
}

// prepare makes the directories that a sandbox on our own disk needs beside those the caller made, and shuts its own against
// the host's users: a job is root in there, and can leave setuid programs in its workspace and its spool.
func (e *Engine) prepare(spec runner.SandboxSpec) error {
	if err := os.Chmod(spec.Dir, 0o700); err != nil {
		return fmt.Errorf("preparing sandbox %s: %w", spec.ID, err)
	}
	for _, dir := range []string{e.work(spec.ID), lower(spec)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("preparing sandbox %s: %w", spec.ID, err)
		}
	}
	return nil
}

// unprepare removes what prepare and MountExtra made, and what the kernel and a job made in it.
func (e *Engine) unprepare(id string) error {
	var errs []error
	for _, name := range []string{"work", "empty", "trial", "extra", "extra-upper", "extra-work"} {
		errs = append(errs, runner.RemoveTree(filepath.Join(e.SandboxDir(id), name)))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("removing what sandbox %s left: %w", id, err)
	}
	return nil
}

// checkSpec refuses what cannot become a sandbox, before the engine is asked.
func (e *Engine) checkSpec(spec runner.SandboxSpec) error {
	if err := checkID(spec.ID); err != nil {
		return err
	}
	if filepath.Clean(spec.Dir) != e.SandboxDir(spec.ID) {
		return fmt.Errorf("sandbox %s: its directory is %s, expected %s", spec.ID, spec.Dir, e.SandboxDir(spec.ID))
	}
	l := spec.Limits
	if l.CPUs < 0 || l.MemoryBytes < 0 || l.PIDs < 0 {
		return fmt.Errorf("sandbox %s: limits are %g CPUs, %d bytes, %d processes, none may be negative", spec.ID, l.CPUs, l.MemoryBytes, l.PIDs)
	}
	if err := errors.Join(e.checkMounts(spec), e.checkServices(spec), e.checkReach(spec)); err != nil {
		return err
	}
	dirs := []string{filepath.Join(spec.Dir, "upper"), filepath.Join(spec.Dir, "spool"), filepath.Join(spec.Dir, "objects")}
	if spec.Tree != "" {
		if !filepath.IsAbs(spec.Tree) {
			return fmt.Errorf("sandbox %s: the snapshot's path %q is not absolute", spec.ID, spec.Tree)
		}
		dirs = append(dirs, spec.Tree)
	}
	for _, dir := range dirs {
		st, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("sandbox %s: %w", spec.ID, err)
		}
		if !st.IsDir() {
			return fmt.Errorf("sandbox %s: %s is no directory", spec.ID, dir)
		}
	}
	return nil
}
