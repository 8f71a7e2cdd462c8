package docker

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/runner"
)

// TestAContainerThatDiesWhileItIsFurnished is killed before the daemon has mounted in it, and its engine has not noticed.
// That is the job's end, which Attach tells, and no reason to believe that nothing can be mounted here.
func TestAContainerThatDiesWhileItIsFurnished(t *testing.T) {
	e := offline(t, "unix:///nowhere/docker.sock")
	first := exec.Command("sleep", "60")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	_ = first.Process.Kill()
	for deadline := time.Now().Add(10 * time.Second); !(place{pid: first.Process.Pid}).ended(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not die")
		}
	}
	e.made.put("x", madeBox{pid: first.Process.Pid})
	l := &launch{e: e, spec: runner.SandboxSpec{ID: "x", Dir: e.SandboxDir("x")}, mode: workspaceMount, try: true}
	if err := l.furnish(t.Context()); err != nil {
		t.Errorf("its end is told as %v", err)
	}
	if e.mode.refused.Load() {
		t.Error("the daemon believes that it cannot mount in containers")
	}
	_ = first.Wait()
}

// TestAnOverlayOnAFullDisk: the kernel mounts it all the same, read-only, and a job would be blamed for what it cannot write.
func TestAnOverlayOnAFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir := t.TempDir()
	var early, full, freed error
	done := make(chan struct{})
	go onOwnThread(func() {
		defer close(done)
		early = errors.Join(alone(), unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,nr_inodes=9"))
		l := layers{lower: []string{filepath.Join(dir, "lower")}, upper: filepath.Join(dir, "upper"), work: filepath.Join(dir, "work")}
		for _, d := range append(l.lower, l.upper, l.work, filepath.Join(dir, "at")) {
			early = errors.Join(early, os.Mkdir(d, 0o755))
		}
		for i := range 4 { // with the root, no inode is free then
			early = errors.Join(early, os.Mkdir(filepath.Join(dir, fmt.Sprintf("filler-%d", i)), 0o755))
		}
		at := place{dir: filepath.Join(dir, "at")}
		full = at.overlay(l)
		for i := range 4 {
			early = errors.Join(early, os.Remove(filepath.Join(dir, fmt.Sprintf("filler-%d", i))))
		}
		freed = at.overlay(l)
	})
	<-done
	if early != nil {
		t.Fatal(early)
	}
	if !errors.Is(full, unix.ENOSPC) {
		t.Errorf("on a full disk it is told as %v, want no space left on device", full)
	}
	if freed != nil {
		t.Errorf("with space it is %v", freed)
	}
}
