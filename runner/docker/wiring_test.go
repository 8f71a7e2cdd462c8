package docker

import (
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
)

// wiredEngine has a network of its own, to which its daemon joins sandboxes.
func wiredEngine(t testing.TB, change ...func(*Options)) *Engine {
	t.Helper()
	e := newEngine(t, append([]func(*Options){mountMode}, change...)...)
	ownBridge(t, e)
	if err := e.ensureNetwork(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e.wiring.Load() == nil {
		t.Skip("this daemon does not join sandboxes to their network; the log says why")
	}
	return e
}

// hostLinks are the host's ends of the cables of one network.
func hostLinks(t testing.TB, w *wiring) (found []string) {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, nic := range all {
		if addr, ok := linkAddress(nic.Name); ok && w.pool.Contains(addr) {
			found = append(found, nic.Name)
		}
	}
	return found
}

// noLinks waits until the kernel has taken away what went with the namespaces.
func noLinks(t testing.TB, w *wiring) {
	t.Helper()
	for range 500 {
		if len(hostLinks(t, w)) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("left on the host: %q", hostLinks(t, w))
}

func TestHalves(t *testing.T) {
	for subnet, want := range map[string][3]string{
		"172.18.0.0/16":    {"172.18.0.0/17", "172.18.128.0/17", ""},
		"192.168.240.0/20": {"192.168.240.0/21", "192.168.248.0/21", ""},
		"10.1.2.0/24":      {"10.1.2.0/25", "10.1.2.128/25", ""},
		"10.1.2.0/25":      {"", "", "/24 or larger"},
		"fd00::/64":        {"", "", "of IPv4 is needed"},
	} {
		n := network.Inspect{Driver: "bridge", Labels: map[string]string{LabelNetwork: "n"}, IPAM: network.IPAM{Config: []network.IPAMConfig{{Subnet: subnet}}}}
		lower, err := sharable(n, "n")
		if want[2] != "" {
			if err == nil || !strings.Contains(err.Error(), want[2]) {
				t.Errorf("%s: %v", subnet, err)
			}
			continue
		}
		_, ours := halves(netip.MustParsePrefix(subnet))
		if err != nil || lower != want[0] || ours.String() != want[1] {
			t.Errorf("%s: %s and %s, %v; want %s and %s", subnet, lower, ours, err, want[0], want[1])
		}
		seen := 0
		for a := range (wiring{pool: ours}).addresses("x") {
			if seen++; !ours.Contains(a) || a.Next().IsValid() && !ours.Contains(a.Next()) {
				t.Errorf("%s: %s is given out", subnet, a)
			}
		}
		if want := 1<<(32-ours.Bits()) - 1; seen != want {
			t.Errorf("%s: %d addresses, want %d", subnet, seen, want)
		}
		n.Labels = nil
		if _, err := sharable(n, "n"); err == nil || !strings.Contains(err.Error(), "somebody else") {
			t.Errorf("%s: a network that is not ours: %v", subnet, err)
		}
	}
}

func TestWantResolvers(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"plain": "search x\nnameserver 10.0.0.1\nnameserver fd00::1\n", "stub": "nameserver 127.0.0.53\n",
		"local": "nameserver 10.0.0.1\nnameserver 127.0.0.1\n", "six": "nameserver fd00::1\n", "none": "# nothing\n",
	})
	for files, want := range map[string]string{
		"plain none": "", "stub plain": "", "stub none": "no name server of IPv4", "stub missing": "no such file",
		"local plain": "loopback interface", "six plain": "no name server of IPv4", "none plain": "no name server of IPv4",
	} {
		first, second, _ := strings.Cut(files, " ")
		err := wantResolvers(filepath.Join(dir, first), filepath.Join(dir, second))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", files, err, want)
		}
	}
}

// bareOn runs a container that is no sandbox on a network.
func bareOn(t testing.TB, e *Engine, network string) string {
	t.Helper()
	img := newSpec(t, e, nil).Image
	res, err := e.api.ContainerCreate(t.Context(), &container.Config{Image: img.ID, Cmd: []string{"sleep", "60"}, Labels: e.labels("bare", "")},
		&container.HostConfig{NetworkMode: container.NetworkMode(network)}, nil, nil, "runner-test-"+randomID())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.discard(t.Context(), res.ID) })
	if err := e.api.ContainerStart(t.Context(), res.ID, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	return res.ID
}

// TestNetworkOfAnOlderVersion has all its addresses given out by the engine, until no container is in it.
func TestNetworkOfAnOlderVersion(t *testing.T) {
	t.Parallel()
	wiredEngine(t) // this machine can
	e := newEngine(t, mountMode)
	ownBridge(t, e)
	if err := e.makeNetwork(t.Context(), e.bridge); err != nil {
		t.Fatal(err)
	}
	before, err := e.api.NetworkInspect(t.Context(), e.bridge, network.InspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	held := bareOn(t, e, e.bridge)
	for _, held := range []string{held, ""} {
		daemon := sameDaemon(t, e)
		daemon.bridge = e.bridge
		if err := daemon.ensureNetwork(t.Context()); err != nil {
			t.Fatal(err)
		}
		switch w := daemon.wiring.Load(); {
		case held != "" && w != nil:
			t.Error("its addresses were taken from the engine while a container is there")
		case held == "" && (w == nil || w.gateway.Masked().String() != before.IPAM.Config[0].Subnet):
			t.Errorf("wired by %+v; the network was %+v", w, before.IPAM)
		}
		e.discard(t.Context(), held)
	}
}
