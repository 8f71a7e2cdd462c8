package main

import (
	"context"
	"time"

	"github.com/runner-ci/runner/client"
)

// sizeEvery is how often a terminal is asked for its size: there is no signal that tells of a new one.
const sizeEvery = 500 * time.Millisecond

// followSize tells of each new size of the terminal.
func followSize(ctx context.Context, fd uintptr, was client.ShellSize, tell func(client.ShellSize)) {
	tick := time.NewTicker(sizeEvery)
	defer tick.Stop()
	for {
		if now := terminalSize(fd); now != was {
			was = now
			tell(now)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
