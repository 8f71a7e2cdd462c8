// Package agentbin finds the agent's binary for the architecture of an engine. A binary that `make build` made
// carries the agents for linux/amd64 and linux/arm64; one that `go build` made serves as its own agent where it can.
package agentbin

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"runtime"
)

// ErrNoAgent means that this binary cannot put an agent into a sandbox of that architecture.
var ErrNoAgent = errors.New("this runner binary has no agent")

// Linux returns the agent's static Linux binary for one GOARCH. The bytes must not be changed. The error wraps
// ErrNoAgent and says what to build instead.
func Linux(goarch string) ([]byte, error) {
	if data, err := embedded(goarch); err == nil || !errors.Is(err, ErrNoAgent) {
		return data, err
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != goarch {
		return nil, fmt.Errorf("%w for linux/%s: it was built without the agents and runs on %s/%s itself; use one that make build made",
			ErrNoAgent, goarch, runtime.GOOS, runtime.GOARCH)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("%w: it cannot find its own file: %w", ErrNoAgent, err)
	}
	return static(self)
}

// static reads a binary that runs in an image without libraries.
func static(path string) ([]byte, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: reading %s: %w", ErrNoAgent, path, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return nil, fmt.Errorf("%w: %s needs shared libraries, which the images of jobs may not have; use one that make build made, or build with CGO_ENABLED=0", ErrNoAgent, path)
		}
	}
	return os.ReadFile(path)
}
