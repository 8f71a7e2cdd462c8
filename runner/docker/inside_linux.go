package docker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// place is the inside of a running sandbox: the mount namespace of its container. What the daemon mounts there is seen
// nowhere else, not on the host either, and goes with the container, whatever becomes of the daemon.
type place struct {
	pid int    // of the container's first process, as the daemon sees it
	dir string // the sandbox's directory on the daemon's host
}

// attach makes an overlay and shows it at target inside. The overlay is made in a mount namespace that only this call
// knows, is taken out of it, and is put into the container's; a daemon that dies on the way leaves nothing. target is
// a directory of the sandbox's own, where no job can put another thing.
func (p place) attach(l layers, target string) error {
	return p.bring(target, func() error { return p.overlay(l) })
}

// rehearse sees whether attach will succeed, with layers that are made for that, and changes nothing inside.
func (p place) rehearse() error {
	l := layers{lower: []string{filepath.Join(p.dir, "spool")}, upper: filepath.Join(p.dir, "trial", "upper"), work: filepath.Join(p.dir, "trial", "work")}
	for _, dir := range []string{l.upper, l.work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	defer os.RemoveAll(filepath.Join(p.dir, "trial"))
	return p.enter(func(join func() error) error {
		if err := alone(); err != nil {
			return err
		}
		return errors.Join(p.overlay(l), join())
	})
}

// overlay mounts one on the sandbox's directory. It is called where nobody else sees that.
func (p place) overlay(l layers) error {
	for _, layer := range l.lower {
		if err := layerable(layer); err != nil {
			return fmt.Errorf("an overlay cannot be made: %w", err)
		}
	}
	opts := l.options() + ",metacopy=off" // a layer that is taken from the upper directory must hold what it names
	if len(opts) >= os.Getpagesize() {
		return fmt.Errorf("an overlay of %d layers: its paths take %d bytes, the kernel takes less than %d", len(l.lower), len(opts), os.Getpagesize())
	}
	var flags uintptr
	if l.tame {
		flags = unix.MS_NOSUID | unix.MS_NODEV
	}
	for range overlayTries {
		if err := unix.Mount("overlay", p.dir, "overlay", flags, opts); err != nil {
			return pathError("mounting an overlay on", p.dir, err)
		}
		if again, err := p.writable(l.upper); !again {
			return err
		}
	}
	return fmt.Errorf("the overlay on %s comes out read-only, and the kernel's own log says why: %w", p.dir, unix.EROFS)
}

// overlayTries is how often an overlay is mounted that comes out read-only although there is space again.
const overlayTries = 3

// writable sees that an overlay is one that can be written to. The kernel mounts it read-only, and says so in its own log
// alone, when it cannot make a directory beside the upper layer; the job would be to blame for what it cannot write. Such a
// one is taken away. again tells that it is worth another try.
func (p place) writable(upper string) (again bool, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(p.dir, &st); err != nil {
		return false, pathError("looking at the overlay on", p.dir, err)
	}
	if st.Flags&unix.ST_RDONLY == 0 {
		return false, nil
	}
	if err := unix.Unmount(p.dir, unix.MNT_DETACH); err != nil {
		return false, pathError("unmounting", p.dir, err)
	}
	trial := filepath.Join(filepath.Dir(upper), "writable")
	if err := os.Mkdir(trial, 0o700); err != nil {
		return false, fmt.Errorf("the overlay on %s comes out read-only: %w", p.dir, err)
	}
	return true, os.Remove(trial)
}

// alone gives the thread mounts of its own, which nobody else sees.
func alone() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("making a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	return nil
}

// show makes a directory of the sandbox on the host appear at target inside, read-only.
func (p place) show(dir, target string) error {
	return p.bring(target, func() error {
		err := unix.Mount(dir, p.dir, "", unix.MS_BIND, "")
		if err == nil {
			err = unix.Mount("", p.dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "")
		}
		return pathError("binding", dir, err)
	})
}

// bring carries what mount mounts on the sandbox's directory to target inside.
func (p place) bring(target string, mount func() error) error {
	return p.enter(func(join func() error) error {
		if err := alone(); err != nil {
			return err
		}
		if err := mount(); err != nil {
			return err
		}
		tree, err := unix.OpenTree(unix.AT_FDCWD, p.dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
		if err != nil {
			return pathError("taking a mount out of", p.dir, err)
		}
		defer unix.Close(tree)
		if err := join(); err != nil {
			return err
		}
		if err := unix.MoveMount(tree, "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return targetError{pathError("mounting in the container on", target, err)}
		}
		if err := sameFile(tree, target); err != nil {
			return targetError{err}
		}
		return nil
	})
}

// detach takes away all that is mounted on target inside.
func (p place) detach(target string) error {
	return p.enter(func(join func() error) error {
		if err := join(); err != nil {
			return err
		}
		for {
			switch err := unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); {
			case errors.Is(err, unix.EINVAL): // no mount, or none any more
				return nil
			case err != nil:
				return pathError("unmounting in the container", target, err)
			}
		}
	})
}

// shared memory's mount has these flags in every container.
const shmFlags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// resizeShm gives the sandbox's shared memory another size.
func (p place) resizeShm(bytes int64) error {
	return p.enter(func(join func() error) error {
		if err := join(); err != nil {
			return err
		}
		return pathError("resizing", "/dev/shm", unix.Mount("", "/dev/shm", "", unix.MS_REMOUNT|shmFlags, fmt.Sprintf("size=%d", bytes)))
	})
}

// enter runs do on a thread of its own, which is thrown away afterwards. join puts that thread into the sandbox's mount
// namespace, and sees that it is the sandbox's: process ids are used again, and not every engine has its processes
// where the daemon sees them.
func (p place) enter(do func(join func() error) error) error {
	done := make(chan error, 1)
	go onOwnThread(func() { done <- p.onThread(do) })
	return <-done
}

// onOwnThread runs f on a thread that ends with it, and not on the process's first, which cannot end and which the
// whole process is judged by in /proc.
func onOwnThread(f func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		f()
		return // locked, so the thread ends too
	}
	defer runtime.UnlockOSThread()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // a thread that is not this one
		f()
	}()
	<-done
}

