package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/runner-ci/runner/internal/failpoint"
)

// A Warmer is an Executor that can make sandboxes before there is a job for them. Its methods are idempotent, with the
// errors of an Executor.
type Warmer interface {
	// CanWarm tells why no sandbox like spec can be made ahead; nil if it can. Tree, Dir and ID count for nothing.
	CanWarm(ctx context.Context, spec SandboxSpec) error

	// Warm makes sandbox spec.ID and starts it with its agent waiting, without a workspace: Tree counts for nothing.
	// The caller made spec.Dir as for Create, with nothing in it yet.
	Warm(ctx context.Context, spec SandboxSpec) error

	// Fill gives a warm sandbox what Create would have given it: the workspace of spec.Tree and spec.Dir, and limits
	// where they differ from those it was made with. It comes before the job is sent. ErrNoSandbox: it is gone. After
	// any error the sandbox is good for nothing but Remove.
	Fill(ctx context.Context, spec SandboxSpec) error
}

// WarmSandbox is a sandbox to be made before there is a job for it. What else a sandbox is made with is the engine's,
// the same for all its jobs; a privileged job, or one with services, can have none.
type WarmSandbox struct {
	ID     string // its row was committed before Warm is called
	Image  Image
	Limits Limits // those it will likely be needed with
	// Network is that of the jobs it is for: it has it while it waits.
	Network Network
}

// CanWarm tells why an engine can make no such sandbox ahead of its job; nil if it can. The answer may change: what an
// engine cannot do, it may find out with the first sandbox that it makes.
func (r *Runner) CanWarm(ctx context.Context, engine string, w WarmSandbox) error {
	warmer, err := r.warmer(engine)
	if err != nil {
		return err
	}
	return warmer.CanWarm(ctx, r.warmSpec(engine, w))
}

// Warm makes a sandbox ahead of its job, whose agent waits. Doing it twice is doing it once. After an error Destroy
// removes what was made.
func (r *Runner) Warm(ctx context.Context, engine string, w WarmSandbox) error {
	warmer, err := r.warmer(engine)
	if err != nil {
		return err
	}
	err = r.insist(ctx, w.ID, func(ctx context.Context) error {
		if err := r.makeDirs(w.ID); err != nil {
			return err
		}
		return warmer.Warm(ctx, r.warmSpec(engine, w))
	})
	if err != nil {
		return fmt.Errorf("making sandbox %s ahead of its job: %w", w.ID, err)
	}
	return nil
}

func (r *Runner) warmer(engine string) (Warmer, error) {
	ex, ok := r.Executors[engine]
	if !ok {
		return nil, fmt.Errorf("engine %q is not in the configuration", engine)
	}
	warmer, ok := ex.(Warmer)
	if !ok {
		return nil, fmt.Errorf("engine %q makes no sandboxes ahead of their jobs: only engines of type docker do", engine)
	}
	return warmer, nil
}

func (r *Runner) warmSpec(engine string, w WarmSandbox) SandboxSpec {
	return r.spec(engine, Attempt{Sandbox: w.ID, Image: w.Image, Limits: w.Limits, Network: w.Network}, "")
}

// spec is the sandbox of an attempt.
func (r *Runner) spec(engine string, a Attempt, tree string) SandboxSpec {
	return SandboxSpec{
		ID: a.Sandbox, Image: a.Image, Dir: r.dir(a.Sandbox), Tree: tree,
		Limits: a.Limits, Env: r.Env[engine], Mounts: r.Mounts[engine],
		Privileged: a.Privileged, Services: a.Services, Network: a.Network,
	}
}

// fill makes the attempt's own sandbox out of one that was made ahead. An error means that it cannot be used: nothing
// of the job has run in it.
func (s *session) fill(ctx context.Context) error {
	warmer, err := s.runner.warmer(s.ex.Engine())
	if err != nil {
		return err
	}
	upper, err := os.ReadDir(filepath.Join(s.runner.dir(s.attempt.Sandbox), "upper"))
	if err != nil {
		return fmt.Errorf("looking into the warm sandbox: %w", err)
	}
	if len(upper) > 0 {
		return errors.New("a former daemon died filling it")
	}
	tree, release, err := s.workspace(ctx)
	if err != nil {
		return err
	}
	defer release()
	return warmer.Fill(ctx, s.runner.spec(s.ex.Engine(), s.attempt, tree))
}

// fillOrMake fills the warm sandbox of the attempt, or makes one in its place that is as good, only later.
func (s *session) fillOrMake(ctx context.Context) error {
	err := s.fill(ctx)
	if err == nil {
		failpoint.Pass("4/warm-filled")
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	s.log.Warn("a sandbox made ahead cannot be used; making it anew", "error", err)
	if err := s.events.Cold(ctx); err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	s.attempt.Warm = false
	if err := s.clear(ctx, true); err != nil {
		return err
	}
	return s.make(ctx)
}
