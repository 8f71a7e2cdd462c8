package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/source"
)

// provision makes the attempt's sandbox, or finds the one that a former daemon made. The result counts only when
// ok is false.
func (s *session) provision(ctx context.Context) (res Result, ok bool) {
	if s.attempt.Sent {
		return Result{}, true // whatever became of the sandbox, it must not be made twice
	}
	began := wire.PhaseEnded{Phase: PhaseProvisioning, At: time.Now().UnixNano()}
	provide := s.make
	if s.attempt.Warm {
		provide = s.fillOrMake
	}
	s.rec.provisioning(began) // the lease says so already, and a commit now would take longer than the filling
	// A stop request that comes while the sandbox is being made ends the making.
	making, cancel := context.WithCancel(ctx)
	defer cancel()
	made := make(chan error, 1)
	go func() { made <- provide(making) }()
	var err error
	select {
	case err = <-made:
	case req := <-s.attempt.Stop:
		s.attempt.Stop = nil
		cancel()
		<-made
		return Result{Status: req.Status, Reason: req.Reason, Message: req.Message}, false
	}
	if err != nil {
		if ctx.Err() != nil {
			return Result{}, false
		}
		return provisionFault(err), false
	}
	ended := wire.PhaseEnded{
		Phase: PhaseProvisioning, Status: wire.StatusSucceeded,
		Millis: time.Since(s.began).Milliseconds(), At: time.Now().UnixNano(),
	}
	failpoint.Pass("4/sandbox-made")
	s.provisioned = true
	s.rec.provisioning(ended)
	return Result{}, true
}

// reprovision makes the sandbox of an attempt whose job may have been sent by the record, and was not by the word of
// its agent: the daemon died in between. The result counts only when ok is false.
func (s *session) reprovision(ctx context.Context) (res Result, ok bool) {
	s.log.Info("the warm sandbox has no job yet; filling it")
	s.attempt.Sent, s.sent = false, false
	return s.provision(ctx)
}

// neverBegan tells of a warm sandbox that was given to the attempt by a daemon which died before it looked at it: a former one
// may have died before its container was made, or started. Its agent has spooled nothing, so no command has begun.
func (s *session) neverBegan(ctx context.Context, state SandboxState, gone error) bool {
	if !s.attempt.Warm || s.provisioned || s.stop != nil {
		return false
	}
	if gone == nil {
		return state.StartedAt.IsZero()
	}
	spool, err := s.ex.Open(ctx, s.attempt.Sandbox, "frames")
	if err == nil {
		spool.Close()
	}
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNoSandbox)
}

// PhaseProvisioning is the phase in which a job's workspace and sandbox are made.
const PhaseProvisioning = "PROVISIONING"

func (s *session) make(ctx context.Context) error {
	return s.runner.insist(ctx, s.attempt.Sandbox, s.makeOnce)
}

// remakes is how often a sandbox that a daemon died making is tried again: the engine may still be at work on what
// that daemon asked for, and answer us with a conflict.
const remakes = 3

