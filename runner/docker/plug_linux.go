package docker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/internal/failpoint"
)

// jobLink is the name of a sandbox's interface, as the engine would call it.
const jobLink = "eth0"

// hardware is the address that the engine would give: the same for the same IP address, so that neighbours need not
// learn a new one.
func hardware(addr netip.Addr) net.HardwareAddr {
	return append(net.HardwareAddr{0x02, 0x42}, addr.AsSlice()...)
}

// cable is one plugging: the host's network, and the container's.
type cable struct {
	w            wiring
	host, inside *netlink.Handle
	ns           netns.NsHandle
	sysctls      int // of the container's network: net/ipv6/conf; -1 without IPv6
	name         func(netip.Addr) error
}

// plug joins the sandbox to the network, unless that was done. The default route comes last, so that an interface
// without one tells of a plugging that came to nothing. The container's end is made inside: a daemon that dies on the
// way leaves nothing that does not go with the container.
func (p place) plug(w *wiring, id, hostname string) error {
	return p.enter(func(join func() error) error {
		c := cable{sysctls: -1, name: func(addr netip.Addr) error { return nameSelf("/etc/hosts", addr, hostname) }}
		defer c.close()
		if err := c.open(p.pid); err != nil {
			return err
		}
		if err := join(); err != nil { // before anything is changed: it is the sandbox's
			return err
		}
		if there, err := c.plugged(); err != nil || there {
			return err
		}
		if w == nil {
			return errors.New("a former process of the daemon did not come to join it to its network, and this one cannot")
		}
		c.w = *w
		return c.plug(id)
	})
}

// open opens both networks from a thread that is thrown away, while it is still at home.
func (c *cable) open(pid int) (err error) {
	if c.ns, err = netns.GetFromPid(pid); err != nil {
		return fmt.Errorf("finding the network of the container's process %d: %w", pid, err)
	}
	home, err := netns.Get()
	if err != nil {
		return fmt.Errorf("finding the host's network: %w", err)
	}
	defer home.Close()
	if c.ns.Equal(home) { // the container has ended, and another process has its first one's number
		return fmt.Errorf("process %d has the host's network, so it is not the container's", pid)
	}
	if c.host, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return fmt.Errorf("speaking to the kernel of the host's network: %w", err)
	}
	if c.inside, err = netlink.NewHandleAt(c.ns, unix.NETLINK_ROUTE); err != nil {
		return fmt.Errorf("speaking to the kernel of the container's network: %w", err)
	}
	if err := unix.Setns(int(c.ns), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("entering the container's network: %w", err)
	}
	const dir = "/proc/sys/net/ipv6/conf"
	c.sysctls, err = unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return pathError("opening", dir, err)
}

func (c *cable) close() {
	for _, h := range []*netlink.Handle{c.host, c.inside} {
		if h != nil {
			h.Close()
		}
	}
	_ = c.ns.Close()
	if c.sysctls >= 0 {
		unix.Close(c.sysctls)
	}
}

// plugged tells whether all was done before, and takes away what was begun.
func (c *cable) plugged() (bool, error) {
	link, err := c.inside.LinkByName(jobLink)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking at the container's interface: %w", err)
	}
	routes, err := c.inside.RouteList(link, netlink.FAMILY_V4)
	if err != nil {
		return false, fmt.Errorf("looking at the container's routes: %w", err)
	}
	if slices.ContainsFunc(routes, func(r netlink.Route) bool { return r.Gw != nil }) {
		return true, nil
	}
	if err := c.inside.LinkDel(link); err != nil {
		return false, fmt.Errorf("removing what an earlier try left: %w", err)
	}
	return false, nil
}

func (c *cable) plug(id string) error {
	bridge, err := c.w.find(c.host)
	if err != nil {
		return err
	}
	addr, err := c.lay(id, bridge)
	if err != nil {
		return err
	}
	failpoint.Pass("4/cable-laid")
	for _, step := range []struct {
		doing string
		do    func() error
	}{
		{"putting the host's end on the bridge", func() error { return c.attach(addr, bridge) }},
		{"setting up the container's end", func() error { return c.address(addr) }},
		{"naming the container", func() error { return c.name(addr) }},
		{"setting the container's route", c.route},
	} {
		if err := step.do(); err != nil {
			link, lerr := c.host.LinkByName(hostLink(addr))
			if lerr == nil {
				lerr = c.host.LinkDel(link)
			}
			return fmt.Errorf("%s: %w", step.doing, errors.Join(err, lerr))
		}
	}
	return nil
}

