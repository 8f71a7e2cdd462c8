package docker

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker/docker/api/types/network"

	"github.com/runner-ci/runner/runner"
)

// LabelReach is on containers that may not reach everything, with what they may.
const LabelReach = "runner.reach"

// errOtherReach tells that a former daemon made a part of the sandbox with another reach, since a setting was changed.
var errOtherReach = errors.New("it was made with a network that reaches more or less than its job may")

// privateName is the network of sandboxes that reach private addresses alone.
func (e *Engine) privateName() string { return e.bridge + "-" + string(runner.NetworkPrivate) }

// checkReach refuses, before the engine is asked, what cannot be held.
func (e *Engine) checkReach(spec runner.SandboxSpec) error {
	refuse := func(format string, args ...any) error {
		return &runner.NetworkError{Network: spec.Network, Reason: fmt.Sprintf(format, args...)}
	}
	id := e.opts.Engine
	switch {
	case spec.Network != runner.NetworkOpen && spec.Network != runner.NetworkPrivate && spec.Network != runner.NetworkNone:
		return fmt.Errorf("sandbox %s: its network is %q, which is not known", spec.ID, spec.Network)
	case spec.Network == runner.NetworkOpen:
		return nil
	case spec.Privileged:
		return refuse("the job is privileged, so it is root on the machine whose rules would keep it")
	case !e.fenced(spec):
		return nil
	case e.opts.Network != "":
		return refuse("engine %s puts jobs on network %q, for which Runner sets no rules; leave network empty there, or let the project have network: none or open", id, e.opts.Network)
	case e.opts.Firewall == firewallOff:
		return refuse("engine %s has firewall: off; leave that out, or let the project have network: none or open", id)
	}
	return nil
}

// fenced tells whether it is the firewall that keeps a sandbox to its network. Without any interface nothing has to.
func (e *Engine) fenced(spec runner.SandboxSpec) bool {
	return spec.Network != runner.NetworkOpen && e.opts.Network != networkNone && (spec.Network == runner.NetworkPrivate || len(spec.Services) > 0)
}

// wantWall refuses to start what the firewall would have to keep, and does not.
func (e *Engine) wantWall(spec runner.SandboxSpec) error {
	if !e.fenced(spec) {
		return nil
	}
	err := e.FirewallTrouble()
	if err == nil && !e.wall.raised.Load() {
		err = errors.New("nobody looked at it yet")
	}
	if err != nil {
		return &runner.NetworkError{Network: spec.Network, Reason: "the firewall of engine " + e.opts.Engine + " cannot be set: " + err.Error()}
	}
	return nil
}

// ensurePrivate makes the network of sandboxes that reach private addresses alone, where this is one.
func (e *Engine) ensurePrivate(ctx context.Context, spec runner.SandboxSpec) error {
	name := e.privateName()
	if e.networkOf(spec, "") != name {
		return nil
	}
	_, err := e.private.get(ctx, func(ctx context.Context) (struct{}, error) {
		short, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		return struct{}{}, e.fail(ctx, "making network "+name, e.makeAs(short, name, ipv4Only(networkOptions(name, runner.NetworkPrivate))))
	})
	return err
}

// ipv4Only spares the network of a sandbox that does not reach everything the second family of addresses, which the
// machine may have no firewall for.
func ipv4Only(o network.CreateOptions) network.CreateOptions {
	no := false
	o.EnableIPv6 = &no
	return o
}

// nameless is the name server of a sandbox that reaches nothing but its services: an address that nobody has. Names of
// services are the engine's own to answer; any other it would ask for from the host, where that has a name server on its
// loopback interface, so that names would be a way out.
func nameless(spec runner.SandboxSpec) []string {
	if spec.Network == runner.NetworkNone && len(spec.Services) > 0 {
		return []string{"192.0.2.1"}
	}
	return nil
}
