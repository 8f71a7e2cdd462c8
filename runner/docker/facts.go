package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/versions"

	"github.com/runner-ci/runner/runner"
)

// minAPI is the oldest API that has all we use: Docker 20.10's.
const minAPI = "1.41"

// callTimeout bounds a call that an engine in good health answers at once.
const callTimeout = time.Minute

// facts are what an engine can do. They do not change while it runs.
type facts struct {
	goarch   string
	cpus     int
	memory   int64 // bytes of the machine
	cpuQuota bool
	remapped bool   // root in a container is not root on the engine's host
	root     string // the engine's own directory, on its host
}

// negotiate agrees with the engine on the API's version, once per process. The client would do so by itself, but not
// safely when its first calls come at the same time, so every way to the engine leads through here.
func (e *Engine) negotiate(ctx context.Context) error {
	_, err := e.version.get(ctx, func(ctx context.Context) (string, error) {
		short, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		pong, err := e.api.Ping(short)
		if err != nil {
			return "", err
		}
		e.api.NegotiateAPIVersionPing(pong)
		v := e.api.ClientVersion()
		if versions.LessThan(v, minAPI) {
			return "", fmt.Errorf("it speaks API %s, %s or newer is needed: upgrade it to Docker 20.10 or later", v, minAPI)
		}
		return v, nil
	})
	return e.fail(ctx, "reaching it", err)
}

// engineFacts asks the engine once per process.
func (e *Engine) engineFacts(ctx context.Context) (facts, error) {
	if err := e.negotiate(ctx); err != nil {
		return facts{}, err
	}
	f, err := e.facts.get(ctx, func(ctx context.Context) (facts, error) {
		short, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		info, err := e.api.Info(short)
		if err != nil {
			return facts{}, err
		}
		if info.OSType != "linux" {
			return facts{}, fmt.Errorf("it runs %s containers, linux ones are needed", info.OSType)
		}
		if err := e.checkRuntime(info); err != nil {
			return facts{}, err
		}
		e.sayUnheld(info)
		return facts{
			root: info.DockerRootDir, goarch: goarch(info.Architecture), cpus: info.NCPU, memory: info.MemTotal, cpuQuota: info.CPUCfsQuota,
			remapped: slices.ContainsFunc(info.SecurityOptions, func(s string) bool {
				return strings.HasPrefix(s, "name=userns") || strings.HasPrefix(s, "name=rootless")
			}),
		}, nil
	})
	return f, e.fail(ctx, "asking what it can do", err)
}

// Capacity tells what the engine's machine has.
func (e *Engine) Capacity(ctx context.Context) (runner.Capacity, error) {
	f, err := e.engineFacts(ctx)
	return runner.Capacity{CPUs: f.cpus, MemoryBytes: f.memory, Arch: f.goarch}, err
}

// goarch turns the kernel's word for an architecture into Go's.
func goarch(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	case "i386", "i686":
		return "386"
	}
	if strings.HasPrefix(machine, "armv") {
		return "arm"
	}
	return machine
}

// runs tells whether an engine of one architecture starts images of another without emulation.
func runs(engine, image string) bool {
	switch {
	case image == "" || engine == image:
		return true
	case engine == "amd64":
		return image == "386"
	case engine == "arm64":
		return image == "arm"
	}
	return false
}
