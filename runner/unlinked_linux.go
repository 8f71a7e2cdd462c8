package runner

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unlinkedName stands for files without a name.
const unlinkedName = "removed files that processes still have open"

// maxUnlinked bounds how many descriptors and mappings one measurement looks at: a job can have millions, and the processes
// are looked at in another order each time.
const maxUnlinked = 200_000

// unlinked gathers what files without a name take, in bytes.
type unlinked struct {
	opened map[inode]int64
	mapped map[uint64]int64 // by number alone: some kernels tell of a mapped file as one of the file system below
	left   int
}

type inode struct{ dev, number uint64 }

// addTo counts each file once.
func (m *unlinked) addTo(u *diskUse) {
	most := make(map[uint64]int64)
	for file, bytes := range m.opened {
		u.add(unlinkedName, bytes)
		most[file.number] = max(most[file.number], bytes)
	}
	for number, bytes := range m.mapped {
		if known, opened := most[number]; !opened || bytes > known {
			u.add(unlinkedName, bytes-known)
		}
	}
}

// measureUnlinked counts the files that processes of the containers have open, or have mapped, and that have no name any
// more: no walk finds them. pids are the first processes of the containers; what shares a namespace of processes with one
// counts. What is on its way from one process to another over a socket does not.
func (u *diskUse) measureUnlinked(pids []int) {
	spaces := make(map[string]bool)
	for _, pid := range pids {
		if ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid)); err == nil {
			spaces[ns] = true
		}
	}
	if own, err := os.Readlink("/proc/self/ns/pid"); err != nil || len(spaces) == 0 || spaces[own] {
		return
	}
	names := namesIn("/proc")
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	m := unlinked{opened: make(map[inode]int64), mapped: make(map[uint64]int64), left: maxUnlinked}
	defer m.addTo(u)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if ns, err := os.Readlink(filepath.Join("/proc", name, "ns/pid")); err == nil && spaces[ns] {
			m.process(pid)
		}
	}
}

// process gathers what one process has. Its threads may have descriptors of their own, and its first may have ended.
func (m *unlinked) process(pid int) {
	dir, former, mapped := fmt.Sprintf("/proc/%d", pid), pid, false
	for _, name := range namesIn(filepath.Join(dir, "task")) {
		task, err := strconv.Atoi(name)
		if err != nil || task != pid && (sameFiles(pid, task) || sameFiles(former, task)) {
			continue
		}
		former = task
		m.descriptors(filepath.Join(dir, "task", name, "fd"))
		mapped = mapped || m.mappings(dir, filepath.Join(dir, "task", name, "maps"))
	}
}

// sameFiles tells whether two threads share their descriptors. Where the kernel does not tell, they do not.
func sameFiles(a, b int) bool {
	const files = 2 // KCMP_FILES
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), files, 0, 0, 0)
	return errno == 0 && order == 0
}

func (m *unlinked) descriptors(dir string) {
	for _, fd := range namesIn(dir) {
		if m.left--; m.left < 0 {
			return
		}
		if st, bytes := nameless(filepath.Join(dir, fd)); bytes >= 0 {
			m.opened[inode{st.Dev, st.Ino}] = bytes
		}
	}
}

// mappings gathers what a process has mapped of files without a name. It tells whether the process has a memory at all.
func (m *unlinked) mappings(proc, maps string) (any bool) {
	f, err := os.Open(maps)
	if err != nil {
		return false
	}
	defer f.Close()
	// 7f3a5c000000-7f3a5c021000 rw-s 00000000 fe:00 247278    /src/file (deleted)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		any = true
		if m.left--; m.left < 0 {
			return any
		}
		if line := lines.Text(); strings.HasSuffix(line, " (deleted)") {
			where, _, _ := strings.Cut(line, " ")
			m.mapping(proc, where)
		}
	}
	return any
}

func (m *unlinked) mapping(proc, where string) {
	var from, to uint64
	if _, err := fmt.Sscanf(where, "%x-%x", &from, &to); err != nil {
		return
	}
	if st, bytes := nameless(filepath.Join(proc, "map_files", fmt.Sprintf("%x-%x", from, to))); bytes >= 0 {
		m.mapped[st.Ino] = max(m.mapped[st.Ino], bytes)
	}
}

// nameless tells what a regular file without a name takes of the disk; less than nothing where it is none.
func nameless(path string) (st unix.Stat_t, bytes int64) {
	if unix.Stat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Nlink > 0 || onTmpfs(path) {
		return st, -1
	}
	return st, st.Blocks * 512
}

// namesIn are the names in a directory; none where it cannot be read.
func namesIn(dir string) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	return names
}
