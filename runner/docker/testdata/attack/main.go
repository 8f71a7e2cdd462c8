//go:build linux

// Command attack tries, from inside a sandbox, what no job may do, and prints what succeeded: nothing.
package main

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call is one system call that must fail. What it is given would be well-formed enough to come to something, or to another
// error than the one that tells of a filter or of a missing capability.
type call struct {
	name string
	nr   uintptr
	args [5]uintptr
}

func text(s string) uintptr {
	b, _ := unix.BytePtrFromString(s)
	return uintptr(unsafe.Pointer(b))
}

func calls() []call {
	key, desc := text("user"), text("runner-attack")
	return []call{
		{"unshare of a user namespace", unix.SYS_UNSHARE, [5]uintptr{unix.CLONE_NEWUSER}},
		{"unshare of a mount namespace", unix.SYS_UNSHARE, [5]uintptr{unix.CLONE_NEWNS}},
		{"unshare of a network", unix.SYS_UNSHARE, [5]uintptr{unix.CLONE_NEWNET}},
		{"clone3", unix.SYS_CLONE3, [5]uintptr{0, 0}},
		{"mount", unix.SYS_MOUNT, [5]uintptr{text("none"), text("/tmp"), text("tmpfs"), 0, 0}},
		{"open_tree", unix.SYS_OPEN_TREE, [5]uintptr{^uintptr(99), text("/"), unix.OPEN_TREE_CLONE}},
		{"fsopen", unix.SYS_FSOPEN, [5]uintptr{text("tmpfs"), 0}},
		{"pivot_root", unix.SYS_PIVOT_ROOT, [5]uintptr{text("/tmp"), text("/tmp")}},
		{"setns", unix.SYS_SETNS, [5]uintptr{0, 0}},
		{"bpf", unix.SYS_BPF, [5]uintptr{0, 0, 0}},
		{"perf_event_open", unix.SYS_PERF_EVENT_OPEN, [5]uintptr{0, 0, 0, 0, 0}},
		{"userfaultfd", unix.SYS_USERFAULTFD, [5]uintptr{0}},
		{"keyctl", unix.SYS_KEYCTL, [5]uintptr{0, ^uintptr(2), 0}},
		{"add_key", unix.SYS_ADD_KEY, [5]uintptr{key, desc, desc, 1, ^uintptr(2)}},
		{"request_key", unix.SYS_REQUEST_KEY, [5]uintptr{key, desc, 0, 0}},
		{"init_module", unix.SYS_INIT_MODULE, [5]uintptr{0, 0, 0}},
		{"finit_module", unix.SYS_FINIT_MODULE, [5]uintptr{0, 0, 0}},
		{"kexec_load", unix.SYS_KEXEC_LOAD, [5]uintptr{0, 0, 0, 0}},
		{"reboot", unix.SYS_REBOOT, [5]uintptr{unix.LINUX_REBOOT_MAGIC1, unix.LINUX_REBOOT_MAGIC2, 0, 0}},
		{"swapon", unix.SYS_SWAPON, [5]uintptr{text("/tmp"), 0}},
		{"acct", unix.SYS_ACCT, [5]uintptr{0}},
		{"sethostname", unix.SYS_SETHOSTNAME, [5]uintptr{text("x"), 1}},
		{"open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT, [5]uintptr{0, text("xxxxxxxxxxxxxxxx"), 0}},
		{"quotactl", unix.SYS_QUOTACTL, [5]uintptr{0, 0, 0, 0}},
	}
}

func main() {
	for _, c := range calls() {
		_, _, errno := unix.Syscall6(c.nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], 0)
		if errno != unix.EPERM && errno != unix.ENOSYS {
			fmt.Printf("%s: %v\n", c.name, errno)
		}
	}
	for name, kind := range map[string][3]int{
		"a raw socket of IPv4": {unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP}, "a raw socket of IPv6": {unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6},
		"a packet socket": {unix.AF_PACKET, unix.SOCK_RAW, 0x0300},
	} {
		if fd, err := unix.Socket(kind[0], kind[1], kind[2]); err == nil {
			fmt.Printf("%s: %d\n", name, fd)
		}
	}
	for _, path := range []string{
		"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/conf/all/rp_filter",
		"/proc/sysrq-trigger", "/proc/kcore", "/proc/irq/default_smp_affinity", "/sys/kernel/uevent_helper", "/sys/fs/cgroup/memory/memory.limit_in_bytes",
		"/sys/fs/cgroup/cgroup.procs", "/sys/power/state",
	} {
		if f, err := os.OpenFile(path, os.O_WRONLY, 0); err == nil && !null(f) {
			fmt.Printf("%s: opened for writing\n", path)
		}
	}
	for _, node := range [][2]uint32{{1, 1}, {8, 0}, {7, 0}, {254, 0}} { // memory, disks, a loop device, a virtual disk
		for name, mode := range map[string]uint32{"character": unix.S_IFCHR, "block": unix.S_IFBLK} {
			if err := unix.Mknod(fmt.Sprintf("node-%s-%d", name, node[0]), mode|0o600, int(unix.Mkdev(node[0], node[1]))); err == nil {
				fmt.Printf("a %s device %d:%d was made\n", name, node[0], node[1])
			}
		}
	}
}

// null tells whether a file is masked by /dev/null.
func null(f *os.File) bool {
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
