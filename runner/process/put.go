//go:build linux

package process

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/runner"
)

// maxPut bounds one file that is written into a spool, in bytes.
const maxPut = 64 << 30

// Put writes a file into the sandbox's spool directory.
func (e *Executor) Put(ctx context.Context, id, name string, content io.Reader, size int64) error {
	if _, err := e.load(id); err != nil {
		return err
	}
	if size < 0 || size > maxPut {
		return fmt.Errorf("writing %s for sandbox %s: it has %d bytes, expected 0 to %d", name, id, size, int64(maxPut))
	}
	if err := runner.PutBeneath(ctx, filepath.Join(e.SandboxDir(id), spoolDir), name, content, size); err != nil {
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
