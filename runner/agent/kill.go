//go:build linux

package agent

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// unkillable bounds how long the agent waits for processes that KILL does not end, because the kernel holds them.
const unkillable = 5 * time.Second

// endAll ends every process of the job: TERM, and KILL to those that are left after the grace.
func endAll(grace time.Duration) {
	if !signalAll(syscall.SIGTERM) {
		return
	}
	signalAll(syscall.SIGCONT) // a stopped process does not see TERM
	if waitGone(grace, nil) {
		return
	}
	waitGone(unkillable, func() { signalAll(syscall.SIGKILL) })
}

// endRest ends what a job that is over left running, which is mostly nothing.
func endRest() {
	if anyLeft() {
		endAll(backgroundGrace)
	}
}

// anyLeft tells cheaply whether there may be a process of the job left: each is a child of ours, or has an ancestor
// that is.
func anyLeft() bool {
	if os.Getpid() == 1 {
		return signalAll(0)
	}
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(tasks) == 0 {
		return true // a kernel without that list
	}
	for _, task := range tasks {
		if children, err := os.ReadFile(task); err == nil && len(bytes.TrimSpace(children)) > 0 {
			return true
		}
	}
	return false
}

// waitGone waits until no process is left, and calls again each time it finds some.
func waitGone(limit time.Duration, again func()) bool {
	pause := time.Millisecond
	for start := time.Now(); ; {
		if again != nil {
			again()
		}
		if !anyLeft() {
			return true
		}
		left := limit - time.Since(start)
		if left <= 0 {
			return false
		}
		time.Sleep(min(pause, left))
		pause = min(2*pause, 20*time.Millisecond)
	}
}

// signalAll signals every process but our own, and tells whether there was one.
func signalAll(sig syscall.Signal) bool {
	if os.Getpid() == 1 {
		return syscall.Kill(-1, sig) == nil
	}
	any := false
	for _, pid := range descendants(os.Getpid()) {
		any = syscall.Kill(pid, sig) == nil || any
	}
	return any
}

// descendants returns the living processes below root. Orphans are among them, because we are their subreaper.
func descendants(root int) []int {
	children := map[int][]int{}
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if parent, alive := parentOf(name); alive {
			children[parent] = append(children[parent], pid)
		}
	}
	all := []int{root}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all[1:]
}

// parentOf reads a process's parent. A zombie does not count as alive.
func parentOf(pid string) (parent int, alive bool) {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0, false
	}
	// "pid (name) state parent …": the name may hold anything, parentheses too.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 || fields[0][0] == 'Z' || fields[0][0] == 'X' {
		return 0, false
	}
	parent, err = strconv.Atoi(string(fields[1]))
	return parent, err == nil
}
