package main

import (
	"os"
	"syscall"
)

// allocate takes space for a part of a file without writing to it.
func allocate(f *os.File, at, bytes int64) error {
	return syscall.Fallocate(int(f.Fd()), 0, at, bytes)
}
