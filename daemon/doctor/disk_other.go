//go:build !linux

package doctor

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

func volumeOf(dir string) (volume, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return volume{}, err
	}
	return volume{
		kind: "this system's own", free: uint64(st.Bavail) * uint64(st.Bsize), bytes: uint64(st.Blocks) * uint64(st.Bsize),
		inodes: uint64(st.Ffree), counted: st.Files > 0,
	}, nil
}

// clockSynced cannot be told here.
func clockSynced() (bool, error) { return false, errors.ErrUnsupported }

func wallAgainstMonotonic(time.Duration) (time.Duration, error) { return 0, errors.ErrUnsupported }
