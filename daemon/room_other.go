//go:build !linux

package daemon

import "github.com/runner-ci/runner/scheduler"

// room is not known here, where no sandbox waits for a job either: the daemon mounts nothing in containers.
func (p *parts) room() scheduler.Room { return scheduler.Room{} }