// find finds the network's bridge as it was when it was looked at: somebody may have pruned the network since, and
// another daemon may have made it anew.
func (w *wiring) find(h *netlink.Handle) (netlink.Link, error) {
	gone := func(why string) error {
		return fmt.Errorf("network %s not found: interface %s %s", w.network, w.bridge, why)
	}
	bridge, err := h.LinkByName(w.bridge)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil, gone("is not there")
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the bridge %s: %w", w.bridge, err)
	}
	addrs, err := h.AddrList(bridge, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("asking for the addresses of %s: %w", w.bridge, err)
	}
	if !slices.ContainsFunc(addrs, func(a netlink.Addr) bool { return a.IPNet.String() == w.gateway.String() }) {
		return nil, gone("has not the address " + w.gateway.String())
	}
	return bridge, nil
}

// lay makes both ends under the first address that is free.
func (c *cable) lay(id string, bridge netlink.Link) (netip.Addr, error) {
	mtu := bridge.Attrs().MTU
	if c.w.mtu > 0 {
		mtu = c.w.mtu
	}
	for addr := range c.w.addresses(id) {
		ends := netlink.NewVeth(netlink.LinkAttrs{Name: hostLink(addr), MTU: mtu, TxQLen: -1})
		ends.PeerName, ends.PeerHardwareAddr, ends.PeerNamespace = jobLink, hardware(addr), netlink.NsFd(c.ns)
		switch err := c.host.LinkAdd(ends); {
		case err == nil:
			return addr, nil
		case !errors.Is(err, unix.EEXIST):
			return addr, fmt.Errorf("making interface %s: %w", ends.Name, err)
		}
		if _, err := c.inside.LinkByName(jobLink); err == nil {
			return addr, errors.New("the container got an interface from somebody else at the same time")
		}
	}
	return netip.Addr{}, fmt.Errorf("all addresses of %s are in use", c.w.pool)
}

// attach puts the host's end on the bridge. It is up only after that.
func (c *cable) attach(addr netip.Addr, bridge netlink.Link) error {
	link, err := c.host.LinkByName(hostLink(addr))
	if err == nil {
		err = hang(c.host, link, bridge)
	}
	if err != nil {
		return err
	}
	return c.host.LinkSetUp(link)
}

// hang makes an interface a port of the bridge, from which no other such port can be reached, by whatever protocol.
func hang(h *netlink.Handle, link, bridge netlink.Link) error {
	if err := h.LinkSetMaster(link, bridge); err != nil {
		return err
	}
	if err := h.LinkSetIsolated(link, true); err != nil {
		return fmt.Errorf("isolating its port: %w", err)
	}
	return nil
}

// address gives the container's end its address and none of IPv6, which the network has not.
func (c *cable) address(addr netip.Addr) error {
	link, err := c.inside.LinkByName(jobLink)
	if err != nil {
		return err
	}
	if err := c.noIPv6(); err != nil {
		return err
	}
	ip := &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(c.w.gateway.Bits(), 32)}
	if err := c.inside.AddrAdd(link, &netlink.Addr{IPNet: ip}); err != nil {
		return fmt.Errorf("setting address %s: %w", ip, err)
	}
	return c.inside.LinkSetUp(link)
}

func (c *cable) noIPv6() error {
	if c.sysctls < 0 {
		return nil
	}
	const name = jobLink + "/disable_ipv6"
	fd, err := unix.Openat(c.sysctls, name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.Write(fd, []byte("1"))
		err = errors.Join(err, unix.Close(fd))
	}
	return pathError("setting", "net/ipv6/conf/"+name, err)
}

func (c *cable) route() error {
	link, err := c.inside.LinkByName(jobLink)
	if err != nil {
		return err
	}
	return c.inside.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: c.w.gateway.Addr().AsSlice()})
}

// hostsBytes bounds the engine's file of names.
const hostsBytes = 1 << 20

// nameSelf gives the container's name its address, in the engine's own file, from within the container. An image can
// have put another thing there, which is then a thing of this image's.
func nameSelf(path string, addr netip.Addr, hostname string) error {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return targetError{err}
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return targetError{errors.Join(err, fmt.Errorf("%s is no regular file", path))}
	}
	text, err := io.ReadAll(io.LimitReader(f, hostsBytes))
	if err != nil {
		return targetError{err}
	}
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		if !slices.Contains(strings.Fields(string(line)), hostname) { // of an earlier try
			out.Write(line)
		}
	}
	fmt.Fprintf(&out, "%s\t%s\n", addr, hostname)
	if err := f.Truncate(0); err != nil {
		return targetError{err}
	}
	if _, err := f.WriteAt(out.Bytes(), 0); err != nil {
		return targetError{err}
	}
	return nil
}
