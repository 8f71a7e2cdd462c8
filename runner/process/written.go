//go:build linux

package process

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/runner"
)

var _ runner.Meter = (*Executor)(nil)

// Written tells where a job writes besides the sandbox's layers: the workspace, where it was copied. What a job writes
// elsewhere on the host is not counted.
func (e *Executor) Written(_ context.Context, id string) (at runner.WrittenAt, err error) {
	var dir, src unix.Stat_t
	paths := e.Paths(id)
	err = unix.Stat(filepath.Dir(paths.Source), &dir)
	if err == nil {
		err = unix.Stat(paths.Source, &src)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return at, runner.ErrNoSandbox
	}
	if err == nil && dir.Dev == src.Dev { // else it shows the layers
		at.Dirs = []runner.WrittenDir{{Path: paths.Source, Inside: paths.Source}}
	}
	return at, err
}
