//go:build linux

package agent

import (
	"slices"
	"testing"
)

func TestReadOnlyCgroups(t *testing.T) {
	const mountinfo = `745 744 0:60 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
746 745 0:61 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,mode=755
747 746 0:29 /docker/1 /sys/fs/cgroup/cpu ro,nosuid,nodev,noexec,relatime master:9 - cgroup cgroup rw,cpu
748 746 0:30 /docker/1 /sys/fs/cgroup/pids rw,nosuid,nodev,noexec,relatime master:10 - cgroup cgroup rw,pids
749 746 0:31 / /sys/fs/cgroup/unified ro - cgroup2 cgroup2 rw
damaged
`
	want := []string{"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/unified"}
	if got := readOnlyCgroups(mountinfo); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
