//go:build linux

package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/runner"
)

// sandboxVar marks every process of a sandbox, so that those which slipped away from the agent are found too.
const sandboxVar = "RUNNER_SANDBOX"

// Create lays the workspace out and starts the agent. The state is written before anything else, so that Remove
// finds what a daemon that died left half-made.
func (e *Executor) Create(_ context.Context, spec runner.SandboxSpec) error {
	defer e.lock(spec.ID)()
	dir := e.SandboxDir(spec.ID)
	if filepath.Clean(spec.Dir) != dir {
		return fmt.Errorf("creating sandbox %s: its directory is %s, expected %s", spec.ID, spec.Dir, dir)
	}
	if err := checkSpec(spec); err != nil {
		return fmt.Errorf("creating sandbox %s: %w", spec.ID, err)
	}
	st, err := e.load(spec.ID)
	switch {
	case err == nil && st.PID != 0:
		return nil // made before; whether it still runs is for Inspect
	case err != nil && !errors.Is(err, runner.ErrNoSandbox):
		return err
	}
	if err == nil { // a daemon died in here: an agent that it started may wait already
		if err := killMarked(spec.ID); err != nil {
			return err
		}
	}
	st = state{Instance: e.opts.Instance, Engine: e.opts.Engine, Boot: e.boot}
	if err := e.save(spec.ID, st); err != nil {
		return err
	}
	if err := layOut(spec, dir); err != nil {
		return fmt.Errorf("creating sandbox %s: %w", spec.ID, err)
	}
	cmd, err := e.startAgent(spec, dir)
	if err != nil {
		return fmt.Errorf("creating sandbox %s: starting the agent: %w", spec.ID, err)
	}
	p, err := readProcess(cmd.Process.Pid)
	if err != nil {
		return errors.Join(fmt.Errorf("creating sandbox %s: %w", spec.ID, err), cmd.Process.Kill(), cmd.Wait())
	}
	st.PID, st.Start, st.Started = cmd.Process.Pid, p.start, now()
	if err := e.save(spec.ID, st); err != nil {
		return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	go e.await(spec.ID, st, cmd)
	return nil
}

// checkSpec refuses what only an isolating executor can do.
func checkSpec(spec runner.SandboxSpec) error {
	switch {
	case spec.Network != runner.NetworkOpen:
		return &runner.NetworkError{Network: spec.Network, Reason: "this engine runs jobs on the host itself; run the job on an engine of type docker"}
	case spec.Privileged:
		return errors.New("privileged jobs need a container of their own, and this engine runs jobs on the host itself: " +
			"run the job on an engine of type docker, or leave privileged-mode out")
	case len(spec.Services) > 0:
		return fmt.Errorf("services (the first is %q) are containers, and this engine runs jobs on the host itself: "+
			"run the job on an engine of type docker, or start the service in the job's commands", spec.Services[0].Name)
	}
	for _, m := range spec.Mounts {
		if m.Source != m.Target {
			return fmt.Errorf("the host's %s cannot be shown as %s to a job that runs on the host itself: make both paths the same, or run such jobs in Docker", m.Source, m.Target)
		}
	}
	return nil
}

// startAgent starts the agent detached: a session of its own, nothing of ours inherited.
func (e *Executor) startAgent(spec runner.SandboxSpec, dir string) (*exec.Cmd, error) {
	complaints, err := os.OpenFile(filepath.Join(dir, agentLog), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer complaints.Close()
	args := append(e.opts.AgentArgs[:len(e.opts.AgentArgs):len(e.opts.AgentArgs)],
		"-spool", filepath.Join(dir, spoolDir), "-home", filepath.Join(dir, agentDir),
		"-in", filepath.Join(dir, inFIFO), "-out", filepath.Join(dir, outFIFO))
	cmd := exec.Command(e.opts.AgentPath, args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = complaints, complaints
	cmd.Env = environment(spec, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// The agent waits for its job, so the limit is there before the first command.
	if limit := uint64(spec.Limits.MemoryBytes); limit > 0 {
		rlimit := &unix.Rlimit{Cur: limit, Max: limit}
		if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_DATA, rlimit, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("limiting memory: %w", err), cmd.Process.Kill(), cmd.Wait())
		}
	}
	return cmd, nil
}

// environment is what the job finds besides its own variables: the admin's, and the little that every login has.
func environment(spec runner.SandboxSpec, dir string) []string {
	env := []string{
		"HOME=" + filepath.Join(dir, homeDir),
		"TMPDIR=" + filepath.Join(dir, tmpDir),
	}
	for _, name := range []string{"PATH", "USER", "LOGNAME", "LANG", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	env = append(env, spec.Env...)
	return append(env, sandboxVar+"="+spec.ID)
}

// await reaps the agent and records how it ended.
func (e *Executor) await(id string, st state, cmd *exec.Cmd) {
	_ = cmd.Wait() // the status is read below, whatever it is
	defer e.lock(id)()
	current, err := e.load(id)
	if err != nil || current.PID != st.PID || current.Start != st.Start {
		return // removed meanwhile
	}
	current.Ended, current.ExitCode = now(), cmd.ProcessState.ExitCode()
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		current.ExitCode = 128 + int(ws.Signal())
	}
	_ = e.save(id, current) // without it Inspect says -1
}

// layOut makes the sandbox's directories, FIFOs and workspace. What is there already stays.
func layOut(spec runner.SandboxSpec, dir string) error {
	for _, name := range []string{homeDir, tmpDir, agentDir} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	for _, name := range []string{inFIFO, outFIFO} {
		path := filepath.Join(dir, name)
		if err := unix.Mkfifo(path, 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
			return &fs.PathError{Op: "mkfifo", Path: path, Err: err}
		}
	}
	return makeWorkspace(spec.Tree, dir)
}
