package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docker/docker/api/types/network"
)

// Firewall settings.
const (
	firewallAuto = "auto" // the default
	firewallOff  = "off"
)

const (
	// wallEvery is how often the rules are looked at: a firewall that is loaded anew drops them.
	wallEvery = 30 * time.Second
	// wallTimeout bounds one look, which waits for others that change the firewall.
	wallTimeout = 20 * time.Second
)

// wall keeps jobs from what is not their business on the engine's host, by rules of its firewall. It can only do so
// where this daemon is root beside the engine; elsewhere it says so, once.
type wall struct {
	raised atomic.Bool // looked at in this process

	mending  sync.Mutex // held while the rules are looked at, which can take a while
	families []*iptables

	mu        sync.Mutex
	listeners []netip.AddrPort
	trouble   error
}

// HideListener makes an address on which this daemon listens unreachable for jobs. It is called before Create; an
// address of the loopback interface is out of their reach as it is.
func (e *Engine) HideListener(addr net.Addr) {
	if at, err := netip.ParseAddrPort(addr.String()); err == nil {
		e.wall.mu.Lock()
		defer e.wall.mu.Unlock()
		e.wall.listeners = append(e.wall.listeners, at)
	}
}

// FirewallTrouble tells why jobs on this engine can reach the cloud's metadata service and the engine's host, as far
// as it is known. It is nil while the rules are in place, before the first sandbox, and where the firewall is off.
func (e *Engine) FirewallTrouble() error {
	e.wall.mu.Lock()
	defer e.wall.mu.Unlock()
	return e.wall.trouble
}

// unlooked tells that nobody knows whether the rules are in place: the engine did not answer, or what else changes the
// firewall held it for too long. It says nothing of the next look.
type unlooked struct{ error }

func (u unlooked) Unwrap() error { return u.error }

// raiseWall sets the rules before the first sandbox of a process, and sees to it that they stay. Where they cannot be set,
// jobs run without them, and a warning says what to do. Where nobody can tell, nothing may start: the error is unlooked.
func (e *Engine) raiseWall(ctx context.Context) error {
	if e.opts.Firewall == firewallOff || e.opts.Network != "" {
		return nil
	}
	w := &e.wall
	if w.raised.Load() {
		return nil
	}
	w.mending.Lock()
	defer w.mending.Unlock()
	if w.raised.Load() {
		return nil
	}
	if err := e.lookAtWall(ctx); err != nil {
		return err
	}
	w.raised.Store(true)
	e.jobs.Go(func() {
		tick := time.NewTicker(wallEvery)
		defer tick.Stop()
		for {
			select {
			case <-e.life.Done():
				return
			case <-tick.C:
				w.mending.Lock()
				if err := e.lookAtWall(e.life); err != nil {
					e.log.Debug("the firewall was not looked at; what is set stays", "error", err)
				}
				w.mending.Unlock()
			}
		}
	})
	return nil
}

// lookAtWall mends the rules, and warns when that becomes impossible. An error tells that it could not look. The caller
// holds mending.
func (e *Engine) lookAtWall(ctx context.Context) error {
	short, cancel := context.WithTimeout(ctx, wallTimeout)
	defer cancel()
	err := e.mendWall(short)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && short.Err() != nil:
		return unlooked{fmt.Errorf("setting the rules of the firewall took longer than %s, so nothing is started: %w", wallTimeout, errors.Join(err, short.Err()))}
	case errors.As(err, new(unlooked)):
		return err
	}
	e.wall.mu.Lock()
	before := e.wall.trouble
	e.wall.trouble = err
	e.wall.mu.Unlock()
	switch {
	case err != nil && (before == nil || before.Error() != err.Error()):
		e.log.Warn("jobs can reach the cloud's metadata service and this machine's own services", "because", err, "hint",
			"on the engine's host, run: iptables -I DOCKER-USER "+fromJobs+" -d 169.254.0.0/16 -j REJECT; docs/sandbox.md has the other rules. "+
				"firewall: off for this engine in the configuration says that you have seen to it")
	case err == nil && before != nil:
		e.log.Info("jobs are kept from the cloud's metadata service and this machine's own services again")
	}
	return nil
}

func (e *Engine) mendWall(ctx context.Context) error {
	if err := e.beside(ctx); err != nil {
		return err
	}
	w := &e.wall
	if w.families == nil {
		four, six, err := findIPTables(ctx)
		if err != nil {
			return err
		}
		w.families = slices.DeleteFunc([]*iptables{four, six}, func(t *iptables) bool { return t == nil })
	}
	w.mu.Lock()
	listeners := append(e.engineListener(), w.listeners...)
	w.mu.Unlock()
	servers, _, err := hostServers(resolvConf, systemdResolvConf)
	if err != nil {
		e.log.Debug("looking for the name servers that jobs with a private network may ask", "error", err)
	}
	var errs []error
	for _, t := range w.families {
		rules := wallRules{six: t.six, instance: e.opts.Instance, listeners: listeners, servers: servers}
		err := t.mend(ctx, rules)
		if err != nil && t.six {
			e.log.Debug("setting rules for IPv6", "error", err) // our bridges have no IPv6, unless the engine gives it to all
			continue
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// beside tells whether the engine's bridges are interfaces of this machine, as they are seen from here: then its
// firewall is ours to set.
func (e *Engine) beside(ctx context.Context) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("this is %s, and the engine runs in a machine of its own", runtime.GOOS)
	}
	n, err := e.api.NetworkInspect(ctx, e.bridge, network.InspectOptions{})
	if err != nil {
		return unlooked{fmt.Errorf("looking at network %s: %w", e.bridge, err)}
	}
	elsewhere := fmt.Errorf("the engine's networks are not on this machine, as when it is elsewhere or rootless, or this daemon is in a container: %s is not seen here", bridgeName(e.bridge))
	nic, err := net.InterfaceByName(bridgeName(e.bridge))
	if err != nil {
		return elsewhere
	}
	addrs, err := nic.Addrs()
	if err != nil {
		return fmt.Errorf("asking for the addresses of %s: %w", nic.Name, err)
	}
	for _, pool := range n.IPAM.Config {
		gateway, _, _ := strings.Cut(pool.Gateway, "/")
		if slices.ContainsFunc(addrs, func(a net.Addr) bool { return strings.HasPrefix(a.String(), gateway+"/") }) {
			return nil
		}
	}
	return elsewhere
}

// engineListener is where the engine listens, when we speak to it by TCP.
func (e *Engine) engineListener() []netip.AddrPort {
	u, err := url.Parse(e.api.DaemonHost())
	if err != nil || u.Scheme != "tcp" && u.Scheme != "http" && u.Scheme != "https" {
		return nil
	}
	at, err := netip.ParseAddrPort("0.0.0.0:" + u.Port())
	if err != nil {
		return nil
	}
	return []netip.AddrPort{at}
}
