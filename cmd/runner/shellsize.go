//go:build !windows

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/runner-ci/runner/client"
)

// followSize tells of each new size of the terminal.
func followSize(ctx context.Context, fd uintptr, was client.ShellSize, tell func(client.ShellSize)) {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	defer signal.Stop(changed)
	for {
		if now := terminalSize(fd); now != was {
			was = now
			tell(now)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
