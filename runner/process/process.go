//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/runner"
)

// Executor runs jobs as processes of this host.
type Executor struct {
	opts Options
	boot string

	locks [64]sync.Mutex // by hash of the sandbox's id
}

var _ runner.Executor = (*Executor)(nil)

// Supported tells whether this operating system can run jobs as processes.
func Supported() error { return nil }

// New returns an executor. It fails when the options cannot work on this host.
func New(opts Options) (*Executor, error) {
	for name, path := range map[string]string{"root": opts.Root, "agent": opts.AgentPath} {
		if !filepath.IsAbs(path) {
			return nil, fmt.Errorf("process executor: the path of %s is %q, expected an absolute one", name, path)
		}
	}
	boot, err := bootID()
	if err != nil {
		return nil, fmt.Errorf("process executor: %w", err)
	}
	return &Executor{opts: opts, boot: boot}, nil
}

// Engine returns the configured id.
func (e *Executor) Engine() string { return e.opts.Engine }

// Ping tells whether jobs can be started here.
func (e *Executor) Ping(context.Context) error {
	if err := unix.Access(e.opts.AgentPath, unix.X_OK); err != nil {
		return &runner.UnavailableError{Engine: e.opts.Engine, Err: fmt.Errorf("the agent %s cannot be run: %w", e.opts.AgentPath, err)}
	}
	return nil
}

// SandboxDir returns where the directory of a sandbox has to be.
func (e *Executor) SandboxDir(id string) string { return filepath.Join(e.opts.Root, id) }

// Paths returns the sandbox's directories, which are the host's.
func (e *Executor) Paths(id string) runner.Paths {
	dir := e.SandboxDir(id)
	return runner.Paths{
		Source:  filepath.Join(dir, srcDir),
		Objects: filepath.Join(dir, "objects"),
		Spool:   filepath.Join(dir, spoolDir),
	}
}

// Resolve returns the reference as it is: the only image here is the host.
func (e *Executor) Resolve(_ context.Context, req runner.ImageRequest) (runner.Image, error) {
	return runner.Image{Ref: req.Ref, ID: "host"}, nil
}

// Names in a sandbox's directory.
const (
	srcDir   = "src"
	upperDir = "upper"
	spoolDir = "spool"
	workDir  = "work"
	homeDir  = "home"
	tmpDir   = "tmp"
	agentDir = "agent"
	inFIFO   = "in"
	outFIFO  = "out"
	agentLog = "agent.log"
)

// Inspect tells whether the agent runs. The exit status of an agent that ended while no daemon watched is not
// known, and given as -1.
func (e *Executor) Inspect(_ context.Context, id string) (runner.SandboxState, error) {
	st, err := e.load(id)
	if err != nil {
		return runner.SandboxState{}, err
	}
	state := runner.SandboxState{StartedAt: st.Started}
	if st.PID == 0 {
		return state, nil // intended only
	}
	if e.alive(st) {
		state.Running = true
		return state, nil
	}
	state.ExitCode, state.EndedAt = -1, st.Ended
	if !st.Ended.IsZero() {
		state.ExitCode = st.ExitCode
		return state, nil
	}
	state.EndedAt = st.Started
	if info, err := os.Lstat(filepath.Join(e.SandboxDir(id), spoolDir, "frames")); err == nil {
		state.EndedAt = info.ModTime()
	}
	return state, nil
}

// List returns the ids of the sandboxes of this daemon.
func (e *Executor) List(context.Context) ([]string, error) {
	entries, err := os.ReadDir(e.opts.Root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing sandboxes: %w", err)
	}
	var ids []string
	for _, entry := range entries {
		if _, err := e.load(entry.Name()); err == nil {
			ids = append(ids, entry.Name())
		}
	}
	return ids, nil
}

// Open opens one file of the spool. Each step refuses symbolic links, and nothing but a regular file is read.
func (e *Executor) Open(_ context.Context, id, name string) (io.ReadCloser, error) {
	if _, err := e.load(id); err != nil {
		return nil, err
	}
	if name == "" || name == "." || name == ".." || filepath.Base(name) != name {
		return nil, fmt.Errorf("opening %q of a spool: expected the name of a file, without a directory", name)
	}
	f, err := openBeneath(e.SandboxDir(id), spoolDir, name)
	if err != nil {
		return nil, fmt.Errorf("opening %s in the spool of sandbox %s: %w", name, id, err)
	}
	return f, nil
}

func openBeneath(dir, sub, name string) (*os.File, error) {
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	dirFD, err := unix.Open(dir, flags|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(dirFD)
	subFD, err := unix.Openat(dirFD, sub, flags|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(subFD)
	fd, err := unix.Openat(subFD, name, flags, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("it is %s, expected a regular file", info.Mode().Type())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// lock serialises what is done to one sandbox.
func (e *Executor) lock(id string) (unlock func()) {
	l := &e.locks[crc32.ChecksumIEEE([]byte(id))%uint32(len(e.locks))]
	l.Lock()
	return l.Unlock
}

// now is the time that states record, for people: nothing is decided by it.
func now() time.Time { return time.Now().UTC() }
