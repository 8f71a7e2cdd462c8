//go:build linux

package agent

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

const cgroupRoot = "/sys/fs/cgroup"

// openCgroups lets an engine in this sandbox make control groups, which it does for each of its containers. Only the
// kernel of a privileged sandbox allows it: elsewhere nothing changes. It must be called before there are other
// processes, and acts on a sandbox of its own alone.
func openCgroups() {
	if os.Getpid() != 1 {
		return
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return
	}
	for _, dir := range readOnlyCgroups(string(text)) {
		const flags = syscall.MS_REMOUNT | syscall.MS_BIND | syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC | syscall.MS_RELATIME
		if syscall.Mount("", dir, "", flags, "") != nil {
			return
		}
	}
	nestCgroups(cgroupRoot)
}

// readOnlyCgroups returns where control groups are mounted without the right to write.
func readOnlyCgroups(mountinfo string) (dirs []string) {
	for line := range strings.Lines(mountinfo) {
		mount, kind, found := strings.Cut(line, " - ")
		fields := strings.Fields(mount)
		if !found || len(fields) < 6 || !strings.HasPrefix(kind, "cgroup") {
			continue
		}
		if strings.HasPrefix(fields[5]+",", "ro,") {
			dirs = append(dirs, fields[4])
		}
	}
	return dirs
}

// nestCgroups moves this process out of the way in a unified hierarchy: a group that has processes of its own cannot
// hand its controllers on.
func nestCgroups(root string) {
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return // no unified hierarchy
	}
	own := filepath.Join(root, "init")
	if os.Mkdir(own, 0o755) != nil || os.WriteFile(filepath.Join(own, "cgroup.procs"), []byte("1"), 0o644) != nil {
		return
	}
	for name := range strings.FieldsSeq(string(controllers)) {
		// One at a time: a controller that cannot be handed on would keep the others back.
		_ = os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+name), 0o644)
	}
}
