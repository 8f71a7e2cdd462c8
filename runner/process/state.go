//go:build linux

package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/runner-ci/runner/runner"
)

// state is what is kept about a sandbox's process, in process.json.
type state struct {
	Instance string    `json:"instance"`
	Engine   string    `json:"engine"`
	Boot     string    `json:"boot"`
	PID      int       `json:"pid,omitempty"`   // 0 until the agent was started
	Start    uint64    `json:"start,omitempty"` // in clock ticks since boot: with the pid it names one process
	Started  time.Time `json:"started,omitzero"`
	Ended    time.Time `json:"ended,omitzero"` // set by the daemon that saw the end
	ExitCode int       `json:"exitCode,omitempty"`
}

const stateFile = "process.json"

// errNoState is what an unknown sandbox comes to that is no other daemon's.
var errNoState = fmt.Errorf("%w: it has no %s", runner.ErrNoSandbox, stateFile)

// load reads the state of a sandbox of this daemon. Any other is not known.
func (e *Executor) load(id string) (state, error) {
	var st state
	if id == "" || filepath.Base(id) != id || strings.HasPrefix(id, ".") {
		return st, fmt.Errorf("sandbox %q: %w", id, runner.ErrNoSandbox)
	}
	text, err := os.ReadFile(filepath.Join(e.SandboxDir(id), stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return st, fmt.Errorf("sandbox %s: %w", id, errNoState)
	}
	if err != nil {
		return st, fmt.Errorf("reading the state of sandbox %s: %w", id, err)
	}
	if err := json.Unmarshal(text, &st); err != nil {
		return st, fmt.Errorf("reading the state of sandbox %s: %w", id, err)
	}
	if st.Instance != e.opts.Instance || st.Engine != e.opts.Engine {
		return st, fmt.Errorf("sandbox %s belongs to another daemon: %w", id, runner.ErrNoSandbox)
	}
	return st, nil
}

// save replaces the state at once, so that a crash leaves the former or the new one.
func (e *Executor) save(id string, st state) error {
	text, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("recording sandbox %s: %w", id, err)
	}
	path := filepath.Join(e.SandboxDir(id), stateFile)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return fmt.Errorf("recording sandbox %s: %w", id, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("recording sandbox %s: %w", id, err)
	}
	return nil
}

// alive tells whether the very process that was started still runs.
func (e *Executor) alive(st state) bool {
	if st.PID == 0 || st.Boot != e.boot {
		return false
	}
	p, err := readProcess(st.PID)
	return err == nil && p.start == st.Start && !p.dead
}

// proc is what /proc tells about a process.
type proc struct {
	pid, parent int
	start       uint64
	dead        bool // a zombie, or less
}

func readProcess(pid int) (proc, error) {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return proc{}, err
	}
	// "pid (name) state ppid …": the name may hold anything, so fields are counted from its end.
	text := string(stat)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	const startField = 19
	if len(fields) <= startField {
		return proc{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	p := proc{pid: pid, dead: strings.ContainsAny(fields[0], "ZX")}
	p.parent, err = strconv.Atoi(fields[1])
	if err != nil {
		return p, err
	}
	p.start, err = strconv.ParseUint(fields[startField], 10, 64)
	return p, err
}

// processes returns all processes of the host.
func processes() ([]proc, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all []proc
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, err := readProcess(pid); err == nil {
			all = append(all, p)
		}
	}
	return all, nil
}

func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("reading the id of this boot: %w", err)
	}
	return strings.TrimSpace(string(id)), nil
}
