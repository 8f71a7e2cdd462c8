package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"

	"github.com/runner-ci/runner/runner"
)

// DefaultNetwork is the bridge of all sandboxes of all instances on an engine.
const DefaultNetwork = "runner"

// enableICC is the bridge driver's option that lets containers of one bridge reach each other.
const enableICC = "com.docker.network.bridge.enable_icc"

const networkNone = "none"

func (e *Engine) networkName() string {
	if e.opts.Network == "" {
		return e.bridge
	}
	return e.opts.Network
}

// networkOf is the network of one sandbox, as the engine is told.
func (e *Engine) networkOf(spec runner.SandboxSpec, mode workspace) string {
	switch {
	case len(spec.Services) > 0:
		return ownNetwork(spec.ID)
	case spec.Network == runner.NetworkNone || e.wires(spec, mode):
		return networkNone
	case spec.Network == runner.NetworkPrivate && e.opts.Network == "":
		return e.privateName()
	}
	return e.networkName()
}

// ensureNetwork makes the default network when it is missing, and looks that a configured one is there.
func (e *Engine) ensureNetwork(ctx context.Context) error {
	name := e.networkName()
	if name == networkNone {
		return nil
	}
	_, err := e.network.get(ctx, func(ctx context.Context) (struct{}, error) {
		short, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		if e.opts.Network == "" {
			if err := e.makeNetwork(short, name); err != nil {
				return struct{}{}, e.fail(ctx, "making network "+name, err)
			}
			e.findWiring(short)
			return struct{}{}, nil
		}
		_, err := e.api.NetworkInspect(short, name, network.InspectOptions{})
		if cerrdefs.IsNotFound(err) {
			return struct{}{}, fmt.Errorf("engine %s has no network %q: make it with docker network create, or leave network empty in the configuration", e.opts.Engine, name)
		}
		return struct{}{}, e.fail(ctx, "inspecting network "+name, err)
	})
	return err
}

// makeNetwork makes the network unless it is there. Two daemons may do so at once: engines do not hold network
// names unique, but they do hold bridges unique, so one of two creations fails, and waits for the other's network to
// be seen, or tries again if that one came to nothing.
func (e *Engine) makeNetwork(ctx context.Context, name string) error {
	return e.makeAs(ctx, name, networkOptions(name, runner.NetworkOpen))
}

// makeAs is makeNetwork for any network.
func (e *Engine) makeAs(ctx context.Context, name string, options network.CreateOptions) error {
	options.IPAM = e.sameAgain(name)
	for wait := 10 * time.Millisecond; ; wait *= 2 {
		if found, err := e.checkNetwork(ctx, name, options); found || err != nil {
			return err
		}
		_, err := e.api.NetworkCreate(ctx, name, options)
		if err == nil || wait > networkPatience || !says(err, "already exists", "same bridge name", "pool overlaps") {
			return err
		}
		if says(err, "pool overlaps") {
			options.IPAM = nil // somebody else has its addresses now
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

func networkOptions(name string, reach runner.Network) network.CreateOptions {
	return network.CreateOptions{
		Driver:  "bridge",
		Options: map[string]string{enableICC: "false", bridgeOption: bridgeFor(name, reach)},
		Labels:  map[string]string{LabelNetwork: name},
	}
}

// bridgeOption is the bridge driver's for the name of its interface.
const bridgeOption = "com.docker.network.bridge.name"

// networkPatience bounds the wait for the network that another daemon is making: the waits before it add up to about
// as much.
const networkPatience = 10 * time.Second

// checkNetwork tells whether the network exists, and refuses one that lets sandboxes reach each other, or what its name
// says that they do not reach.
func (e *Engine) checkNetwork(ctx context.Context, name string, want network.CreateOptions) (bool, error) {
	n, err := e.api.NetworkInspect(ctx, name, network.InspectOptions{})
	switch {
	case cerrdefs.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, err
	case n.Options[enableICC] != "false":
		return true, fmt.Errorf("network %q exists and lets containers reach each other: remove it with docker network rm %s, so that it is made anew, or name another network in the configuration", name, name)
	case want.EnableIPv6 != nil && (n.EnableIPv6 || n.Options[bridgeOption] != want.Options[bridgeOption]):
		return true, fmt.Errorf("network %q exists and was made by somebody else, so that no rules keep it private: remove it with docker network rm %s", name, name)
	}
	return true, nil
}

// bridgeFor is the bridge of a network from which only so much is reached. The firewall's rules know it by its beginning,
// which holds whatever the daemon does, and whoever loads the rules anew.
func bridgeFor(network string, reach runner.Network) string {
	plain := bridgeName(network)
	switch reach {
	case runner.NetworkPrivate:
		return bridgePrivate + plain[len(bridgePrivate):]
	case runner.NetworkNone:
		return bridgeShut + plain[len(bridgeShut):]
	}
	return plain
}

// Beginnings of bridges' names, behind which no other bridge of ours has a letter: a digest follows br-run-.
const (
	bridgePrivate = "br-run-p"
	bridgeShut    = "br-run-x"
)

// bridgeName is an interface name, at most 15 bytes, that belongs to one network name.
func bridgeName(network string) string {
	sum := sha256.Sum256([]byte(network))
	return "br-run-" + hex.EncodeToString(sum[:4])
}
