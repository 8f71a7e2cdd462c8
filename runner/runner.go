package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner/push"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/source"
)

// Runner runs attempts on the executors it was given. It keeps no state of its own: what must survive is in the
// caller's rows, in the artifact store, in the sandbox's directory and in the sandbox's spool.
//
// An attempt goes through these steps, and a daemon that died after any of them does the same step again:
//
//  1. the caller commits the sandbox's row and binds the attempt to it;
//  2. the workspace's directory is laid out, the sandbox is created and started (names come from its id);
//  3. Events.Sent commits that the job may be out, then the job is sent (the agent takes an attempt once);
//  4. frames are read; progress is committed, then output is appended to the log with the frame's number,
//     from where a restart goes on; what the agent asks for, a cache or runtimes, is answered beside that, and asked
//     again of the next daemon;
//  5. the result is in the spool before the agent exits; reports, cache and artifacts are taken in, the log is sealed;
//  6. the caller commits the result, then calls Destroy.
//
// A sandbox may be made before there is an attempt, by Warm, after its row was committed. An attempt that is bound to it
// (Attempt.Warm) differs in this:
//
//  2. the workspace is laid out in the directory that is there, and the executor fills the sandbox with it. A sandbox
//     that is gone, is broken, or was being filled when a daemon died, is removed and made anew under the same id.
//  3. The caller may commit that the job may be out together with the lease, and save a commit. In the Run that follows
//     the lease Attempt.Sent is false all the same, because nobody else has sent the job. A Run that finds Sent and is
//     told by the agent that it has no job goes back to step 2: nothing of the job has run. An agent that has the job
//     is not touched.
type Runner struct {
	Source    *source.Store
	Artifacts *artifacts.Store
	Executors map[string]Executor // by engine id
	Sandboxes string              // directory for <id>/, on the daemon's host
	Epoch     uint64              // grows with every start of the daemon
	Pusher    *push.Client        // of images
	Env       map[string][]string // by engine id: what the executor does not set itself, proxies for one
	Mounts    map[string][]Mount  // by engine id
	Logger    *slog.Logger

	// Make stands for all that decides how sandboxes are made besides their specification: a sandbox made ahead by a
	// Runner with another one is not used.
	Make string

	// Early reads reports that the job of an attempt left while it runs, as a tar that is a stranger's word; nil: nobody
	// wants to know. It may be called again with the same after a restart.
	Early func(ctx context.Context, attempt string, number int, groups []wire.ReportGroup, tar io.Reader) error

	// Runtimes selects runtimes from the table that an image carries (wire.RuntimesFile); nil: no table is read.
	Runtimes func(file []byte, want []wire.Var) ([]wire.Runtime, error)
}

// ErrDetached is returned by Run when its context ended: the sandbox goes on without us.
var ErrDetached = errors.New("detached from a running attempt")

const (
	// welcomeWait bounds how long a started agent may take to answer; a cold machine under load has been seen
	// to need seconds.
	welcomeWait = 60 * time.Second
	// backupLimit is how long after the agent's own time limit the daemon kills the sandbox.
	backupLimit = time.Minute
	// stopGrace lies between TERM and KILL.
	stopGrace = 10 * time.Second
	// stopBackup is how long after the grace the daemon waits for the agent's last words.
	stopBackup = 20 * time.Second
	// reportsBackup is how much longer both wait for a job with declared reports, which its agent collects for up to a
	// minute when the job was stopped or its time is up.
	reportsBackup = time.Minute
)

// Run runs one attempt on an engine, or takes it up again where a former daemon left it. It returns ErrDetached
// when ctx ends first; every other ending is a Result.
func (r *Runner) Run(ctx context.Context, engine string, a Attempt, ev Events) (Result, error) {
	ex, ok := r.Executors[engine]
	if !ok {
		return fault("unknown_engine", fmt.Sprintf("engine %q is not in the configuration any more; add it again or retry the build", engine)), nil
	}
	s := &session{
		runner: r, ex: ex, attempt: a, events: ev,
		log: r.Logger.With("attempt", a.ID, "sandbox", a.Sandbox), asked: make(map[uint64]bool),
	}
	res := s.run(ctx)
	if ctx.Err() != nil && !s.decided {
		return Result{}, ErrDetached
	}
	return res, nil
}

// Destroy removes a sandbox and its directory, which goes last: as long as it is there, Leftovers tells of the sandbox. It
// succeeds when both are gone already.
func (r *Runner) Destroy(ctx context.Context, engine, sandbox string) error {
	if ex, ok := r.Executors[engine]; ok {
		if err := ex.Remove(ctx, sandbox); err != nil {
			return fmt.Errorf("removing sandbox %s: %w", sandbox, err)
		}
	}
	failpoint.Pass("6/container-removed")
	if r.Artifacts != nil {
		if err := r.Artifacts.ReleaseLayers(ctx, sandbox); err != nil {
			return err
		}
	}
	dir := r.dir(sandbox)
	if err := RemoveTree(dir); err != nil {
		return fmt.Errorf("removing the directory of sandbox %s: %w", sandbox, err)
	}
	failpoint.Pass("6/directory-removed")
	return nil
}

// RemoveTree removes what a job wrote, however deep, for executors too.
func RemoveTree(dir string) error { return artifacts.RemoveTree(dir) }

// Leftovers lists the sandboxes that an engine or the disk still holds, by engine id ("" for directories and caches alone).
// Engines that do not answer are reported in the error; the others' lists are still complete.
func (r *Runner) Leftovers(ctx context.Context) (map[string][]string, error) {
	out := make(map[string][]string)
	var errs []error
	for id, ex := range r.Executors {
		ids, err := ex.List(ctx)
		if err != nil {
			errs = append(errs, fmt.Errorf("listing sandboxes of engine %s: %w", id, err))
			continue
		}
		out[id] = ids
	}
	entries, err := os.ReadDir(r.Sandboxes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, err)
	}
	for _, e := range entries {
		out[""] = append(out[""], e.Name())
	}
	holders, err := r.layerHolders(ctx)
	if err != nil {
		errs = append(errs, err)
	}
	for _, id := range holders {
		if !slices.Contains(out[""], id) {
			out[""] = append(out[""], id)
		}
	}
	return out, errors.Join(errs...)
}

// layerHolders are the sandboxes for which layers of caches are kept.
func (r *Runner) layerHolders(ctx context.Context) ([]string, error) {
	if r.Artifacts == nil {
		return nil, nil
	}
	return r.Artifacts.LayerHolders(ctx)
}

func (r *Runner) dir(sandbox string) string { return filepath.Join(r.Sandboxes, sandbox) }

func fault(reason, message string) Result {
	return Result{Status: wire.StatusFault, Reason: reason, Message: message}
}
