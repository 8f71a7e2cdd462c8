//go:build !linux

package process

import (
	"fmt"
	"runtime"

	"github.com/runner-ci/runner/runner"
)

// Supported tells whether this operating system can run jobs as processes.
func Supported() error {
	return fmt.Errorf("jobs run as processes on linux only, and this is %s: use an engine of type docker here, "+
		"or runner submit to a daemon on linux", runtime.GOOS)
}

// New refuses: see Supported.
func New(Options) (runner.Executor, error) { return nil, Supported() }
