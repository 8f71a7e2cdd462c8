package artifacts

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// heldLevels is how many directories RemoveTree has open at once.
const heldLevels = 128

// RemoveTree removes a directory that a job wrote to, with all that is in it; none is no error. os.RemoveAll would have a
// descriptor open for each level, and a job can make more levels than a process can have descriptors. What lies deep is
// moved up instead, and removed there. No symbolic link is followed.
func RemoveTree(dir string) error {
	root, err := openBelow(unix.AT_FDCWD, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		t := treeRemover{root: root, mark: rand.Text()}
		err = errors.Join(t.empty(root, 1), root.Close())
	}
	if rerr := os.Remove(dir); rerr == nil || errors.Is(rerr, fs.ErrNotExist) {
		return nil
	} else if err == nil {
		err = rerr
	}
	return err
}

type treeRemover struct {
	root   *os.File
	mark   string // begins the names of what was moved up
	raised int
}

func openBelow(parent int, name string) (*os.File, error) {
	fd, err := unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// empty removes what is in a directory, until nothing more goes. It returns the first error of the last time through.
func (t *treeRemover) empty(dir *os.File, level int) error {
	for {
		went := false
		var failed error
		if _, err := dir.Seek(0, 0); err != nil {
			return err
		}
		for {
			names, err := dir.Readdirnames(1024)
			for _, name := range names {
				if err := t.remove(dir, name, level); err == nil {
					went = true
				} else if failed == nil {
					failed = err
				}
			}
			if len(names) == 0 || err != nil {
				break
			}
		}
		if !went {
			return failed
		}
	}
}

func (t *treeRemover) remove(parent *os.File, name string, level int) error {
	at := int(parent.Fd())
	err := unix.Unlinkat(at, name, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) {
		return &fs.PathError{Op: "unlink", Path: name, Err: err}
	}
	if unix.Unlinkat(at, name, unix.AT_REMOVEDIR) == nil {
		return nil
	}
	if level >= heldLevels {
		t.raised++
		err := unix.Renameat(at, name, int(t.root.Fd()), fmt.Sprint(t.mark, t.raised))
		return pathErr("moving up", name, err)
	}
	dir, oerr := openBelow(at, name)
	if errors.Is(oerr, unix.ENOTDIR) || errors.Is(oerr, unix.ELOOP) {
		return &fs.PathError{Op: "unlink", Path: name, Err: err}
	}
	if oerr != nil {
		return oerr
	}
	failed := errors.Join(t.empty(dir, level+1), dir.Close())
	if err := unix.Unlinkat(at, name, unix.AT_REMOVEDIR); err != nil && failed == nil {
		failed = &fs.PathError{Op: "rmdir", Path: name, Err: err}
	}
	return failed
}
