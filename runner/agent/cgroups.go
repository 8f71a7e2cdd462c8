//go:build linux

package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// nestCgroups lets an engine inside the sandbox make cgroups with controllers. The second version of cgroups gives
// them only to groups whose own processes are in none but leaves, so all processes move into a leaf. It is done only
// in a cgroup namespace of the sandbox's own: what self tells is the root then.
func nestCgroups(root, self string) error {
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the first version, where this needs nothing
	}
	own, err2 := os.ReadFile(self)
	if err := errors.Join(err, err2); err != nil {
		return fmt.Errorf("reading the sandbox's cgroup: %w", err)
	}
	if strings.TrimSpace(string(own)) != "0::/" {
		return nil
	}
	leaf := filepath.Join(root, "init")
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making a cgroup for the sandbox's processes: %w", err)
	}
	if err := moveProcesses(filepath.Join(root, "cgroup.procs"), filepath.Join(leaf, "cgroup.procs")); err != nil {
		return err
	}
	var failed []error
	for _, controller := range strings.Fields(string(controllers)) {
		// One by one, because one that cannot be had would keep the others.
		if err := writeControl(filepath.Join(root, "cgroup.subtree_control"), "+"+controller); err != nil {
			failed = append(failed, fmt.Errorf("passing the controller %s on: %w", controller, err))
		}
	}
	return errors.Join(failed...)
}

// moveProcesses moves all processes of one cgroup into another. Those that end meanwhile need not be moved.
func moveProcesses(from, to string) error {
	pids, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("reading the sandbox's processes: %w", err)
	}
	for pid := range bytes.FieldsSeq(pids) {
		if err := writeControl(to, string(pid)); err != nil {
			if _, gone := os.Stat("/proc/" + string(pid)); gone == nil {
				return fmt.Errorf("moving process %s: %w", pid, err)
			}
		}
	}
	return nil
}

// writeControl writes one line to a file of the kernel's, which takes a line a write.
func writeControl(path, line string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}
