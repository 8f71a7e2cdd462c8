package docker

import (
	"math"

	"github.com/docker/docker/api/types/container"

	"github.com/runner-ci/runner/runner"
)

const (
	// cpuShares is half of what every other process group on a machine has by default, the daemon's among them.
	cpuShares = 512

	// oomScore makes the kernel, when the whole machine runs out of memory, take a job before it takes a service.
	oomScore = 500

	// shmBytes fits a browser, whose tests crash on the engine's default of 64 MiB. It counts as the job's memory.
	shmBytes = 1 << 30

	// agentTmpfs are the mount options of the two directories that the agent writes to besides the spool: its tools,
	// which are on PATH, and its scripts.
	agentTmpfs = "rw,exec,nosuid,nodev,mode=755,size=64m"
)

// containerConfig is the container of a sandbox: the agent as process 1, as root, whatever the image would run.
func (e *Engine) containerConfig(spec runner.SandboxSpec, mode workspace) *container.Config {
	labels := e.labels(spec.ID, mode)
	if e.wires(spec, mode) {
		labels[LabelWired] = e.networkName()
	}
	if spec.Network != runner.NetworkOpen {
		labels[LabelReach] = string(spec.Network)
	}
	return &container.Config{
		Image:       spec.Image.ID,
		Entrypoint:  []string{agentPath},
		User:        "0:0",
		WorkingDir:  sourceDir,
		Env:         e.environment(spec.Env),
		OpenStdin:   true, // and StdinOnce false: the agent outlives who speaks to it
		Labels:      labels,
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}}, // the image's would run beside the job
	}
}

// hostConfig is what the engine grants a sandbox. A seccomp profile and masked paths apply, except to a privileged one.
// Privileges may still be gained by setuid programs, unless the configuration says otherwise: builds use sudo.
func (e *Engine) hostConfig(spec runner.SandboxSpec, mode workspace, f facts, a *agentBinary) (*container.HostConfig, error) {
	mounts, err := e.mounts(spec, mode, a)
	if err != nil {
		return nil, err
	}
	host := &container.HostConfig{
		Mounts:      mounts,
		Tmpfs:       map[string]string{toolsDir: agentTmpfs, tempDir: agentTmpfs},
		NetworkMode: container.NetworkMode(e.networkOf(spec, mode)),
		IpcMode:     container.IPCModePrivate,
		LogConfig:   container.LogConfig{Type: "none"},
		OomScoreAdj: oomScore,
		ShmSize:     shmSize(spec.Limits.MemoryBytes),
		Resources:   resources(spec.Limits, f),
	}
	host.DNS = nameless(spec)
	e.hold(host)
	if spec.Privileged {
		e.privileged(host)
	}
	return host, nil
}

// resources are the limits. That of open files is the engine's own: asking for another fails where the engine itself
// may have fewer, and a process inside can lower it.
func resources(l runner.Limits, f facts) container.Resources {
	res := container.Resources{
		CPUShares:  cpuShares,
		Memory:     l.MemoryBytes,
		MemorySwap: l.MemoryBytes, // both together: no swap
	}
	if l.CPUs > 0 && f.cpuQuota {
		// Engines refuse more than they have, and less than a hundredth.
		res.NanoCPUs = int64(math.Round(max(0.01, min(l.CPUs, float64(f.cpus))) * 1e9))
	}
	if l.PIDs > 0 {
		res.PidsLimit = &l.PIDs
	}
	return res
}

// shmSize leaves at least half of a small memory limit to processes.
func shmSize(memory int64) int64 {
	if memory <= 0 {
		return shmBytes
	}
	return min(shmBytes, memory/2)
}