// insist makes a sandbox, and tries again what a former daemon began.
func (r *Runner) insist(ctx context.Context, sandbox string, once func(context.Context) error) error {
	_, err := os.Lstat(r.dir(sandbox))
	left := err == nil
	for n := 1; ; n++ {
		err := once(ctx)
		if err == nil || !left || n > remakes || !provisionFault(err).Transient {
			return err
		}
		r.Logger.Warn("making a sandbox that a former daemon began failed; trying again", "sandbox", sandbox, "error", err)
		select {
		case <-time.After(time.Duration(n) * 200 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

func (s *session) makeOnce(ctx context.Context) error {
	st, err := s.ex.Inspect(ctx, s.attempt.Sandbox)
	switch {
	case err != nil && !errors.Is(err, ErrNoSandbox):
		return err // there may be a sandbox, and nobody takes its files away before that is known
	case !st.EndedAt.IsZero():
		return nil // made by a former daemon, and it came to nothing
	case st.Running:
		return s.complete(ctx)
	}
	if err := s.clear(ctx, err == nil); err != nil {
		return err
	}
	tree, release, err := s.workspace(ctx)
	if err != nil {
		return err
	}
	// From here on the snapshot is kept by the caller, for as long as the build runs.
	defer release()
	return s.ex.Create(ctx, s.runner.spec(s.ex.Engine(), s.attempt, tree))
}

// complete has the executor finish a sandbox that a former daemon started, and died before it could say so. Its
// directory was laid out before.
func (s *session) complete(ctx context.Context) error {
	tree, release, err := s.tree(ctx)
	if err != nil {
		return err
	}
	defer release()
	return s.ex.Create(ctx, s.runner.spec(s.ex.Engine(), s.attempt, tree))
}

// clear removes what a daemon that died left of the sandbox; nothing has run in it. The executor goes first: it may
// have mounted something in the directory, and knows so by what lies in there. known tells that it has the sandbox.
func (s *session) clear(ctx context.Context, known bool) error {
	dir := s.runner.dir(s.attempt.Sandbox)
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) && !known {
		return nil
	}
	if err := s.ex.Remove(ctx, s.attempt.Sandbox); err != nil {
		return fmt.Errorf("removing the sandbox that a former daemon left half-made: %w", err)
	}
	if err := RemoveTree(dir); err != nil {
		return fmt.Errorf("clearing the sandbox's directory: %w", err)
	}
	return nil
}

// workspace lays out what the sandbox mounts: the snapshot below, a directory with .git to be laid over it.
func (s *session) workspace(ctx context.Context) (tree string, release func(), err error) {
	dir := s.runner.dir(s.attempt.Sandbox)
	if err := s.runner.makeDirs(s.attempt.Sandbox); err != nil {
		return "", nil, err
	}
	c := s.attempt.Source
	if c.Commit == "" {
		return "", func() {}, nil
	}
	snap, err := s.snapshot(ctx)
	if err != nil {
		return "", nil, err
	}
	opts := source.GitDirOptions{
		Ref: c.Ref, Depth: c.Depth, RemoteURL: c.Remote.URL,
		ObjectsPath:    s.ex.Paths(s.attempt.Sandbox).Objects,
		HostObjectsDir: filepath.Join(dir, "objects"), Stranger: c.Stranger,
	}
	if err := s.runner.Source.GitDir(ctx, snap, filepath.Join(dir, "upper"), opts); err != nil {
		snap.Release()
		return "", nil, fmt.Errorf("laying out .git: %w", err)
	}
	failpoint.Pass("4/directory-made")
	return snap.Dir, snap.Release, nil
}

// makeDirs makes a sandbox's directory as every executor expects it.
func (r *Runner) makeDirs(sandbox string) error {
	for _, d := range []struct {
		name string
		mode os.FileMode
	}{{"", 0o711}, {"upper", 0o755}, {"spool", 0o700}, {"objects", 0o755}} {
		if err := os.MkdirAll(filepath.Join(r.dir(sandbox), d.name), d.mode); err != nil {
			return fmt.Errorf("making the sandbox's directory: %w", err)
		}
	}
	return nil
}

func (s *session) snapshot(ctx context.Context) (*source.Snapshot, error) {
	c := s.attempt.Source
	snap, err := s.runner.Source.Snapshot(ctx, c.Remote, c.Commit, source.SnapshotOptions{Submodules: c.Submodules, Stranger: c.Stranger})
	if err != nil {
		return nil, fmt.Errorf("laying out the snapshot: %w", err)
	}
	return snap, nil
}

// provisionFault says whose fault it is that no sandbox could be made, and whether trying again can help.
func provisionFault(err error) Result {
	var image *ImageError
	var gone *UnavailableError
	var service *ServiceError
	var network *NetworkError
	switch {
	case errors.As(err, &network):
		return fault("network", network.Error())
	case errors.As(err, &service):
		return Result{
			Status: wire.StatusFailed, Reason: "service", Phase: PhaseProvisioning,
			Message: wire.Cut(service.Error()),
		}
	case errors.As(err, &image) && !image.Machine:
		return Result{Status: wire.StatusFailed, Reason: "image", Phase: PhaseProvisioning, Message: wire.Cut(err.Error())}
	case errors.As(err, &image):
		return Result{Status: wire.StatusFault, Reason: "image_pull", Message: err.Error(), Transient: image.Passing}
	case errors.Is(err, syscall.ENOSPC):
		return passing(fault("disk_full", fmt.Sprintf("the disk is full: %v; free space below the data directory or lower retention", err)))
	case errors.As(err, &gone):
		return passing(fault("engine_unavailable", err.Error()+"; start it (systemctl start docker), or correct engines in the configuration"))
	}
	return passing(fault("provisioning", "the job's container could not be made: "+err.Error()))
}

// passing marks a fault that may be over at another attempt.
func passing(res Result) Result {
	res.Transient = true
	return res
}

// storeFault is the answer to a store of ours that takes no more.
func (s *session) storeFault(err error) Result {
	if errors.Is(err, syscall.ENOSPC) {
		return passing(fault("disk_full", fmt.Sprintf("the disk is full: %v; free space below the data directory or lower retention", err)))
	}
	return passing(fault("store", "the daemon could not store what the job said: "+err.Error()))
}
