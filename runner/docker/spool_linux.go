package docker

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// openBeneath opens a file directly in dir for reading. Nothing of name is followed: no symbolic link, no way up, no
// magic link. Opening neither waits for the other end of a pipe nor acquires a terminal; the caller checks what it is.
func openBeneath(dir, name string) (*os.File, error) {
	at, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(at)
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Openat2(at, name, &unix.OpenHow{
		Flags:   flags,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		// Kernels before 5.6, and seccomp profiles that do not know the call. The name has no slash in it, so
		// O_NOFOLLOW says it all.
		fd, err = unix.Openat(at, name, flags, 0)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: filepath.Join(dir, name), Err: explain(err)}
	}
	return os.NewFile(uintptr(fd), filepath.Join(dir, name)), nil
}

// explain says what the kernel means by its answers to openat2.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.ELOOP):
		return errors.Join(errors.New("it is a symbolic link, expected a regular file: the job changed it"), err)
	case errors.Is(err, unix.ENXIO):
		return errors.Join(errors.New("it is a socket, expected a regular file: the job changed it"), err)
	}
	return err
}

// links counts the names of a file.
func links(st fs.FileInfo) uint64 {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return uint64(sys.Nlink)
	}
	return 1
}