func (p place) onThread(do func(join func() error) error) error {
	ns, err := unix.Open(fmt.Sprintf("/proc/%d/ns/mnt", p.pid), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("finding the container's process %d: %w", p.pid, err)
	}
	defer unix.Close(ns)
	spool, err := unix.Open(filepath.Join(p.dir, "spool"), unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return pathError("opening", filepath.Join(p.dir, "spool"), err)
	}
	defer unix.Close(spool)
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("giving a thread a root of its own: %w", err)
	}
	return do(func() error {
		if err := unix.Setns(ns, unix.CLONE_NEWNS); err != nil {
			return fmt.Errorf("entering the container's mount namespace: %w", err)
		}
		return sameFile(spool, spoolDir)
	})
}

// sameFile sees that a path of the thread's leads to what a descriptor stands for.
func sameFile(fd int, path string) error {
	var want, have unix.Stat_t
	if err := unix.Fstat(fd, &want); err != nil {
		return fmt.Errorf("looking at what belongs on %s: %w", path, err)
	}
	if err := unix.Lstat(path, &have); err != nil {
		return pathError("looking in the container at", path, err)
	}
	if want.Dev != have.Dev || want.Ino != have.Ino {
		return fmt.Errorf("the container has another thing at %s than the sandbox's own", path)
	}
	return nil
}

// attached tells whether an overlay with this upper layer is on target inside. Images can have volumes there.
func (p place) attached(upper, target string) (bool, error) {
	return p.mounted(target, func(_, rest string) bool {
		_, rest, _ = strings.Cut(rest, "upperdir=")
		found, _, _ := strings.Cut(rest, ",")
		return found == escaped(upper)
	})
}

// shown tells whether a directory of the sandbox is on target inside.
func (p place) shown(dir, target string) (bool, error) {
	end := escaped("/" + filepath.Base(p.dir) + "/" + filepath.Base(dir))
	return p.mounted(target, func(root, _ string) bool { return strings.HasSuffix(root, end) })
}

// mounted tells whether a mount is on target inside, which is known by the part of its file system that it shows or by
// the rest of its line.
func (p place) mounted(target string, known func(root, rest string) bool) (bool, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", p.pid))
	if err != nil {
		return false, fmt.Errorf("reading the container's mounts: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) > 5 && fields[4] == target && known(fields[3], fields[len(fields)-1]) {
			return true, nil
		}
	}
	return false, nil
}

// escaped is a path as the kernel lists it.
var escaped = strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`).Replace

func pathError(doing, path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", doing, path, err)
}

// ended tells whether the container's first process has ended, and with it every other: the kernel ends them before its
// last thread is gone.
func (p place) ended() bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", p.pid))
	return errors.Is(err, os.ErrNotExist) || p.dead()
}

// dead tells whether the first process is seen to have ended, and nobody has taken notice yet. One that is not seen may be
// where the daemon sees no processes.
func (p place) dead() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return errors.Is(err, unix.ESRCH)
	}
	_, state, _ := strings.Cut(string(stat[max(0, strings.LastIndexByte(string(stat), ')')):]), " ")
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.pid))
	return err == nil && len(threads) <= 1 && strings.HasPrefix(state, "Z")
}
