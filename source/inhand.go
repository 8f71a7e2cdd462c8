package source

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// inHand is a file or directory below tmp/ that somebody works on. A lock on it tells sweep so, in every process and
// whatever the clocks say; it goes with the process.
type inHand struct {
	path string
	lock *fileLock
}

// beginDir makes a directory to work in.
func beginDir(tmp, pattern string) (*inHand, error) {
	return begin(func() (string, error) { return os.MkdirTemp(tmp, pattern) })
}

// beginFile makes a file to write to.
func beginFile(tmp, pattern string) (*inHand, error) {
	return begin(func() (string, error) {
		f, err := os.CreateTemp(tmp, pattern)
		if err != nil {
			return "", err
		}
		return f.Name(), f.Close()
	})
}

// begin makes something and locks it; again where a sweep came in between, which takes a clock that jumps just then.
func begin(make func() (path string, err error)) (*inHand, error) {
	for {
		path, err := make()
		if err != nil {
			return nil, err
		}
		lock, err := lockThere(path)
		if err == nil {
			return &inHand{path, lock}, nil
		}
		_ = os.RemoveAll(path)
		if !errors.Is(err, errLocked) && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

// end removes what is still there under its name, and lets go of it.
func (h *inHand) end() {
	_ = os.RemoveAll(h.path)
	h.lock.unlock()
}

// lockThere locks what is there, a directory too, and fails with errLocked where somebody works on it.
func lockThere(path string) (*fileLock, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	l := &fileLock{f}
	if err := l.change(exclusive); err != nil {
		l.unlock()
		return nil, err
	}
	ours, err := f.Stat()
	if err == nil {
		var now fs.FileInfo
		if now, err = os.Lstat(path); err == nil && !os.SameFile(ours, now) {
			err = fs.ErrNotExist
		}
	}
	if err != nil {
		l.unlock()
		return nil, err
	}
	return l, nil
}
