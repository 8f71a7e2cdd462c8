package docker

import "github.com/docker/docker/api/types/container"

// engineCaps are what an engine in a sandbox needs, besides what every container has: mounts, networks, device nodes,
// and what it hands on to containers of its own.
var engineCaps = []string{
	"SYS_ADMIN", "NET_ADMIN", "NET_RAW", "MKNOD", "SYS_CHROOT", "SYS_PTRACE", "SYS_NICE", "IPC_LOCK", "DAC_READ_SEARCH", "LEASE",
}

// privileged lifts the isolation of a container: all capabilities, all devices, no seccomp, no masked paths.
//
// The engine refuses that where it lacks a capability itself, as it does in many a virtual machine and container. It
// then grants by name what an engine needs. Control groups are read-only in such a container; its agent, which may
// mount, changes that.
func (e *Engine) privileged(host *container.HostConfig) {
	host.CapDrop, host.SecurityOpt = nil, nil
	if !e.caged.Load() {
		host.Privileged = true
		return
	}
	host.CapAdd = engineCaps
	host.SecurityOpt = []string{"seccomp=unconfined", "apparmor=unconfined", "label=disable"}
	host.MaskedPaths, host.ReadonlyPaths = []string{}, []string{}
	host.DeviceCgroupRules = []string{"a *:* rwm"}
}
