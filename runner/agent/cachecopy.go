//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// refill puts what a directory holds into another one, in place of what is there. What a cache does not keep stays out of
// it. Nothing is followed out of the directory.
func refill(ctx context.Context, from, to string) error {
	old, err := os.ReadDir(to)
	for _, e := range old {
		err = errors.Join(err, os.RemoveAll(filepath.Join(to, e.Name())))
	}
	if err != nil {
		return err
	}
	entries := 0
	var made []string // directories, whose modes and times are set when all is in them
	err = filepath.WalkDir(from, func(full string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it vanished meanwhile
		}
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		if entries++; entries > maxCacheEntries {
			return fmt.Errorf("it holds more than %d files: name fewer in cache.paths", maxCacheEntries)
		}
		rel, _ := within(from, full)
		if e.IsDir() {
			made = append(made, rel)
		}
		return copyEntry(full, filepath.Join(to, rel), e)
	})
	for i := len(made) - 1; i >= 0 && err == nil; i-- {
		err = settleDirectory(filepath.Join(from, made[i]), filepath.Join(to, made[i]))
	}
	return err
}

func copyEntry(from, to string, e fs.DirEntry) error {
	switch {
	case e.IsDir():
		if err := os.Mkdir(to, 0o700); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	case e.Type()&fs.ModeSymlink != 0:
		info, err := e.Info()
		if err != nil {
			return err
		}
		target, err := os.Readlink(from)
		if err == nil {
			err = os.Symlink(target, to)
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok && err == nil {
			err = os.Lchown(to, int(st.Uid), int(st.Gid))
		}
		return err
	case e.Type().IsRegular():
		return copyRegular(from, to)
	}
	return nil
}

func copyRegular(from, to string) (err error) {
	src, err := os.OpenFile(from, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Close()); err == nil {
		err = liken(to, info)
	}
	if err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

func settleDirectory(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil || !info.IsDir() {
		return nil // it vanished meanwhile
	}
	return errors.Join(liken(to, info), os.Chtimes(to, info.ModTime(), info.ModTime()))
}
