package daemon

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/runner-ci/runner/scheduler"
)

const (
	// warmDisk is the free space below which no sandbox waits for a job: jobs that run need what is left.
	warmDisk = 8 * reserveBytes
	// warmMemory is the memory at hand below which none waits.
	warmMemory = 256 << 20
)

// room is what the machine has left for sandboxes that wait for a job.
func (p *parts) room() (r scheduler.Room) {
	if r.Short = p.space.reason(); r.Short != "" {
		return r
	}
	if free, err := freeBytes(p.layout.data); err == nil && free < warmDisk {
		r.Short = fmt.Sprintf("less than %d MiB are free below the data directory", warmDisk>>20)
		return r
	}
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return r
	}
	if r.Memory = available(string(text)); r.Memory > 0 && r.Memory < warmMemory {
		r.Short = fmt.Sprintf("less than %d MiB of memory are available", warmMemory>>20)
	}
	return r
}

// available is the kernel's estimate of the memory that can be had without swapping, 0 where there is none.
func available(meminfo string) int64 {
	for line := range strings.Lines(meminfo) {
		if rest, found := strings.CutPrefix(line, "MemAvailable:"); found {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}
