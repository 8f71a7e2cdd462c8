//go:build linux

package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/runner"
)

// killLimit bounds how long processes may take to die. What the kernel holds longer, it holds for ever.
const killLimit = 10 * time.Second

// Kill ends every process of the sandbox. The agent is stopped first, so that it starts nothing more and every
// orphan of the job still becomes its child; then its descendants go, then itself, then whatever escaped from
// it but bears the sandbox's mark.
func (e *Executor) Kill(_ context.Context, id string) error {
	defer e.lock(id)()
	st, err := e.load(id)
	if err != nil {
		return err
	}
	return e.kill(id, st)
}

func (e *Executor) kill(id string, st state) error {
	if e.alive(st) {
		_ = e.signal(st, unix.SIGSTOP)
		err := untilGone(func() ([]proc, error) { return descendants(st.PID) })
		if err != nil {
			_ = e.signal(st, unix.SIGKILL)
			return fmt.Errorf("killing sandbox %s: %w", id, err)
		}
		if err := e.signal(st, unix.SIGKILL); err != nil {
			return fmt.Errorf("killing the agent of sandbox %s: %w", id, err)
		}
		for deadline := time.Now().Add(killLimit); e.alive(st); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				return fmt.Errorf("the agent of sandbox %s (pid %d) does not die", id, st.PID)
			}
		}
	}
	return killMarked(id)
}

// signal signals the agent and never a process that got its pid later: the descriptor is taken first, then it
// is seen to be the agent's.
func (e *Executor) signal(st state, sig unix.Signal) error {
	fd, err := unix.PidfdOpen(st.PID, 0)
	if err != nil {
		if errors.Is(err, unix.ESRCH) {
			return nil
		}
		return err
	}
	defer unix.Close(fd)
	if !e.alive(st) {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}

// untilGone kills what find returns until it returns nothing.
func untilGone(find func() ([]proc, error)) error {
	pause := time.Millisecond
	for deadline := time.Now().Add(killLimit); ; {
		left, err := find()
		if err != nil {
			return err
		}
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d processes do not die, pid %d is the first of them", len(left), left[0].pid)
		}
		for _, p := range left {
			killProcess(p)
		}
		time.Sleep(pause)
		pause = min(2*pause, 50*time.Millisecond)
	}
}

// killProcess kills this very process.
func killProcess(p proc) {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if again, err := readProcess(p.pid); err == nil && again.start == p.start {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}

// descendants returns the living processes below root.
func descendants(root int) ([]proc, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	children := map[int][]proc{}
	for _, p := range all {
		children[p.parent] = append(children[p.parent], p)
	}
	below := slices.Clone(children[root])
	for i := 0; i < len(below); i++ {
		below = append(below, children[below[i].pid]...)
	}
	return slices.DeleteFunc(below, func(p proc) bool { return p.dead }), nil
}

// killMarked kills every process that bears a sandbox's mark in its environment.
func killMarked(id string) error {
	mark := []byte(sandboxVar + "=" + id)
	err := untilGone(func() ([]proc, error) {
		all, err := processes()
		return slices.DeleteFunc(all, func(p proc) bool { return p.dead || !marked(p.pid, mark) }), err
	})
	if err != nil {
		return fmt.Errorf("killing sandbox %s: %w", id, err)
	}
	return nil
}

func marked(pid int, mark []byte) bool {
	if pid == os.Getpid() {
		return false // a daemon that is itself tested in a sandbox
	}
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return false
	}
	return slices.ContainsFunc(bytes.Split(env, []byte{0}), func(v []byte) bool { return bytes.Equal(v, mark) })
}

// Remove kills what runs, unmounts the workspace and removes what Create made. The caller's own directories stay.
// A sandbox whose state is lost is removed too: it may still have its workspace mounted.
func (e *Executor) Remove(_ context.Context, id string) error {
	defer e.lock(id)()
	st, err := e.load(id)
	switch {
	case errors.Is(err, errNoState):
	case errors.Is(err, runner.ErrNoSandbox):
		return nil
	case err != nil:
		return err
	}
	if err := e.kill(id, st); err != nil {
		return err
	}
	dir := e.SandboxDir(id)
	if err := unmount(filepath.Join(dir, srcDir)); err != nil {
		return fmt.Errorf("removing sandbox %s: %w", id, err)
	}
	// The state goes last: while it is there, a Remove that was interrupted can be repeated.
	for _, name := range []string{srcDir, workDir, homeDir, tmpDir, agentDir, inFIFO, outFIFO, agentLog, stateFile} {
		if err := runner.RemoveTree(filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("removing sandbox %s: %w", id, err)
		}
	}
	return nil
}
