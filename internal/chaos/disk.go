package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// disk is a file system of its own for the daemon's data, so that it can be filled without harm to anybody else.
type disk struct {
	dir string // where it is mounted
}

func newDisk(dir string, size int64) (*disk, error) {
	file, at := filepath.Join(dir, "disk.ext4"), filepath.Join(dir, "disk")
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(size), f.Close(), os.Mkdir(at, 0o755)); err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"mkfs.ext4", "-q", "-F", "-m", "0", file}, {"mount", "-o", "loop", file, at}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %w: %s", args[0], err, out)
		}
	}
	return &disk{dir: at}, nil
}

func (d *disk) filler() string { return filepath.Join(d.dir, "filler") }

// fill takes all the space that there is, and goes on to until free is called.
func (d *disk) fill() {
	f, err := os.OpenFile(d.filler(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	at := int64(0)
	for step := int64(1 << 30); step >= 4096; {
		if allocate(f, at, step) != nil {
			step /= 2
			continue
		}
		at += step
	}
}

func (d *disk) free() { _ = os.Remove(d.filler()) }

func (d *disk) close() {
	for range 50 {
		if exec.Command("umount", d.dir).Run() == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	_ = exec.Command("umount", "-l", d.dir).Run()
}
