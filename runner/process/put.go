//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/runner"
)

// Put writes a file into the sandbox's spool directory.
func (e *Executor) Put(_ context.Context, id, name string, content io.Reader, size int64) (err error) {
	root, err := os.OpenRoot(filepath.Join(e.SandboxDir(id), spoolDir))
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("sandbox %s: %w", id, runner.ErrNoSandbox)
	}
	if err != nil {
		return fmt.Errorf("opening the spool of sandbox %s: %w", id, err)
	}
	defer root.Close()
	if err := root.RemoveAll(name); err != nil {
		return fmt.Errorf("writing %s for sandbox %s: %w", name, id, err)
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("writing %s for sandbox %s: %w", name, id, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	n, err := io.Copy(f, io.LimitReader(content, size))
	if err == nil && n < size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("writing %s for sandbox %s: %w", name, id, err)
	}
	return nil
}

// Capacity tells what this host has.
func (e *Executor) Capacity(context.Context) (runner.Capacity, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return runner.Capacity{}, fmt.Errorf("asking the kernel for its memory: %w", err)
	}
	return runner.Capacity{CPUs: runtime.NumCPU(), MemoryBytes: int64(info.Totalram) * int64(info.Unit), Arch: runtime.GOARCH}, nil
}
