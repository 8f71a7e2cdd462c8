//go:build linux

package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"github.com/runner-ci/runner/runner/wire"
)

// hits is how often the kernel kept the sandbox within its limits.
type hits struct {
	pids int64 // times that there could be no further process
	oom  int64 // processes that were killed for lack of memory
}

// hitFiles are where control groups of both versions tell it, as a sandbox of its own sees them.
var hitFiles = struct{ pids, oom []string }{
	pids: []string{"pids.events", "pids/pids.events"},
	oom:  []string{"memory.events", "memory/memory.oom_control"},
}

// kernelHits reads them. Where the agent is not alone in its control group, as on a host, there are none to read.
func kernelHits() hits {
	if os.Getpid() != 1 {
		return hits{}
	}
	return hits{
		pids: eventCount(cgroupRoot, hitFiles.pids, "max"),
		oom:  eventCount(cgroupRoot, hitFiles.oom, "oom_kill"),
	}
}

// eventCount reads the line "name N" of the first file that is there.
func eventCount(root string, files []string, name string) int64 {
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if count, found := strings.CutPrefix(line, name+" "); found {
				n, _ := strconv.ParseInt(strings.TrimSpace(count), 10, 64)
				return n
			}
		}
	}
	return 0
}

// fileTooLarge is the exit status of a program that the kernel ended (XFSZ) because a file would have become too large.
const fileTooLarge = 128 + int(syscall.SIGXFSZ)

// whyFailed names what a command failed of, as far as that can be told from outside: a limit that was met while it ran,
// or else its own doing; with what to do about it.
func (p *phases) whyFailed(exit int) (reason, why string) {
	now := kernelHits()
	switch {
	case exit == fileTooLarge && p.job.Limits.FileBytes > 0:
		return wire.ReasonDisk, fmt.Sprintf(": a file would have become larger than %d bytes, which is limits.disk of the project; raise it, or let the build make smaller files (holes count)", p.job.Limits.FileBytes)
	case now.oom > p.before.oom:
		return wire.ReasonOOM, ": the kernel killed a process for lack of memory: raise limits.memory of the project, or let the build use less"
	case now.pids > p.before.pids:
		return wire.ReasonPIDs, ": there were as many processes and threads as limits.pids of the project allows, so no further one could begin: raise it, or let the build run fewer at once"
	}
	return "command_failed", hint(exit, p.shell.name)
}

// limitFiles bounds the size of the files that a shell's processes make. Holes count, since who copies or packs the file
// does not see them. It returns a line for the shell to do it where the kernel lets nobody else: of another user's.
func limitFiles(pid int, bytes int64) string {
	if bytes <= 0 {
		return ""
	}
	limit := syscall.Rlimit{Cur: uint64(bytes), Max: uint64(bytes)}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_FSIZE, uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	if errno == 0 {
		return ""
	}
	const block = 512 // bash has larger ones, unless it is called sh
	return fmt.Sprintf("ulimit -f %d 2>/dev/null || :\n", (bytes+block-1)/block)
}

// goFirst has the kernel end a job's processes before the agent when memory runs out: without it nobody could say how the
// job ended. What a process starts is like it.
func goFirst(pid int) {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("1000"), 0)
}
