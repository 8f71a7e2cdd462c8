package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// reserveBytes is set aside below the data directory while the disk has room, and given up when it is full: enough
// for the commits that end the builds which the full disk broke, and say why.
const reserveBytes = 32 << 20

// lastBytes are set aside beside it, and given up for nothing but a result that could not be stored: what fills a disk
// takes the reserve, too, when it is given up while that goes on.
const lastBytes = 4 << 20

func reservePath(data string) string { return filepath.Join(data, "reserve") }

func lastPath(data string) string { return filepath.Join(data, "reserve.last") }

// reserve sets the space aside, if there is plenty.
func reserve(data string) error {
	return errors.Join(setAside(data, reservePath(data), reserveBytes), setAside(data, lastPath(data), lastBytes))
}

func setAside(data, path string, size int64) error {
	if st, err := os.Stat(path); err == nil && st.Size() == size {
		return nil
	}
	if free, err := freeBytes(data); err != nil || free < 8*reserveBytes {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := allocate(f, size); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// spend gives the reserve up when the disk is nearly full, and tells whether it did.
func spend(data string) bool {
	free, err := freeBytes(data)
	if err != nil || free > reserveBytes/2 {
		return false
	}
	err = os.Remove(reservePath(data))
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

// spendLast gives the last of it up, and tells whether there was any.
func spendLast(data string) bool { return os.Remove(lastPath(data)) == nil }

func freeBytes(dir string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}
