//go:build linux

package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/runner-ci/runner/runner/wire"
)

// strain is what the kernel has refused the processes of this sandbox so far, as its control groups count it. A shell
// survives what kills or refuses its children, so only the counters tell.
type strain struct {
	killed  uint64 // processes, for lack of memory
	refused uint64 // forks, because there were as many processes as may be
}

// sandboxStrain reads the counters. Where the agent is not alone in its control group, as on a host, there are none to read.
func sandboxStrain() strain {
	if os.Getpid() != 1 {
		return strain{}
	}
	return readStrain(cgroupRoot)
}

// readStrain reads the counters of a unified hierarchy, or of the controllers' own ones. What a kernel does not count is 0.
func readStrain(root string) strain {
	s := strain{
		killed:  counter(filepath.Join(root, "memory.events"), "oom_kill"),
		refused: counter(filepath.Join(root, "pids.events"), "max"),
	}
	return strain{
		killed:  max(s.killed, counter(filepath.Join(root, "memory", "memory.oom_control"), "oom_kill")),
		refused: max(s.refused, counter(filepath.Join(root, "pids", "pids.events"), "max")),
	}
}

// counter reads one number of a file whose lines are a name and a number.
func counter(path, name string) uint64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if k, v, _ := strings.Cut(strings.TrimSpace(line), " "); k == name {
			n, _ := strconv.ParseUint(v, 10, 64)
			return n
		}
	}
	return 0
}

// since is what came to it after a former look.
func (s strain) since(before strain) strain {
	return strain{s.killed - min(s.killed, before.killed), s.refused - min(s.refused, before.refused)}
}

// cause names the limit that a command met, which failed meanwhile, and says what to do; both are empty when it met none.
func (s strain) cause() (reason, advice string) {
	switch {
	case s.killed > 0:
		return wire.ReasonOOM, "the kernel killed a process for lack of memory: raise limits.memory of the project, or let the build use less"
	case s.refused > 0:
		return wire.ReasonPIDs, "the limit of processes was reached and a new one refused: raise limits.pids of the project, or let the build start fewer at once"
	}
	return "", ""
}

// outOfProcesses tells whether the agent could not start a process because the job has as many as it may: no fault of the
// machine's.
func (p *phases) outOfProcesses(err error) bool {
	return errors.Is(err, syscall.EAGAIN) && sandboxStrain().since(p.unstrained).refused > 0
}

// endedByProcesses is the result of a job that left no room for its own shell.
func endedByProcesses(phase string) wire.Done {
	reason, advice := strain{refused: 1}.cause()
	return wire.Done{Status: wire.StatusFailed, Reason: reason, Phase: phase, Message: "no shell could be started for the next command: " + advice}
}
