package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"golang.org/x/sync/errgroup"

	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner"
)

// createTimeout bounds creating and starting a container on a busy engine.
const createTimeout = 5 * time.Minute

// Create makes the sandbox and starts it. What it made before an error stays, for the next Create to go on with and
// for Remove to remove.
func (e *Engine) Create(ctx context.Context, spec runner.SandboxSpec) error {
	l, err := e.launch(ctx, spec)
	if err != nil {
		return err
	}
	if err := l.run(ctx); err != nil {
		return e.createFailed(ctx, spec, l.facts, err)
	}
	return nil
}

// launch checks all that can be checked before a sandbox is made.
func (e *Engine) launch(ctx context.Context, spec runner.SandboxSpec) (*launch, error) {
	if err := e.checkSpec(spec); err != nil {
		return nil, err
	}
	f, err := e.ready(ctx)
	if err != nil {
		return nil, err
	}
	agent, err := e.binary(f)
	if err != nil {
		return nil, err
	}
	mode, try, err := e.choose(spec, f)
	if err != nil {
		return nil, err
	}
	return &launch{e: e, spec: spec, facts: f, agent: agent, mode: mode, try: try}, nil
}

// ready asks what the engine can do and makes the network, both at once. After the first time neither asks it.
func (e *Engine) ready(ctx context.Context) (facts, error) {
	var f facts
	if err := e.negotiate(ctx); err != nil {
		return f, err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { f, err = e.engineFacts(gctx); return err })
	g.Go(func() error { return e.ensureNetwork(gctx) })
	if err := g.Wait(); err != nil {
		return f, e.fail(ctx, "preparing the engine", err)
	}
	return f, nil
}

// launch is one Create.
type launch struct {
	e     *Engine
	spec  runner.SandboxSpec
	facts facts
	agent *agentBinary
	mode  workspace
	try   bool // the workspace's kind is not known to work here
	ahead bool // of its job: the workspace comes later

	joined bool // to its network by the engine, since the daemon cannot in this image
}

// launchTries is one try, and one more for each thing that may have been swept away behind our back: the container
// of a former daemon's making, the networks, the agent's volume, and what the engine may turn out not to have: our files,
// some capability.
const launchTries = 6

// run launches, and mends what the engine complains about once each.
func (l *launch) run(ctx context.Context) error {
	mended := map[string]bool{}
	for range launchTries {
		err := l.once(ctx)
		if err == nil {
			return nil
		}
		what, mend := l.mend(err)
		if mend == nil || mended[what] || ctx.Err() != nil {
			return err
		}
		mended[what] = true
		l.e.log.Info("making a sandbox again", "sandbox", l.spec.ID, "because", what, "error", err)
		if err := mend(ctx); err != nil {
			return err
		}
	}
	return errors.New("it came to nothing, however often it was mended")
}

// mend names the remedy for an error, or none.
func (l *launch) mend(err error) (string, func(context.Context) error) {
	e := l.e
	switch {
	case l.mode == workspaceMount && e.opts.Workspace != workspaceMount && !l.ahead && errors.As(err, new(insideError)):
		return "the daemon cannot mount in its container", func(ctx context.Context) error {
			l.mode, l.try = workspaceOverlay, e.mode.refused.Load()
			return e.Remove(ctx, l.spec.ID)
		}
	case errors.As(err, new(wireError)):
		return "the daemon cannot join its container to the network", func(ctx context.Context) error {
			l.joined = true
			return e.Remove(ctx, l.spec.ID)
		}
	case l.try && unseen(err, l.spec):
		return "the engine does not see our files", func(ctx context.Context) error {
			e.mode.set(workspaceCopy)
			l.mode, l.try = workspaceCopy, false
			return e.Remove(ctx, l.spec.ID)
		}
	case l.spec.Privileged && !e.caged.Load() && says(err, "unable to apply caps", "unable to apply bounding set"):
		return "the engine itself lacks capabilities", func(ctx context.Context) error {
			e.caged.Store(true)
			return e.Remove(ctx, l.spec.ID)
		}
	case len(l.spec.Services) > 0 && says(err, "network "+ownNetwork(l.spec.ID)+" not found"):
		return "the network of its services is gone", func(ctx context.Context) error { return e.Remove(ctx, l.spec.ID) }
	case says(err, "network "+e.networkName()+" not found"):
		return "the network is gone", func(ctx context.Context) error {
			e.network.forget()
			return errors.Join(e.Remove(ctx, l.spec.ID), e.ensureNetwork(ctx))
		}
	case says(err, "network "+e.privateName()+" not found"):
		return "the network is gone", func(ctx context.Context) error {
			e.private.forget()
			return e.Remove(ctx, l.spec.ID)
		}
	case errors.Is(err, errOtherReach):
		return "its network is another one now", func(ctx context.Context) error { return e.Remove(ctx, l.spec.ID) }
	case says(err, Root) && says(err, "no such file", "not found", "read-only file system"):
		return "the agent is gone from its volume", func(ctx context.Context) error {
			e.agent.forget()
			return e.Remove(ctx, l.spec.ID)
		}
	}
	return "", nil
}

