package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sync/errgroup"

	"github.com/runner-ci/runner/runner"
)

var (
	_ runner.Warmer  = (*Engine)(nil)
	_ runner.Layerer = (*Engine)(nil)
)

// CanWarm tells why no sandbox like spec can be made ahead of its job.
func (e *Engine) CanWarm(ctx context.Context, spec runner.SandboxSpec) error {
	f, err := e.ready(ctx)
	if err != nil {
		return err
	}
	return e.cannotWarm(spec, f)
}

func (e *Engine) cannotWarm(spec runner.SandboxSpec, f facts) error {
	switch {
	case spec.Privileged:
		return errors.New("a privileged sandbox is made for its job alone")
	case len(spec.Services) > 0:
		return errors.New("a sandbox with services is made for its job alone")
	}
	mode, _, err := e.choose(spec, f)
	if err == nil && mode != workspaceMount {
		err = fmt.Errorf("engine %s: a sandbox made ahead gets its workspace while it runs, and the daemon cannot mount in this engine's containers (workspace is %s)", e.opts.Engine, mode)
	}
	return err
}

// Warm makes a sandbox whose workspace comes with Fill. That the daemon can mount in it is tried out.
func (e *Engine) Warm(ctx context.Context, spec runner.SandboxSpec) error {
	spec.Tree = ""
	l, err := e.launch(ctx, spec)
	if err != nil {
		return err
	}
	if err := e.cannotWarm(spec, l.facts); err != nil {
		return err
	}
	l.ahead = true
	if err := l.run(ctx); err != nil {
		return e.createFailed(ctx, spec, l.facts, err)
	}
	return nil
}

// Fill mounts the workspace of a warm sandbox, sets its limits where they differ from those it was made with, and
// shares its memory accordingly. It joins it to its network, too: a former process that started the container may have
// died before it did. The engine is asked for no more than the limits.
func (e *Engine) Fill(ctx context.Context, spec runner.SandboxSpec) error {
	if err := e.checkSpec(spec); err != nil {
		return err
	}
	f, err := e.ready(ctx)
	if err != nil {
		return err
	}
	doing := "filling sandbox " + spec.ID
	if err := e.noOverlay(spec, f); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	p, err := e.inside(ctx, spec.ID)
	if err == nil {
		err = e.madeAlike(spec, f)
	}
	if err == nil {
		err = e.prepare(spec)
	}
	if err == nil {
		err = e.raiseWall(ctx)
	}
	if err == nil {
		err = e.wire(p, spec.ID)
	}
	if err == nil {
		var g errgroup.Group
		g.Go(func() error { return p.attachOnce(sources(spec), sourceDir) })
		g.Go(func() error { return e.limit(ctx, p, spec, f) })
		err = g.Wait()
	}
	if err == nil {
		return nil
	}
	if _, gone := e.inspect(ctx, spec.ID); errors.Is(gone, runner.ErrNoSandbox) {
		return gone
	}
	return e.fail(ctx, doing, err)
}

// making is a digest of how a sandbox would be made now: of all that its container is given but names and limits.
func (e *Engine) making(spec runner.SandboxSpec, f facts, a *agentBinary) (string, error) {
	spec.ID, spec.Dir, spec.Limits = "", "", runner.Limits{}
	host, err := e.hostConfig(spec, workspaceMount, f, a)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal([]any{e.containerConfig(spec, workspaceMount), host})
	if err != nil {
		return "", fmt.Errorf("describing a sandbox: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// madeAlike refuses a sandbox that is not as it would be made now: a daemon of another version or with other settings
// made it, or it was made for another image.
func (e *Engine) madeAlike(spec runner.SandboxSpec, f facts) error {
	agent, err := e.binary(f)
	if err != nil {
		return err
	}
	now, err := e.making(spec, f, agent)
	if b, _ := e.made.get(spec.ID); err == nil && b.making != now {
		err = errors.New("it was made by a daemon of another version or with other settings, or for another image")
	}
	return err
}

// limit sets the limits of a sandbox that was made with others.
func (e *Engine) limit(ctx context.Context, p place, spec runner.SandboxSpec, f facts) error {
	b, _ := e.made.get(spec.ID)
	want := resources(spec.Limits, f)
	change, err := changed(b.limits, want)
	if err != nil {
		return err
	}
	if change == nil {
		return nil
	}
	if was, now := shmSize(b.limits.Memory), shmSize(want.Memory); was != now { // first: what the engine has is what the next daemon knows
		if err := p.resizeShm(now); err != nil {
			return err
		}
	}
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := e.api.ContainerUpdate(short, containerName(spec.ID), container.UpdateConfig{Resources: *change}); err != nil {
		return fmt.Errorf("changing its limits: %w", err)
	}
	e.made.note(spec.ID, func(b *madeBox) { b.limits = want })
	return nil
}

// changed is what has to be said to an engine for new limits; nil is nothing. To an engine zero is no change, so that
// a limit of memory or of CPU time, once set, cannot be lifted.
func changed(was, want container.Resources) (*container.Resources, error) {
	var c container.Resources
	some := false
	if want.NanoCPUs != was.NanoCPUs {
		c.NanoCPUs, some = want.NanoCPUs, true
	}
	if want.Memory != was.Memory {
		c.Memory, c.MemorySwap, some = want.Memory, want.MemorySwap, true
	}
	if some && (want.NanoCPUs == 0 && was.NanoCPUs != 0 || want.Memory == 0 && was.Memory != 0) {
		return nil, errors.New("it has a limit of memory or CPUs that its job has not, and engines lift none")
	}
	if pids(want) != pids(was) {
		n := pids(want)
		c.PidsLimit, some = &n, true
	}
	if !some {
		return nil, nil
	}
	return &c, nil
}

// pids is the limit of processes; 0 is none.
func pids(r container.Resources) int64 {
	if r.PidsLimit == nil || *r.PidsLimit < 0 {
		return 0
	}
	return *r.PidsLimit
}
