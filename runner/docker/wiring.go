package docker

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"

	"github.com/runner-ci/runner/runner"
)

// wiring is what the daemon needs to join sandboxes to the default network itself, half of whose addresses are its to
// give. The engine would start a name server in each container, as in all networks but its own default one, and that
// takes longer than the rest of the network. To the engine such a container has no network. All that holds for the
// network's bridge, the engine's rules of the firewall and ours, holds for whatever is on it.
type wiring struct {
	network string
	bridge  string           // its interface on this machine
	gateway netip.Prefix     // the bridge's address, with the length of the subnet's prefix
	pool    netip.Prefix     // addresses that the engine gives to nobody
	mtu     int              // 0: the bridge's own
	mac     net.HardwareAddr // the bridge's
}

// wireError tells that the daemon could not join a container that runs to the default network.
type wireError struct{ error }

func (w wireError) Unwrap() error { return w.error }

// wires tells whether the daemon, and not the engine, joins such a sandbox to the default network.
func (e *Engine) wires(spec runner.SandboxSpec, mode workspace) bool {
	return mode == workspaceMount && spec.Network == runner.NetworkOpen && !spec.Privileged && len(spec.Services) == 0 && e.opts.Network == "" && e.wiring.Load() != nil
}

// findWiring sees whether the daemon can join sandboxes to the default network, and says why not.
func (e *Engine) findWiring(ctx context.Context) {
	if e.opts.Network != "" || runtime.GOOS != "linux" || os.Geteuid() != 0 || e.opts.Workspace != "" && e.opts.Workspace != workspaceAuto && e.opts.Workspace != workspaceMount {
		return // workspaces are not mounted by the daemon either
	}
	if e.unwired.Load() {
		return // which was told
	}
	w, err := e.wiringOf(ctx, e.bridge)
	if err != nil {
		e.wiring.Store(nil)
		e.log.Info("the engine joins containers to their network, which takes longer than if the daemon did", "because", err)
		return
	}
	e.wiring.Store(&w)
	if e.watched.CompareAndSwap(false, true) {
		e.jobs.Go(e.watchBridge)
	}
}

func (e *Engine) wiringOf(ctx context.Context, name string) (wiring, error) {
	var none wiring
	if err := wantResolvers(resolvConf, systemdResolvConf); err != nil {
		return none, err
	}
	if err := e.beside(ctx); err != nil {
		return none, err
	}
	n, err := e.shareNetwork(ctx, name)
	if err != nil {
		return none, err
	}
	subnet, err := netip.ParsePrefix(n.IPAM.Config[0].Subnet)
	if err != nil {
		return none, fmt.Errorf("network %s: %w", name, err)
	}
	gateway, err := netip.ParseAddr(n.IPAM.Config[0].Gateway)
	if err != nil {
		return none, fmt.Errorf("network %s: its gateway: %w", name, err)
	}
	_, ours := halves(subnet)
	nic, err := net.InterfaceByName(bridgeName(name))
	if err != nil {
		return none, fmt.Errorf("network %s: its bridge: %w", name, err)
	}
	mtu, _ := strconv.Atoi(n.Options[networkMTU])
	return wiring{
		network: name, bridge: nic.Name, gateway: netip.PrefixFrom(gateway, subnet.Bits()), pool: ours, mtu: mtu, mac: nic.HardwareAddr,
	}, nil
}

// networkMTU is the bridge driver's option for the size of packets.
const networkMTU = "com.docker.network.driver.mtu"

// shareNetwork sees to it that the engine gives out only the lower half of the default network's addresses. It takes
// no such wish without a subnet, so the network is made anew with the one that the engine chose for it.
func (e *Engine) shareNetwork(ctx context.Context, name string) (network.Inspect, error) {
	for wait := 10 * time.Millisecond; ; wait *= 2 {
		n, err := e.api.NetworkInspect(ctx, name, network.InspectOptions{})
		if err == nil {
			lower, serr := sharable(n, name)
			if serr != nil || n.IPAM.Config[0].IPRange == lower {
				return n, serr
			}
			err = e.remakeNetwork(ctx, n, lower)
		} else if cerrdefs.IsNotFound(err) { // another daemon makes it anew
			err = e.makeNetwork(ctx, name)
		}
		if err != nil && !cerrdefs.IsNotFound(err) && !says(err, "already exists", "same bridge name", "pool overlaps") || wait > networkPatience {
			return n, errors.Join(err, ctx.Err())
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return n, errors.Join(err, ctx.Err())
		}
	}
}

// sharable tells why the daemon cannot have a part of a network's addresses, or else which are the engine's.
func sharable(n network.Inspect, name string) (lower string, err error) {
	cannot := func(format string, args ...any) (string, error) {
		return "", fmt.Errorf("network %s "+format, append([]any{name}, args...)...)
	}
	if n.Driver != "bridge" || n.EnableIPv6 || len(n.IPAM.Config) != 1 {
		return cannot("is more than one subnet of IPv4 on a bridge")
	}
	pool := n.IPAM.Config[0]
	subnet, err := netip.ParsePrefix(pool.Subnet)
	if err != nil || !subnet.Addr().Is4() || subnet.Bits() > leastShared {
		return cannot("has the subnet %q, a /%d or larger of IPv4 is needed", pool.Subnet, leastShared)
	}
	half, _ := halves(subnet)
	switch lower = half.String(); {
	case pool.IPRange == lower:
		return lower, nil
	case pool.IPRange != "" || n.Labels[LabelNetwork] != name:
		return cannot("was made by somebody else, so that all its addresses are the engine's")
	case len(n.Containers) > 0:
		return cannot("was made by an older version, and %d containers are in it: a start of the daemon while none is makes it anew", len(n.Containers))
	}
	return lower, nil
}

