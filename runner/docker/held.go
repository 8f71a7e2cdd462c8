package docker

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/system"
)

// droppedCaps are those of the engine's default ones that a job must not have, or has no use for: to forge packets, and to
// make device nodes. AUDIT_WRITE stays, which su and sudo want, and SETFCAP, which packages set on programs of theirs.
var droppedCaps = []string{"NET_RAW", "MKNOD"}

// profileBytes bounds a seccomp profile.
const profileBytes = 1 << 20

// securityOptions are what holds jobs and services beside what the engine does by itself.
func securityOptions(o Options) (opts []string, err error) {
	if o.NoNewPrivileges {
		opts = append(opts, "no-new-privileges")
	}
	if o.Seccomp == "" {
		return opts, nil
	}
	profile, err := os.ReadFile(o.Seccomp)
	if err != nil {
		return nil, fmt.Errorf("reading the seccomp profile: %w", err)
	}
	var like struct {
		DefaultAction string `json:"defaultAction"`
	}
	if json.Unmarshal(profile, &like) != nil || like.DefaultAction == "" || len(profile) > profileBytes {
		return nil, fmt.Errorf("%s is no seccomp profile: expected Docker's form, a JSON object with defaultAction, of at most %d bytes", o.Seccomp, profileBytes)
	}
	return append(opts, "seccomp="+string(profile)), nil
}

// hold keeps a container in what is the same for jobs and services.
func (e *Engine) hold(host *container.HostConfig) {
	host.CapDrop, host.SecurityOpt, host.Runtime = slices.Clone(droppedCaps), slices.Clone(e.held), e.opts.Runtime
}

// checkRuntime wants the configured runtime among the engine's.
func (e *Engine) checkRuntime(info system.Info) error {
	if _, ok := info.Runtimes[e.opts.Runtime]; ok || e.opts.Runtime == "" {
		return nil
	}
	return fmt.Errorf("it has no runtime %q, only %s: install it and name it under runtimes in the engine's daemon.json, or correct runtime in the configuration",
		e.opts.Runtime, strings.Join(slices.Sorted(maps.Keys(info.Runtimes)), ", "))
}

// sayUnheld warns of an engine that does not filter system calls.
func (e *Engine) sayUnheld(info system.Info) {
	if !slices.ContainsFunc(info.SecurityOptions, func(s string) bool { return strings.HasPrefix(s, "name=seccomp") }) {
		e.log.Warn("the engine does not filter the system calls of containers", "hint", "use a kernel and an engine with seccomp")
	}
}
