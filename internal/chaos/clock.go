package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"time"
)

// clock makes the wall clock of a daemon jump that was built for it.
type clock struct {
	path   string
	offset time.Duration
}

func newClock(dir string) (*clock, error) {
	c := &clock{path: filepath.Join(dir, "clock")}
	return c, c.set(0)
}

// set sets how far the daemon's clock is from ours, at once, while it runs.
func (c *clock) set(offset time.Duration) error {
	f, err := os.OpenFile(c.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	c.offset = offset
	_, err = f.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(int64(offset/time.Second))), 0)
	return err
}

func (c *clock) env() string { return "RUNNER_CHAOS_CLOCK=" + c.path }
