//go:build linux

package agent

import (
	"os"
	"testing"
)

func TestThreadsAreReadyBeforeTheyAreNeeded(t *testing.T) {
	if most := mostProcesses(cgroupRoot); most > 0 && most/4 < spareThreads {
		t.Skipf("at most %d processes may be here", most)
	}
	spareOnce()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	if len(tasks) < spareThreads {
		t.Errorf("the process has %d threads, want %d or more", len(tasks), spareThreads)
	}
}
