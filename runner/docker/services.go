package docker

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"golang.org/x/sync/errgroup"

	"github.com/runner-ci/runner/runner"
)

// LabelService is a service's name, on its container.
const LabelService = "runner.service"

// jobAlias is the job's own name on a network with services, for those that call back, as browsers under remote
// control do. A service of that name has it instead.
const jobAlias = "job"

// serviceLog keeps of what a service prints enough for its last words, in a few files of the engine's.
var serviceLog = container.LogConfig{Type: "local", Config: map[string]string{"max-size": "1m", "max-file": "2"}}

// goodService keeps names fit for a host's name, a container's and an alias.
var goodService = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)

func serviceName(id, service string) string { return containerName(id) + "-svc-" + service }

// checkServices refuses services that could not be reached, before the engine is asked.
func (e *Engine) checkServices(spec runner.SandboxSpec) error {
	if len(spec.Services) == 0 {
		return nil
	}
	if e.opts.Network != "" {
		return fmt.Errorf("sandbox %s: services need a network of the job's own, and engine %s is configured to put jobs on network %q: "+
			"leave network empty there, or run the job on another engine", spec.ID, e.opts.Engine, e.opts.Network)
	}
	seen := map[string]bool{}
	for _, s := range spec.Services {
		l := s.Limits
		switch {
		case !goodService.MatchString(s.Name):
			return fmt.Errorf("service %q: expected a name of 1 to 63 letters, digits, dots, - and _, since it is a host's name", s.Name)
		case seen[strings.ToLower(s.Name)]:
			return fmt.Errorf("service %q: another service has that name", s.Name)
		case s.Image.ID == "":
			return fmt.Errorf("service %q: its image is not resolved", s.Name)
		case l.CPUs < 0 || l.MemoryBytes < 0 || l.PIDs < 0:
			return fmt.Errorf("service %q: limits are %g CPUs, %d bytes, %d processes, none may be negative", s.Name, l.CPUs, l.MemoryBytes, l.PIDs)
		}
		seen[strings.ToLower(s.Name)] = true
	}
	return nil
}

// startServices makes all services, starts them and waits until each is ready.
func (l *launch) startServices(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	for _, s := range l.spec.Services {
		g.Go(func() error {
			if err := l.startService(gctx, s); err != nil {
				return err
			}
			return l.e.awaitService(gctx, l.spec.ID, s)
		})
	}
	return g.Wait()
}

// startService makes one service's container, or goes on with the one that a former Create made.
func (l *launch) startService(ctx context.Context, s runner.Service) error {
	name := serviceName(l.spec.ID, s.Name)
	err := l.createService(ctx, s, name)
	if cerrdefs.IsConflict(err) {
		err = l.takeService(ctx, s, name, err)
	}
	if err != nil {
		return l.serviceRefused(s, err)
	}
	short, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	if err := l.e.api.ContainerStart(short, name, container.StartOptions{}); err != nil {
		return l.serviceRefused(s, err)
	}
	return nil
}

// takeService keeps a container that was made before and has not ended. One that has, ended with the engine or
// under a daemon that is gone, which says nothing about the service: it is made anew.
func (l *launch) takeService(ctx context.Context, s runner.Service, name string, conflict error) error {
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in, err := l.e.api.ContainerInspect(short, name)
	switch {
	case cerrdefs.IsNotFound(err): // it was being removed
	case err != nil:
		return err
	case !l.e.ours(in.Config.Labels, l.spec.ID):
		return fmt.Errorf("another instance has a container named %s: %w", name, conflict)
	case in.State.Status == container.StateCreated || in.State.Running:
		return nil
	default:
		if err := l.e.removeByID(ctx, in.ID); err != nil {
			return err
		}
	}
	return l.createService(ctx, s, name)
}

func (l *launch) createService(ctx context.Context, s runner.Service, name string) error {
	health, err := l.e.healthOf(ctx, s)
	if err != nil {
		return err
	}
	labels := l.e.labels(l.spec.ID, "")
	labels[LabelService] = s.Name
	config := &container.Config{
		Hostname: s.Name, Image: s.Image.ID, Cmd: s.Command, Entrypoint: s.Entrypoint, Env: s.Env,
		Labels: labels, Healthcheck: health,
	}
	host := &container.HostConfig{
		NetworkMode: container.NetworkMode(ownNetwork(l.spec.ID)), IpcMode: container.IPCModePrivate,
		LogConfig: serviceLog, OomScoreAdj: oomScore,
		ShmSize: shmSize(s.Limits.MemoryBytes), Resources: resources(s.Limits, l.facts), DNS: nameless(l.spec),
	}
	l.e.hold(host)
	settled, cancel := settle(ctx)
	defer cancel()
	_, err = l.e.api.ContainerCreate(settled, config, host, endpoint(l.spec.ID, s.Name), nil, name)
	return err
}

// endpoint joins a container to the sandbox's own network under a name.
func endpoint(id, alias string) *network.NetworkingConfig {
	return &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
		ownNetwork(id): {Aliases: []string{alias}},
	}}
}

// jobEndpoint joins the job's container to the network of its services. Without services nothing need be said.
func jobEndpoint(spec runner.SandboxSpec) *network.NetworkingConfig {
	taken := func(s runner.Service) bool { return strings.EqualFold(s.Name, jobAlias) }
	if len(spec.Services) == 0 || slices.ContainsFunc(spec.Services, taken) {
		return nil
	}
	return endpoint(spec.ID, jobAlias)
}

// serviceRefused tells the engine's refusal of what the buildspec says from trouble that is not its business.
func (l *launch) serviceRefused(s runner.Service, err error) error {
	if image := imageRefused(s.Image, l.facts, err); image != nil {
		return image
	}
	if says(err, `exec: "`, "no command specified", "minimum memory limit", "unable to find user", "no matching entries in") {
		return &runner.ServiceError{Service: s.Name, Reason: "cannot be started: " + err.Error()}
	}
	return fmt.Errorf("starting service %q: %w", s.Name, err)
}

// serviceContainers lists the containers of a sandbox's services.
func (e *Engine) serviceContainers(ctx context.Context, id string, all bool) ([]container.Summary, error) {
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	mine := e.labelled(id)
	mine.Add("label", LabelService)
	return e.api.ContainerList(short, container.ListOptions{All: all, Filters: mine})
}

// removeServices removes the containers of services, and the volumes that their images declare.
func (e *Engine) removeServices(ctx context.Context, id string) error {
	found, err := e.serviceContainers(ctx, id, true)
	if err != nil {
		return err
	}
	var g errgroup.Group
	for _, c := range found {
		g.Go(func() error { return e.removeByID(ctx, c.ID) })
	}
	return g.Wait()
}

// killServices ends the services that still run.
func (e *Engine) killServices(ctx context.Context, id string) error {
	found, err := e.serviceContainers(ctx, id, false)
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var errs []error
	for _, c := range found {
		if err := e.api.ContainerKill(short, c.ID, "KILL"); err != nil && !cerrdefs.IsNotFound(err) && !cerrdefs.IsConflict(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
