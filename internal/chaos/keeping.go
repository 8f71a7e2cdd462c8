package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// upgradeWait is how long a daemon may take to become another binary: it rehearses it first, on a loaded machine.
	upgradeWait = 30 * time.Second
	// backupWait bounds a backup with its check.
	backupWait = 2 * time.Minute
)

// keeping is what admins do to a daemon that works: they upgrade it in place and back it up.
type keeping struct {
	upgrades int
	whole    atomic.Int32 // backups that were written and laid out
	writing  atomic.Bool
	work     sync.WaitGroup
}

// provoke does what the point needs at which the daemon is to die, where users alone do not come by it.
func (s *storm) provoke(ctx context.Context) error {
	name, _, _ := strings.Cut(s.w.daemon.point, ":")
	switch {
	case name == "7/let-go":
		return s.upgrade()
	case name == "7/backup-copied":
		s.backup(ctx)
	case name == "2/again-committed" && s.outage == nil:
		s.takeAway(gitFailed, func() { s.w.git.set(refuses) }, func() { s.w.git.set(answers) })
	}
	return nil
}

// upgrade puts a copy of the binary where it lies, tells the daemon, and waits until it is the copy, or has ended.
func (s *storm) upgrade() error {
	d, binary := s.w.daemon, s.w.binary
	s.w.judge.event("upgrade", "in place")
	if err := copyFile(binary+".new", binary); err != nil {
		return err
	}
	if err := os.Rename(binary+".new", binary); err != nil {
		return err
	}
	if err := d.cmd.Process.Signal(syscall.SIGUSR2); err != nil {
		return nil // it has ended, which is told elsewhere
	}
	for began := time.Now(); time.Since(began) < upgradeWait; {
		if s.wait(20 * time.Millisecond) {
			return nil
		}
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", d.cmd.Process.Pid)); err == nil && exe == binary {
			s.kept.upgrades++
			return nil
		}
	}
	if s.outage != nil {
		return nil // it may wait for what is away
	}
	return fmt.Errorf("the daemon is not its new binary %s after SIGUSR2", upgradeWait)
}

// backup has the daemon written to a file and lays that out elsewhere, while everything goes on. What breaks off is no
// backup, and says so.
func (s *storm) backup(ctx context.Context) {
	if !s.kept.writing.CompareAndSwap(false, true) {
		return
	}
	s.w.judge.event("backup", "while it runs")
	s.kept.work.Go(func() {
		defer s.kept.writing.Store(false)
		ctx, cancel := context.WithTimeout(ctx, backupWait)
		defer cancel()
		dir, err := os.MkdirTemp(s.w.dir, "backup-")
		if err != nil {
			return
		}
		defer os.RemoveAll(dir)
		tar, data := filepath.Join(dir, "runner.tar"), filepath.Join(dir, "data")
		if out, err := s.w.daemon.cli(ctx, dir, "backup", tar); err != nil {
			if !unreachable.MatchString(out) && !strings.Contains(out, "another backup") {
				s.w.judge.violation(lost, "a backup: %v", err)
			}
			if _, err := os.Lstat(tar); err == nil {
				s.w.judge.violation(lost, "a backup that broke off left a file of its name")
			}
			return
		}
		if _, err := s.w.daemon.cli(ctx, dir, "restore", "--data", data, tar); err != nil {
			s.w.judge.violation(lost, "laying out a backup that was written whole: %v", err)
			return
		}
		s.kept.whole.Add(1)
	})
}
