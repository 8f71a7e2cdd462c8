//go:build linux

package agent

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"github.com/runner-ci/runner/runner/wire"
)

// fileTooLarge is the exit status of a program that the kernel ended (XFSZ) because a file would have become too large.
const fileTooLarge = 128 + int(syscall.SIGXFSZ)

// metLimit names the limit that a command failed of, as far as that can be told from outside, and says what to do about it.
func (p *phases) metLimit(exit int) (reason, advice string) {
	if exit == fileTooLarge && p.job.Limits.FileBytes > 0 {
		return wire.ReasonDisk, fmt.Sprintf("a file would have become larger than %d bytes, which is limits.disk of the project: raise it, or let the build make smaller files (holes count)", p.job.Limits.FileBytes)
	}
	return p.strained.cause()
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
