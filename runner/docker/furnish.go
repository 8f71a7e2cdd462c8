package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/runner-ci/runner/runner"
)

// insideError tells that the daemon could not mount in a container that runs.
type insideError struct{ error }

func (i insideError) Unwrap() error { return i.error }

// targetError tells that the container itself has no room for a mount: its image may have put something there.
type targetError struct{ error }

func (t targetError) Unwrap() error { return t.error }

// alone tells whether the engine will have nothing of the sandbox's but its container.
func (l *launch) alone() bool {
	return l.mode == workspaceMount && len(l.spec.Services) == 0 && !l.spec.Privileged
}

// furnish mounts the workspace in a container that was started and joins it to the network, where that is the daemon's
// work. One that has ended is left as it is.
func (l *launch) furnish(ctx context.Context) error {
	if l.mode != workspaceMount {
		return nil
	}
	p, running, err := l.e.enter(ctx, l.spec.ID)
	if err != nil || !running {
		return err
	}
	var g errgroup.Group
	g.Go(func() error { return l.e.wire(p, l.spec.ID) })
	if l.ahead {
		err = p.rehearse()
	} else {
		err = p.attachOnce(sources(l.spec), sourceDir)
	}
	wire := g.Wait()
	if err == nil && wire == nil || p.dead() { // the engine may not know yet, and what fails in a dead process says nothing of what we can do
		return nil
	}
	if st, ierr := l.e.Inspect(ctx, l.spec.ID); ierr != nil || !st.Running {
		return ierr // it ended meanwhile, which Attach tells
	}
	if err == nil {
		return l.e.wireFailed(wire)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EROFS) {
		return err // an overlay of the engine's would be no better, and nobody would see it
	}
	if l.try && !errors.As(err, new(targetError)) && l.e.mode.refused.CompareAndSwap(false, true) {
		l.e.log.Warn("the daemon cannot mount workspaces in its containers, so the engine does, which takes longer; and no sandbox is made ahead of its job", "because", err)
	}
	return insideError{err}
}

// enter finds the inside of a sandbox's container, and tells whether it runs.
func (e *Engine) enter(ctx context.Context, id string) (p place, running bool, err error) {
	p.dir = e.SandboxDir(id)
	b, ok := e.made.get(id)
	if ok && b.pid != 0 {
		p.pid = b.pid
		return p, true, nil
	}
	in, err := e.inspect(ctx, id)
	if err != nil || !in.State.Running {
		return p, false, err
	}
	p.pid = in.State.Pid
	if !ok && in.HostConfig != nil {
		b = madeBox{container: in.ID, limits: in.HostConfig.Resources, making: in.Config.Labels[LabelMaking], wired: in.Config.Labels[LabelWired] != ""}
	}
	b.pid = p.pid
	e.made.put(id, b)
	return p, true, nil
}

// attachOnce attaches unless it was done before.
func (p place) attachOnce(l layers, target string) error {
	if there, err := p.attached(l.upper, target); err != nil || there {
		return err
	}
	return p.attach(l, target)
}

// inside finds the inside of a sandbox that runs and has its workspace from the daemon.
func (e *Engine) inside(ctx context.Context, id string) (place, error) {
	p, running, err := e.enter(ctx, id)
	if err == nil && !running {
		err = fmt.Errorf("sandbox %s does not run", id)
	}
	return p, err
}

// CanLayer tells why Remount and MountExtra cannot be called for a sandbox.
func (e *Engine) CanLayer(ctx context.Context, id string) error {
	in, err := e.inspect(ctx, id)
	if err != nil {
		return err
	}
	switch mode := workspace(in.Config.Labels[LabelWorkspace]); {
	case in.HostConfig != nil && in.HostConfig.Privileged:
		return errors.New("the sandbox is privileged")
	case mode != workspaceMount:
		return fmt.Errorf("the daemon does not mount the workspace of this sandbox (workspace is %s)", mode)
	case !in.State.Running:
		return fmt.Errorf("sandbox %s does not run", id)
	}
	return nil
}

// Ended tells whether every process in a sandbox that was mounted in has ended. The engine says so only later, when it has
// cleared up.
func (e *Engine) Ended(ctx context.Context, id string) (bool, error) {
	p, running, err := e.enter(ctx, id)
	if err != nil {
		return errors.Is(err, runner.ErrNoSandbox), err
	}
	return !running || p.ended(), nil
}

// Remount mounts the workspace of a sandbox again, with further layers between the snapshot and what lies over it, the
// first on top: directories of the daemon's host that are not written to while the sandbox is there. What was mounted
// is taken away, so it comes before the first command of the job. Doing it twice is doing it once. An error leaves a
// sandbox that is good for nothing but Remove. It fails where workspaces are not mounted by the daemon.
func (e *Engine) Remount(ctx context.Context, spec runner.SandboxSpec, layers []string) error {
	p, err := e.inside(ctx, spec.ID)
	if err == nil {
		err = p.detach(sourceDir)
	}
	if err == nil {
		err = p.attach(sources(spec, layers...), sourceDir)
	}
	if err != nil {
		return fmt.Errorf("mounting the workspace of sandbox %s again: %w", spec.ID, err)
	}
	return nil
}

// MountExtra shows directories of the daemon's host to a sandbox, as one directory whose path inside it returns: an
// overlay of them, none at all or the first on top, under a layer of the sandbox's own, <dir>/extra-upper/<name>, which takes what
// the job writes. Setuid programs and devices have no effect there. It comes before the first command of the job. Doing
// it twice is doing it once. It fails where workspaces are not mounted by the daemon.
func (e *Engine) MountExtra(ctx context.Context, id, name string, lower []string) (string, error) {
	if err := checkID(name); err != nil {
		return "", fmt.Errorf("mounting %q in sandbox %s: %w", name, id, err)
	}
	target := extraDir + "/" + name
	p, err := e.inside(ctx, id)
	if err == nil {
		err = p.mountExtra(name, target, lower)
	}
	if err != nil {
		return "", fmt.Errorf("mounting %s in sandbox %s: %w", target, id, err)
	}
	return target, nil
}

func (p place) mountExtra(name, target string, lower []string) error {
	points := filepath.Join(p.dir, "extra")
	if len(lower) == 0 {
		lower = []string{filepath.Join(points, name)}
	}
	l := layers{lower: lower, upper: filepath.Join(p.dir, "extra-upper", name), work: filepath.Join(p.dir, "extra-work", name), tame: true}
	for _, dir := range []string{filepath.Join(points, name), l.upper, l.work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	there, err := p.shown(points, extraDir)
	if err == nil && !there {
		err = p.show(points, extraDir)
	}
	if err == nil {
		err = p.attachOnce(l, target)
	}
	return err
}
