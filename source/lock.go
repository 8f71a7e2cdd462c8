package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// fileLock is an advisory lock on a file, held between processes and within one. It goes with the process.
type fileLock struct{ f *os.File }

const (
	shared    = unix.LOCK_SH
	exclusive = unix.LOCK_EX
)

var errLocked = errors.New("somebody else holds the lock")

// lockFile takes a lock, waiting for as long as ctx allows. The file is made when missing, and may be removed by
// whoever holds it exclusively.
func lockFile(ctx context.Context, path string, how int) (*fileLock, error) {
	wait := time.Millisecond
	for {
		l, err := tryLock(path, how)
		if !errors.Is(err, errLocked) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the lock %s: %w", path, context.Cause(ctx))
		case <-time.After(wait):
		}
		wait = min(2*wait, 50*time.Millisecond)
	}
}

// tryLock takes a lock or fails with errLocked at once.
func tryLock(path string, how int) (*fileLock, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return nil, err
		}
		l := &fileLock{f}
		if err := l.change(how); err != nil {
			l.unlock()
			return nil, err
		}
		// The holder before us may have removed the file, and somebody made a new one.
		ours, err := f.Stat()
		if err != nil {
			l.unlock()
			return nil, err
		}
		if now, err := os.Stat(path); err == nil && os.SameFile(ours, now) {
			return l, nil
		}
		l.unlock()
	}
}

// change turns a lock into another kind. In between, it may be nobody's.
func (l *fileLock) change(how int) error {
	for {
		err := unix.Flock(int(l.f.Fd()), how|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return errLocked
		case err != nil:
			return fmt.Errorf("locking %s: %w", l.f.Name(), err)
		}
		return nil
	}
}

func (l *fileLock) unlock() { _ = l.f.Close() }