// leastShared is the longest prefix of a subnet whose halves are each enough for the jobs of a machine.
const leastShared = 24

// remakeNetwork makes a network in which no container is anew. Removed is the one that was looked at and no other of its
// name.
func (e *Engine) remakeNetwork(ctx context.Context, n network.Inspect, lower string) error {
	if err := e.api.NetworkRemove(ctx, n.ID); err != nil {
		return err
	}
	options := networkOptions(n.Name, runner.NetworkOpen)
	options.IPAM = shared(n.IPAM.Config[0].Subnet, n.IPAM.Config[0].Gateway, lower)
	_, err := e.api.NetworkCreate(ctx, n.Name, options)
	return err
}

func shared(subnet, gateway, lower string) *network.IPAM {
	return &network.IPAM{Config: []network.IPAMConfig{{Subnet: subnet, Gateway: gateway, IPRange: lower}}}
}

// sameAgain is how a network that is gone is made again for the sandboxes that were on it; nil is in any way.
func (e *Engine) sameAgain(name string) *network.IPAM {
	w := e.wiring.Load()
	if w == nil || w.network != name {
		return nil
	}
	lower, _ := halves(w.gateway)
	return shared(w.gateway.Masked().String(), w.gateway.Addr().String(), lower.String())
}

// halves are a subnet's lower half, which is the engine's, and its upper one.
func halves(subnet netip.Prefix) (engines, ours netip.Prefix) {
	subnet = subnet.Masked()
	bits := subnet.Bits()
	addr := subnet.Addr().As4()
	addr[bits/8] |= 1 << (7 - bits%8)
	return netip.PrefixFrom(subnet.Addr(), bits+1), netip.PrefixFrom(netip.AddrFrom4(addr), bits+1)
}

// addresses are all that a sandbox could have, in an order of its own, so that those made at once seldom try the same.
func (w wiring) addresses(id string) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		all := uint32(1)<<(32-w.pool.Bits()) - 1 // without the last, which is the subnet's broadcast address
		first := w.pool.Addr().As4()
		base := uint32(first[0])<<24 | uint32(first[1])<<16 | uint32(first[2])<<8 | uint32(first[3])
		h := fnv.New32a()
		_, _ = h.Write([]byte(id))
		start := h.Sum32() % all
		for i := range all {
			a := base + (start+i)%all
			if !yield(netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)})) {
				return
			}
		}
	}
}

// hostLink is the host's end of a sandbox's cable. It bears the sandbox's address, so that the kernel, which holds names
// unique, is who gives an address to one sandbox only, whichever daemon asks; and it is free again when the
// sandbox's interface is gone. What manages a machine's network leaves names alone that begin like this.
func hostLink(addr netip.Addr) string { return fmt.Sprintf("vethrun%x", addr.AsSlice()) }

// linkAddress is the reverse of hostLink.
func linkAddress(name string) (netip.Addr, bool) {
	var a [4]byte
	_, err := fmt.Sscanf(name, "vethrun%02x%02x%02x%02x", &a[0], &a[1], &a[2], &a[3])
	return netip.AddrFrom4(a), err == nil
}

// wantResolvers wants name servers that a container can ask itself. What listens on the host's loopback interface only
// the engine's own name server can ask, which it does not start for a container that is without a network to it. Like
// the engine, it looks at the second file where the first only names systemd's stub.
func wantResolvers(path, systemd string) error {
	servers, path, err := hostServers(path, systemd)
	if err != nil {
		return err
	}
	four := false
	for _, s := range servers {
		if s.IsLoopback() {
			return fmt.Errorf("%s names a name server on the loopback interface, %s, which only the engine can ask for a container", path, s)
		}
		four = four || s.Is4()
	}
	if !four {
		return fmt.Errorf("%s names no name server of IPv4", path)
	}
	return nil
}

// Files that name the host's name servers: see wantResolvers.
const (
	resolvConf        = "/etc/resolv.conf"
	systemdResolvConf = "/run/systemd/resolve/resolv.conf"
)

// hostServers are the name servers that containers are told, and the file that has them.
func hostServers(path, systemd string) ([]netip.Addr, string, error) {
	servers, err := nameServers(path)
	if err == nil && len(servers) == 1 && servers[0] == netip.AddrFrom4([4]byte{127, 0, 0, 53}) {
		path = systemd
		servers, err = nameServers(path)
	}
	return servers, path, err
}

func nameServers(path string) (all []netip.Addr, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("looking for name servers: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if addr, err := netip.ParseAddr(fields[1]); err == nil {
			all = append(all, addr.Unmap())
		}
	}
	return all, nil
}

// wire joins a sandbox that runs to its network, where that is the daemon's work. Whether a former process did, which may
// have died on the way, only the sandbox tells.
func (e *Engine) wire(p place, id string) error {
	b, _ := e.made.get(id)
	if !b.wired || b.joined {
		return nil
	}
	err := p.plug(e.wiring.Load(), id, b.container[:min(len(b.container), hostnameBytes)])
	if err == nil {
		e.made.note(id, func(b *madeBox) { b.joined = true })
	}
	return err
}

// hostnameBytes of a container's id are the name that the engine gives it.
const hostnameBytes = 12

// wireFailed leaves it to the engine to join sandboxes to their network from now on, unless the trouble is one of this
// network, which is made anew, or of this image.
func (e *Engine) wireFailed(err error) error {
	if says(err, "network "+e.networkName()+" not found") {
		return err
	}
	if !errors.As(err, new(targetError)) && e.unwired.CompareAndSwap(false, true) {
		e.wiring.Store(nil)
		e.log.Warn("the daemon cannot join its containers to their network, so the engine does, which takes longer", "because", err)
	}
	return wireError{err}
}
