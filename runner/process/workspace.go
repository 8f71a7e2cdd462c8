//go:build linux

package process

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// makeWorkspace puts the snapshot with upper over it at src. An overlay costs nothing whatever the size, but
// needs root and a file system that can be an upper layer; elsewhere both are copied. Hard links would let the
// job write into the snapshot, so there are none.
func makeWorkspace(tree, dir string) error {
	src, upper, work := filepath.Join(dir, srcDir), filepath.Join(dir, upperDir), filepath.Join(dir, workDir)
	if err := unmount(src); err != nil { // of a daemon that died in here
		return err
	}
	if err := os.RemoveAll(src); err != nil {
		return err
	}
	for _, d := range []string{src, upper, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if tree != "" && os.Geteuid() == 0 && overlay(tree, upper, work, src) == nil {
		return nil
	}
	if tree != "" {
		if err := copyTree(tree, src); err != nil {
			return fmt.Errorf("copying the snapshot: %w", err)
		}
	}
	if err := copyTree(upper, src); err != nil {
		return fmt.Errorf("copying what belongs over the snapshot: %w", err)
	}
	return nil
}

func overlay(lower, upper, work, target string) error {
	escape := strings.NewReplacer(`\`, `\\`, `:`, `\:`, `,`, `\,`).Replace
	data := "lowerdir=" + escape(lower) + ",upperdir=" + escape(upper) + ",workdir=" + escape(work)
	if len(data) >= os.Getpagesize() {
		return errors.New("the paths are too long for a mount")
	}
	if err := unix.Mount("runner", target, "overlay", unix.MS_NODEV, data); err != nil {
		return fmt.Errorf("mounting %s: %w", target, err)
	}
	return nil
}

// unmount takes away whatever is mounted at target, with all that a job mounted below it.
func unmount(target string) error {
	for {
		err := unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		switch {
		case err == nil:
			continue // there may be another below
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPERM) && !mounted(target):
			return nil // where mounts are forbidden, to other users and in most containers, we made none
		}
		return fmt.Errorf("unmounting %s: %w", target, err)
	}
}

// mounted tells whether an overlay is mounted at target: its files are on another device than its parent.
func mounted(target string) bool {
	var here, above unix.Stat_t
	if unix.Lstat(target, &here) != nil || unix.Lstat(filepath.Dir(target), &above) != nil {
		return false
	}
	return here.Dev != above.Dev
}

// copyTree copies what is in one directory into another that exists, with modes, times and symbolic links as
// they are. What is there already is replaced.
func copyTree(from, to string) error {
	type dirTime struct {
		path string
		mode fs.FileMode
		time time.Time
	}
	var dirs []dirTime // set last: filling a directory changes its time, and a read-only one cannot be filled
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || rel == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case entry.IsDir():
			dirs = append(dirs, dirTime{target, info.Mode().Perm(), info.ModTime()})
			return os.MkdirAll(target, 0o700|info.Mode().Perm())
		case entry.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			_ = os.Remove(target)
			return os.Symlink(link, target)
		case entry.Type().IsRegular():
			return copyFile(path, target, info)
		}
		return nil
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		d := dirs[i]
		err = errors.Join(err, os.Chmod(d.path, d.mode), os.Chtimes(d.path, d.time, d.time))
	}
	return err
}

func copyFile(from, to string, info fs.FileInfo) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	_ = os.Remove(to)
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	err = errors.Join(err, out.Chmod(info.Mode().Perm()), out.Close())
	return errors.Join(err, os.Chtimes(to, info.ModTime(), info.ModTime()))
}