// once walks through the steps of Create; doc.go has the list.
func (l *launch) once(ctx context.Context) error {
	e, name := l.e, containerName(l.spec.ID)
	if len(l.spec.Services) > 0 {
		// Services of a job that has begun are not started again, whatever became of them.
		if in, err := e.inspect(ctx, l.spec.ID); err == nil && (in.State.Running || in.State.Status == container.StateExited) {
			l.mode = workspace(in.Config.Labels[LabelWorkspace])
			return l.furnish(ctx)
		}
		if err := e.ensureOwnNetwork(ctx, l.spec); err != nil {
			return err
		}
		failpoint.Pass("4/network-made")
	} else if err := e.ensurePrivate(ctx, l.spec); err != nil {
		return err
	}
	var started bool
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { // nothing starts before there is a wall
		if err := e.raiseWall(gctx); err != nil {
			return err
		}
		if err := e.wantWall(l.spec); err != nil {
			return err
		}
		return l.startServices(gctx)
	})
	g.Go(func() (err error) { started, err = l.make(gctx, name); return err })
	if err := g.Wait(); err != nil {
		return err
	}
	if len(l.spec.Services) > 0 {
		failpoint.Pass("4/services-ready")
	}
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	if !started {
		failpoint.Pass("4/container-made")
		e.boots.listen(ctx, e, l.spec.ID)
		if err := e.api.ContainerStart(ctx, name, container.StartOptions{}); err != nil {
			return fmt.Errorf("starting the container: %w", err)
		}
		failpoint.Pass("4/container-started")
	}
	if err := l.furnish(ctx); err != nil {
		return err
	}
	if l.try && !started {
		e.mode.set(l.mode)
	}
	return nil
}

// make makes the container with all that is in it. It reports true when it found one that was started.
func (l *launch) make(ctx context.Context, name string) (started bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	err = l.create(ctx, name)
	if cerrdefs.IsConflict(err) {
		started, err = l.adopt(ctx, name, err)
	}
	if err != nil || started {
		return started, err
	}
	if err := l.e.ensureAgent(ctx, l.agent, name, l.spec.Image.ID); err != nil {
		return false, err
	}
	if l.mode == workspaceCopy {
		return false, l.e.copyIn(ctx, l.spec)
	}
	return false, nil
}

func (l *launch) create(ctx context.Context, name string) error {
	if l.mode.onDisk() {
		if err := l.e.prepare(l.spec); err != nil {
			return err
		}
	}
	host, err := l.e.hostConfig(l.spec, l.mode, l.facts, l.agent)
	if err != nil {
		return err
	}
	config, making := l.e.containerConfig(l.spec, l.mode), ""
	if l.joined {
		host.NetworkMode = container.NetworkMode(l.e.networkName())
		delete(config.Labels, LabelWired)
	}
	if l.ahead {
		if making, err = l.e.making(l.spec, l.facts, l.agent); err != nil {
			return err
		}
		config.Labels[LabelMaking] = making
	}
	settled, cancel := settle(ctx)
	defer cancel()
	res, err := l.e.api.ContainerCreate(settled, config, host, jobEndpoint(l.spec), nil, name)
	if err != nil {
		return fmt.Errorf("creating the container: %w", err)
	}
	l.e.made.put(l.spec.ID, madeBox{container: res.ID, alone: l.alone(), limits: host.Resources, making: making, wired: config.Labels[LabelWired] != ""})
	for _, w := range res.Warnings {
		l.e.log.Debug("the engine warns", "sandbox", l.spec.ID, "warning", w)
	}
	return nil
}

