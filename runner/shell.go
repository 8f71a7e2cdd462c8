package runner

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// A Sheller is an Executor that lets people into its sandboxes. Errors are those of an Executor.
type Sheller interface {
	// Reopen starts a sandbox again whose job has ended, with its file system as the job left it, its services, its limits and
	// its network. The workspace is mounted as Create and Remount did, with layers between the snapshot and what lies over it.
	// It is idempotent; what it began before an error, Kill ends.
	Reopen(ctx context.Context, spec SandboxSpec, layers []string) error

	// Shell starts a program in a sandbox that runs.
	Shell(ctx context.Context, sandboxID string, c ShellCommand) (Shell, error)
}

// ShellCommand is a program for a person to use.
type ShellCommand struct {
	Mark string   // of letters and digits: by which its processes are known
	Args []string // the program first
	Env  []string // "NAME=value", over the sandbox's own
	User string   // "" is root
	TTY  bool
	Cols uint // of the terminal
	Rows uint
}

// Shell is a program that runs in a sandbox for somebody.
type Shell interface {
	// Write is its standard input, and CloseInput the end of that.
	io.Writer
	CloseInput() error
	// Copy copies its output until it has ended. With a terminal all of it is standard output.
	Copy(stdout, stderr io.Writer) error
	// Resize tells the size of the terminal.
	Resize(ctx context.Context, cols, rows uint) error
	// Exit is its exit status, after Copy.
	Exit(ctx context.Context) (int, error)
	// End ends its processes, if any are left, and lets go of it.
	End(ctx context.Context)
}

// CanShell tells why nobody can be let into the sandboxes of an engine; nil if people can.
func (r *Runner) CanShell(engine string) error {
	_, err := r.sheller(engine)
	return err
}

func (r *Runner) sheller(engine string) (Sheller, error) {
	ex, ok := r.Executors[engine]
	if !ok {
		return nil, fmt.Errorf("engine %q is not in the configuration any more", engine)
	}
	sh, ok := ex.(Sheller)
	if !ok {
		return nil, fmt.Errorf("engine %q lets nobody into its sandboxes: only engines of type docker do", engine)
	}
	return sh, nil
}

// Shell starts a program in the sandbox of a job that runs, or that was reopened.
func (r *Runner) Shell(ctx context.Context, engine, sandbox string, c ShellCommand) (Shell, error) {
	sh, err := r.sheller(engine)
	if err != nil {
		return nil, err
	}
	return sh.Shell(ctx, sandbox, c)
}

// SourceDir is where a sandbox has its workspace, as seen from inside.
func (r *Runner) SourceDir(engine, sandbox string) string {
	if ex, ok := r.Executors[engine]; ok {
		return ex.Paths(sandbox).Source
	}
	return ""
}

// Close ends everything that runs in the sandbox of a job that has ended, and keeps what it wrote. Doing it twice is doing it
// once. The error is ErrNoSandbox where the engine has it no more.
func (r *Runner) Close(ctx context.Context, engine, sandbox string) error {
	ex, ok := r.Executors[engine]
	if !ok {
		return fmt.Errorf("engine %q is not in the configuration any more", engine)
	}
	if err := ex.Kill(ctx, sandbox); err != nil {
		return fmt.Errorf("closing sandbox %s: %w", sandbox, err)
	}
	return nil
}

// Reopen starts the sandbox of an attempt that has ended: the job is not run again, and gets nothing anew that is secret.
// Of the attempt it needs what its sandbox was made with.
func (r *Runner) Reopen(ctx context.Context, engine string, a Attempt) error {
	sh, err := r.sheller(engine)
	if err != nil {
		return err
	}
	s := &session{runner: r, ex: r.Executors[engine], attempt: a, log: r.Logger.With("sandbox", a.Sandbox)}
	hold, err := r.Artifacts.HeldLayers(a.Sandbox)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tree, release, err := s.tree(ctx)
	if err != nil {
		return err
	}
	defer release()
	word := rand.Text() // by which the answer is known from one to somebody before
	if err := s.ex.Put(ctx, a.Sandbox, wire.HoldFile, strings.NewReader(word), int64(len(word))); err != nil {
		return fmt.Errorf("telling the agent to stay: %w", err)
	}
	if err := sh.Reopen(ctx, r.spec(engine, a, tree), s.layersOf(hold, sourceRoot)); err != nil {
		return err
	}
	if err := s.remountExtra(ctx, hold.Dirs, func(root string) []string { return s.layersOf(hold, root) }); err != nil {
		return err
	}
	return s.awaitHeld(ctx, word)
}

// heldWait bounds the wait for an agent that is started again.
const heldWait = 20 * time.Second

// awaitHeld waits until the agent says that it stays.
func (s *session) awaitHeld(ctx context.Context, word string) error {
	for began, wait := time.Now(), 5*time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		if s.held(ctx, word) {
			return nil
		}
		state, err := s.ex.Inspect(ctx, s.attempt.Sandbox)
		switch {
		case err != nil:
			return err
		case !state.Running:
			return errors.New("its agent ended as soon as it was started again: one of a version that keeps nothing open, perhaps")
		case time.Since(began) > heldWait:
			return fmt.Errorf("its agent did not answer within %s", heldWait)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// held tells whether the agent has answered.
func (s *session) held(ctx context.Context, word string) bool {
	f, err := s.ex.Open(ctx, s.attempt.Sandbox, wire.HeldFile)
	if err != nil {
		return false
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, wire.MaxHold))
	return err == nil && string(text) == word
}

// remountExtra mounts the directories of a cache again that lie outside of the workspace.
func (s *session) remountExtra(ctx context.Context, dirs []string, below func(root string) []string) error {
	ex, ok := s.ex.(Layerer)
	if !ok {
		return nil
	}
	for i, dir := range dirs {
		if _, ok := inSource(dir); ok {
			continue
		}
		root := strconv.Itoa(i)
		if _, err := ex.MountExtra(ctx, s.attempt.Sandbox, root, below(root)); err != nil {
			return err
		}
	}
	return nil
}

// Weigh measures what the sandbox of a job that has ended takes of the disk, up to a little more than most.
func (r *Runner) Weigh(ctx context.Context, engine, sandbox string, most int64) (int64, error) {
	ex, ok := r.Executors[engine]
	if !ok {
		return 0, fmt.Errorf("engine %q is not in the configuration any more", engine)
	}
	s := &session{runner: r, ex: ex, attempt: Attempt{Sandbox: sandbox}, log: r.Logger.With("sandbox", sandbox)}
	w := &diskWatch{s: s, limits: Limits{DiskBytes: most}}
	if err := w.measure(ctx, false); err != nil {
		return 0, err
	}
	return w.use.Bytes, nil
}

// Guard watches what a sandbox takes of the disk while people are in it, as it was watched while its job ran, and calls
// over with the reason once that is more than its limits allow. It watches until the returned function is called.
func (r *Runner) Guard(ctx context.Context, engine string, a Attempt, over func(why string)) (end func()) {
	ex, ok := r.Executors[engine]
	if !ok {
		return func() {}
	}
	s := &session{runner: r, ex: ex, attempt: a, log: r.Logger.With("sandbox", a.Sandbox)}
	told, endWatch := s.watchDisk(ctx)
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case req := <-told: // of nil nothing comes: nobody measures
			over(req.Message)
		case <-done:
		}
	}()
	return func() { close(done); endWatch(); <-gone }
}
