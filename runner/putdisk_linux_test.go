package runner

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func mountSmall(dir string, bytes int) error {
	return unix.Mount("small", dir, "tmpfs", unix.MS_NOSUID, fmt.Sprintf("size=%d", bytes))
}

func unmount(dir string) error { return unix.Unmount(dir, 0) }