// cancelGrace is how long a cancelled Create waits for the engine to say what it did.
const cancelGrace = 10 * time.Second

// settle is ctx with its cancellation delayed: an engine goes on making a container whose client has left, and a
// Remove that comes before it is made would find nothing.
func settle(ctx context.Context) (context.Context, context.CancelFunc) {
	settled, cancel := context.WithTimeout(context.WithoutCancel(ctx), createTimeout)
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(cancelGrace):
			cancel()
		case <-settled.Done():
		}
	})
	return settled, func() { stop(); cancel() }
}

// adopt goes on with a container that an earlier Create made. It reports true when that one was started: then
// nothing is left to do, even if it has ended since.
func (l *launch) adopt(ctx context.Context, name string, conflict error) (started bool, err error) {
	in, err := l.e.inspect(ctx, l.spec.ID)
	switch {
	case errors.Is(err, runner.ErrNoSandbox):
		return false, fmt.Errorf("another instance has a container named %s: %w", name, conflict)
	case err != nil:
		return false, err
	case in.State.Status == container.StateRemoving || in.State.Status == container.StateDead:
		return false, fmt.Errorf("sandbox %s is being removed: %w", l.spec.ID, conflict)
	}
	l.mode = workspace(in.Config.Labels[LabelWorkspace])
	if in.State.Status != container.StateCreated {
		return true, nil
	}
	if in.Config.Labels[LabelReach] != string(l.spec.Network) {
		return false, errOtherReach
	}
	if l.mode.onDisk() {
		return false, nil
	}
	// Its start says nothing about our files, and its spool is not where prepare's mark says it is.
	l.try = false
	return false, l.e.unprepare(l.spec.ID)
}

// createFailed puts the engine's refusals into words.
func (e *Engine) createFailed(ctx context.Context, spec runner.SandboxSpec, f facts, err error) error {
	doing := "making sandbox " + spec.ID
	var service *runner.ServiceError
	var image *runner.ImageError
	var reach *runner.NetworkError
	switch {
	case errors.As(err, &service):
		return service
	case errors.As(err, &reach):
		return reach
	case errors.As(err, &image):
		return image
	case unavailable(err) || ctx.Err() != nil:
		return e.fail(ctx, doing, err)
	}
	if image := imageRefused(spec.Image, f, err); image != nil {
		return image
	}
	switch {
	case spec.Privileged && says(err, "incompatible with user namespaces"):
		return fmt.Errorf("%s: engine %s maps root to another user (userns-remap), so it makes no privileged containers: "+
			"run privileged jobs on an engine without it: %w", doing, e.opts.Engine, err)
	case says(err, "minimum memory limit"):
		return fmt.Errorf("%s: the memory limit of %d bytes is too small for a container: raise limits.memory: %w", doing, spec.Limits.MemoryBytes, err)
	case says(err, "bind source path does not exist"):
		return fmt.Errorf("%s: a mount's source is missing on the engine's host: correct mounts of engine %s, or workspace if the path is our own: %w", doing, e.opts.Engine, err)
	}
	return e.fail(ctx, doing, err)
}

// imageRefused puts an engine's refusal into words that is about the image; nil where it is not.
func imageRefused(i runner.Image, f facts, err error) error {
	switch {
	case cerrdefs.IsNotFound(err) && says(err, "no such image"):
		return &runner.ImageError{Ref: imageName(i), Err: err, Machine: true, Hint: "it was removed from the engine after it was resolved: retry the build"}
	case says(err, "exec format error", "image operating system", "does not match the detected host platform"):
		return &runner.ImageError{Ref: imageName(i), Err: err, Hint: "the image is not made for the engine's platform, linux/" + f.goarch}
	}
	return nil
}

func imageName(i runner.Image) string {
	if i.Ref != "" {
		return i.Ref
	}
	return i.ID
}
