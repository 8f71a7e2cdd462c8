//go:build linux

package agent

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// spareThreads is how many threads the agent has ready. It needs one for each of its goroutines that waits in the kernel;
// the runtime ends the whole process when it cannot start another, which a job that has as many processes as it may would
// bring about.
const spareThreads = 12

// spareOnce makes the threads while there is room: each waits in the kernel until all do, and is kept by the runtime.
var spareOnce = sync.OnceFunc(func() {
	spare := spareThreads
	if most := mostProcesses(cgroupRoot); most > 0 {
		spare = min(spare, most/4)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return
	}
	defer w.Close()
	fd := int(r.Fd()) // which makes it block
	var all, begun sync.WaitGroup
	begun.Add(spare)
	for range spare {
		all.Go(func() {
			var b [1]byte
			begun.Done()
			_, _ = syscall.Read(fd, b[:])
		})
	}
	begun.Wait()
	for range spare {
		_, _ = w.Write([]byte{0})
	}
	all.Wait()
	r.Close()
})

// mostProcesses is the limit of processes and threads of this sandbox; 0: there is none, or it is not known.
func mostProcesses(root string) int {
	for _, name := range []string{"pids.max", "pids/pids.max"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			continue
		}
		n, _ := strconv.Atoi(strings.TrimSpace(string(text))) // "max" is no number
		return n
	}
	return 0
}
