package scheduler

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
)

// jobLimits are the limits of a job's container, and of each of its services: those of its project, lowered to what
// its compute type has, and that lowered to what the engine's machine has. Capped tells that the machine has less than
// the compute type.
func jobLimits(l config.Limits, pj *buildspec.Job, has runner.Capacity) (out runner.Limits, capped bool) {
	out = runner.Limits{CPUs: l.CPUs, MemoryBytes: l.MemoryBytes, PIDs: l.PIDs, DiskBytes: l.DiskBytes, Files: l.Files}
	c, known := buildspec.ComputeOf(pj.Compute)
	if !known {
		return out, false
	}
	cpus, memory := c.CPUs, c.MemoryBytes
	if has.CPUs > 0 && cpus > float64(has.CPUs) {
		cpus, capped = float64(has.CPUs), true
	}
	if has.MemoryBytes > 0 && memory > has.MemoryBytes {
		memory, capped = has.MemoryBytes, true
	}
	out.CPUs, out.MemoryBytes = lower(l.CPUs, cpus), lower(l.MemoryBytes, memory)
	return out, capped
}

// lower returns the lower of two limits, of which zero is none.
func lower[T int64 | float64](a, b T) T {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// warnOfCompute tells, once a type, where jobs get less than their compute type says.
func warnOfCompute(l config.Limits, b *Build, engine string, has runner.Capacity) {
	told := make(map[string]bool)
	for i := range b.Plan.Jobs {
		pj := &b.Plan.Jobs[i]
		if pj.Compute == "" || told[pj.Compute] {
			continue
		}
		told[pj.Compute] = true
		if _, capped := jobLimits(l, pj, has); capped {
			c, _ := buildspec.ComputeOf(pj.Compute)
			b.Warnings = append(b.Warnings, fmt.Sprintf(
				"compute-type %s has %g CPUs and %d GiB of memory; engine %s has %d and %d GiB, and its jobs get no more than that",
				pj.Compute, c.CPUs, c.MemoryBytes>>30, engine, has.CPUs, has.MemoryBytes>>30))
		}
	}
}

// Reasons of jobs that are refused before they start.
const (
	reasonPrivileged  = "privileged"
	reasonEnvironment = "environment_type"
	reasonShell       = "shell"
	reasonNetwork     = "network"
)

// refusal tells why a job cannot run here. Its reason is empty when it can.
func refusal(p *Project, b *Build, pj *buildspec.Job, network runner.Network, engine string, has runner.Capacity) (reason, message string) {
	switch kind := pj.EnvType; {
	case pj.Privileged && b.Fork:
		return reasonPrivileged, fmt.Sprintf("%s asks for privileged-mode, which a pull request from a fork never gets: it would be root on the machine", pj.Name)
	case pj.Privileged && !p.Privileged:
		return reasonPrivileged, fmt.Sprintf("%s asks for privileged-mode, which project %q does not permit; set privileged: true for it (runner run --privileged) where everybody whose builds it runs may be root on the machine", pj.Name, p.Name)
	case pj.Privileged && network != runner.NetworkOpen:
		return reasonNetwork, fmt.Sprintf("%s asks for privileged-mode, and its network is %s: no network can be kept from root on the machine; let the project have network: open, or take privileged-mode out", pj.Name, network)
	case buildspec.ForeignType(kind):
		return reasonEnvironment, fmt.Sprintf("%s asks for the environment type %s, and engine %s runs Linux containers; use LINUX_CONTAINER or ARM_CONTAINER, or take the job out", pj.Name, kind, engine)
	case strings.HasPrefix(kind, "ARM_") && has.Arch != "" && has.Arch != "arm64":
		return reasonEnvironment, fmt.Sprintf("%s asks for the environment type %s, and engine %s is a machine of type %s; let the project run on an arm64 engine, or leave type out", pj.Name, kind, engine, has.Arch)
	case buildspec.WindowsShell(pj.Shell):
		return reasonShell, fmt.Sprintf("%s asks for the shell %s, and jobs here have sh and bash; write env.shell: bash in %s, and call other shells from a command", pj.Name, pj.Shell, pj.Buildspec)
	}
	return "", ""
}

// judgeJobs ends the jobs that cannot run here, before they start, and warns of what others do without.
func (s *Scheduler) judgeJobs(ctx context.Context, p *Project, b *Build, jobs []Job) *planFailure {
	ex, f := s.executor(p)
	if f != nil {
		return f
	}
	has, err := ex.Capacity(ctx)
	if err != nil {
		s.log.Warn("an engine does not tell what it has, so that compute types are taken as they are", "engine", ex.Engine(), "error", err)
	}
	now := time.Now()
	for i := range jobs {
		j := &jobs[i]
		if j.State == JobEnded {
			continue
		}
		if reason, message := refusal(p, b, &b.Plan.Jobs[i], s.networkOf(p, b, &b.Plan.Jobs[i]), ex.Engine(), has); reason != "" {
			j.end(Failed, reason, message, now)
		}
	}
	warnOfCompute(s.limitsOf(p), b, ex.Engine(), has)
	warnOfGit(p, b)
	return nil
}
