package docker

import (
	"context"
	"errors"
	"fmt"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"

	"github.com/runner-ci/runner/runner"
)

// ownNetwork is the network of a sandbox that has services. Its containers reach each other and no other sandbox:
// the engine drops what goes from one bridge to another.
func ownNetwork(id string) string { return containerName(id) }

// ensureOwnNetwork makes a sandbox's own network unless it is there. A second one of the same name cannot come to
// be, although engines allow it, because its bridge would have the same name too.
func (e *Engine) ensureOwnNetwork(ctx context.Context, spec runner.SandboxSpec) error {
	id, options := spec.ID, e.ownOptions(spec)
	for try := 0; ; try++ {
		found, err := e.ownNetworks(ctx, id)
		if len(found) > 0 && found[0].Options[bridgeOption] != options.Options[bridgeOption] {
			return errOtherReach
		}
		if len(found) > 0 || err != nil {
			return err
		}
		settled, cancel := settle(ctx)
		_, err = e.api.NetworkCreate(settled, ownNetwork(id), options)
		cancel()
		switch {
		case err == nil:
			return nil
		case says(err, "address pool"):
			return fmt.Errorf("the engine has no addresses left for a network of the job's own, which its services need: "+
				"give it more with default-address-pools in its daemon.json, or let fewer jobs run at once: %w", err)
		case try > 0 || !cerrdefs.IsConflict(err) && !says(err, "already exists", "same bridge name"):
			return fmt.Errorf("making the network of its services: %w", err)
		}
	}
}

// ownOptions are those of a sandbox's own network. From one that reaches nothing else no packet is led on, by the engine's
// rules, and the host itself answers none, by ours.
func (e *Engine) ownOptions(spec runner.SandboxSpec) network.CreateOptions {
	options := network.CreateOptions{
		Driver:  "bridge",
		Options: map[string]string{bridgeOption: bridgeFor(ownNetwork(spec.ID), spec.Network)},
		Labels:  e.labels(spec.ID, ""),
	}
	if spec.Network == runner.NetworkOpen {
		return options
	}
	options.Internal = spec.Network == runner.NetworkNone
	return ipv4Only(options)
}

// ownNetworks lists the networks of a sandbox's own: one or none.
func (e *Engine) ownNetworks(ctx context.Context, id string) ([]network.Summary, error) {
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return e.api.NetworkList(short, network.ListOptions{Filters: e.labelled(id)})
}

// removeOwnNetwork removes it once its containers are gone.
func (e *Engine) removeOwnNetwork(ctx context.Context, id string) error {
	found, err := e.ownNetworks(ctx, id)
	for _, n := range found {
		err = errors.Join(err, patiently(ctx, func(ctx context.Context) error { return e.api.NetworkRemove(ctx, n.ID) }))
	}
	return err
}

// networksOf lists the sandboxes that have a network of their own.
func (e *Engine) networksOf(ctx context.Context) (ids []string, err error) {
	short, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	all, err := e.api.NetworkList(short, network.ListOptions{Filters: e.labelled("")})
	for _, n := range all {
		ids = append(ids, n.Labels[LabelSandbox])
	}
	return ids, err
}
