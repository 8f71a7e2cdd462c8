package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"

	"github.com/runner-ci/runner/runner"
)

// Machine is what an engine says of itself and of the machine it runs on.
type Machine struct {
	Version, API string        // of the engine: "20.10.24", "1.41"
	Storage      string        // driver, and the file system below it where the engine tells: "overlay2 on extfs"
	Cgroup       string        // version, "1" or "2"; empty when it does not tell
	Runtime      string        // the default one
	Kernel       string        // release
	Root         string        // where it keeps images and containers
	Ahead        time.Duration // its clock is ahead of ours by that much, half the call's time taken off; negative: behind
	Unlimited    []string      // limits that it cannot set: "memory", "pids", "cpus"
}

// Examine asks the engine what it is.
func (e *Engine) Examine(ctx context.Context) (Machine, error) {
	if err := e.negotiate(ctx); err != nil {
		return Machine{}, err
	}
	began := time.Now()
	info, err := e.api.Info(ctx)
	if err != nil {
		return Machine{}, e.fail(ctx, "asking what it is", err)
	}
	middle := began.Add(time.Since(began) / 2)
	m := Machine{
		Version: info.ServerVersion, API: e.api.ClientVersion(), Storage: info.Driver, Cgroup: info.CgroupVersion,
		Runtime: info.DefaultRuntime, Kernel: info.KernelVersion, Root: info.DockerRootDir,
	}
	for _, s := range info.DriverStatus {
		if s[0] == "Backing Filesystem" {
			m.Storage += " on " + s[1]
		}
	}
	if theirs, err := time.Parse(time.RFC3339Nano, info.SystemTime); err == nil {
		m.Ahead = theirs.Sub(middle)
	}
	for name, has := range map[string]bool{"memory": info.MemoryLimit, "pids": info.PidsLimit, "cpus": info.CPUCfsQuota} {
		if !has {
			m.Unlimited = append(m.Unlimited, name)
		}
	}
	slices.Sort(m.Unlimited)
	return m, nil
}

// Host is where the engine is spoken to: "unix:///var/run/docker.sock".
func (e *Engine) Host() string { return e.api.DaemonHost() }

// Smallest lists images with a name that the engine can start, the smallest first.
func (e *Engine) Smallest(ctx context.Context) (refs []string, err error) {
	if err := e.negotiate(ctx); err != nil {
		return nil, err
	}
	all, err := e.api.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return nil, e.fail(ctx, "listing images", err)
	}
	slices.SortFunc(all, func(a, b image.Summary) int { return cmp.Compare(a.Size, b.Size) })
	for _, i := range all {
		for _, tag := range i.RepoTags {
			if tag != "<none>:<none>" {
				refs = append(refs, tag)
				break
			}
		}
	}
	return refs, nil
}

// Login has the engine try credentials of a registry. The error is about them, or about the way there.
func (e *Engine) Login(ctx context.Context, a runner.RegistryAuth) error {
	if err := e.negotiate(ctx); err != nil {
		return err
	}
	_, err := e.api.RegistryLogin(ctx, registry.AuthConfig{Username: a.Username, Password: a.Password, ServerAddress: a.Server})
	return e.fail(ctx, "logging in to "+a.Server, err)
}

// Workspace tells how the sandboxes of this process came by their files, and what is known to keep them from the quickest way.
func (e *Engine) Workspace(ctx context.Context) (kind string, why error) {
	f, err := e.engineFacts(ctx)
	if err != nil {
		return "", err
	}
	if err := e.noOverlay(runner.SandboxSpec{Dir: e.opts.DataDir, Tree: e.opts.DataDir}, f); err != nil {
		return workspaceCopy, err
	}
	switch known := e.mode.get(); {
	case e.opts.Workspace != "" && e.opts.Workspace != workspaceAuto:
		return e.opts.Workspace, nil
	case known == workspaceCopy:
		return workspaceCopy, errors.New("the engine does not see the data directory, as when it is elsewhere or in a container without that mount")
	case known != "":
		return string(known), nil
	}
	return "", nil
}

// trialChain is made and removed again to see whether the firewall can be set. Two that do so at once do no harm.
const trialChain = "RUNNER-TRIAL"

// TryFirewall tells why the firewall's rules could not be set from here; nil when they could. It leaves the firewall
// as it was.
func (e *Engine) TryFirewall(ctx context.Context) error {
	if err := e.negotiate(ctx); err != nil {
		return err
	}
	if err := e.ensureNetwork(ctx); err != nil {
		return err
	}
	if err := e.beside(ctx); err != nil {
		return err
	}
	four, _, err := findIPTables(ctx)
	if err != nil {
		return err
	}
	if _, err := four.run(ctx, "-N", trialChain); err != nil && !strings.Contains(err.Error(), "exists") {
		return fmt.Errorf("making a chain of rules: %w", err)
	}
	_, _ = four.run(ctx, "-X", trialChain)
	return nil
}
