package docker

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// wired opens a cable to the network of a process, without joining it.
func wired(pid int, w *wiring, do func(*cable) error) error {
	done := make(chan error, 1)
	go onOwnThread(func() {
		c := cable{w: *w, sysctls: -1, name: func(netip.Addr) error { return nil }}
		defer c.close()
		err := c.open(pid)
		if err == nil {
			err = do(&c)
		}
		done <- err
	})
	return <-done
}

// knowNeighbour lets a sandbox know the hardware address of another one, as root outside can and it cannot.
func knowNeighbour(t *testing.T, e *Engine, b *box, ip string) {
	t.Helper()
	p, err := e.inside(t.Context(), b.spec.ID)
	if err == nil {
		err = wired(p.pid, e.wiring.Load(), func(c *cable) error {
			link, err := c.inside.LinkByName(jobLink)
			if err != nil {
				return err
			}
			addr := netip.MustParseAddr(ip)
			return c.inside.NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT, IP: addr.AsSlice(), HardwareAddr: hardware(addr)})
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheHostsNetworkIsNeverPlugged has a process of the host where the container's was: it took its number.
func TestTheHostsNetworkIsNeverPlugged(t *testing.T) {
	t.Parallel()
	for _, pid := range []int{os.Getpid(), os.Getppid()} {
		err := wired(pid, &wiring{}, func(*cable) error { return nil })
		if err == nil || !strings.Contains(err.Error(), "the host's network") {
			t.Errorf("the network of process %d, which is the host's: %v", pid, err)
		}
	}
}

// TestAddressesOfManyAtOnce gives one to each of many networks at the same time, from two daemons.
func TestAddressesOfManyAtOnce(t *testing.T) {
	t.Parallel()
	e := wiredEngine(t)
	w := *e.wiring.Load()
	w.pool = netip.PrefixFrom(w.pool.Addr(), 26) // 63 addresses, so that they meet
	pids := make([]int, 63)
	end := func() {}
	for i := range pids {
		cmd := exec.Command("sleep", "60")
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pids[i] = cmd.Process.Pid
		end = func(before func()) func() {
			return func() { before(); _ = cmd.Process.Kill(); _ = cmd.Wait() }
		}(end)
	}
	defer func() { end() }()
	var wg sync.WaitGroup
	for i, pid := range pids {
		wg.Go(func() {
			for range 2 { // the second time is none
				err := wired(pid, &w, func(c *cable) error {
					if there, err := c.plugged(); err != nil || there {
						return err
					}
					return c.plug(fmt.Sprint(i))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if links := hostLinks(t, &w); len(links) != len(pids) {
		t.Errorf("%d sandboxes have %d interfaces: %q", len(pids), len(links), links)
	}
	if err := wired(pids[0], &w, func(c *cable) error {
		return c.inside.LinkDel(&netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Name: jobLink}})
	}); err != nil {
		t.Fatal(err)
	}
	end()
	end = func() {}
	noLinks(t, &w)
}

// TestPluggingIsTakenUp tells of daemons that die at each step of it.
func TestPluggingIsTakenUp(t *testing.T) {
	t.Parallel()
	e := wiredEngine(t)
	w := e.wiring.Load()
	e.wiring.Store(&wiring{network: e.bridge, bridge: w.bridge, gateway: w.gateway, pool: w.pool, mtu: 1}) // no plugging succeeds
	spec := newSpec(t, e, nil)
	l, err := e.launch(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.once(t.Context()); err == nil {
		t.Fatal("plugged with packets of a byte")
	}
	e.wiring.Store(w)
	p, err := e.inside(t.Context(), spec.ID)
	if err != nil {
		t.Fatal(err)
	}
	for steps := range 4 {
		err := wired(p.pid, w, func(c *cable) error {
			if there, err := c.plugged(); err != nil || there {
				return fmt.Errorf("plugged: %v, %w", there, err)
			}
			bridge, err := w.find(c.host)
			if err != nil {
				return err
			}
			addr, err := c.lay(spec.ID, bridge)
			if err == nil && steps > 0 {
				err = c.attach(addr, bridge)
			}
			if err == nil && steps > 1 {
				err = c.address(addr)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if steps == 3 {
			break
		}
	}
	next := sameDaemon(t, e)
	next.bridge = e.bridge
	for range 2 {
		if err := next.Create(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
	}
	b := attach(t, next, spec)
	b.want("timeout 5 wget -q -O - http://"+e.gateway(t)+":"+portOf(hostServer(t))+"/", "reached")
	b.want("grep -c \"$(hostname)\" /etc/hosts", "1")
	if links := hostLinks(t, w); len(links) != 1 {
		t.Errorf("interfaces %q", links)
	}
	if err := e.Kill(t.Context(), spec.ID); err != nil {
		t.Fatal(err)
	}
	noLinks(t, w)
}

// TestFillJoinsWhatAFormerDaemonOnlyStarted: a job can be given a sandbox of a former daemon before anybody looked at it, and
// that daemon may have died between the container's start and its plugging.
func TestFillJoinsWhatAFormerDaemonOnlyStarted(t *testing.T) {
	t.Parallel()
	e := wiredEngine(t)
	spec := newSpec(t, e, nil)
	warm(t, e, spec)
	p, err := e.inside(t.Context(), spec.ID)
	if err != nil {
		t.Fatal(err)
	}
	w := e.wiring.Load()
	if err := wired(p.pid, w, func(c *cable) error {
		return c.inside.LinkDel(&netlink.GenericLink{LinkAttrs: netlink.LinkAttrs{Name: jobLink}})
	}); err != nil {
		t.Fatal(err)
	}
	next := sameDaemon(t, e)
	next.bridge = e.bridge
	if err := next.Fill(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	b := attach(t, next, spec)
	b.want("timeout 5 wget -q -O - http://"+e.gateway(t)+":"+portOf(hostServer(t))+"/", "reached")
	if !next.wall.raised.Load() {
		t.Error("no daemon of this process looked at the firewall before the job")
	}
	if links := hostLinks(t, w); len(links) != 1 {
		t.Errorf("interfaces %q", links)
	}
}

// TestSandboxThatCannotBePlugged is joined by the engine, and so are those after it.
func TestSandboxThatCannotBePlugged(t *testing.T) {
	t.Parallel()
	e := wiredEngine(t)
	w := *e.wiring.Load()
	w.mtu = 1
	e.wiring.Store(&w)
	for range 2 {
		b := start(t, e, newSpec(t, e, nil))
		b.want("ls /sys/class/net", "eth0\nlo")
		if ip, _ := b.sh("hostname -i"); w.pool.Contains(netip.MustParseAddr(strings.TrimSpace(ip))) {
			t.Errorf("address %s is not the engine's", ip)
		}
	}
	if !e.unwired.Load() || len(hostLinks(t, &w)) > 0 {
		t.Errorf("tried again: %v; left: %q", !e.unwired.Load(), hostLinks(t, &w))
	}
}

// TestNetworkIsPrunedUnderJobs tells of an admin who does not see that jobs are on it, because the engine does not. The
// second of two daemons shares the network.
func TestNetworkIsPrunedUnderJobs(t *testing.T) {
	t.Parallel()
	e := wiredEngine(t)
	w := e.wiring.Load()
	other := newEngine(t, mountMode)
	other.bridge = e.bridge
	one, two, server := start(t, e, newSpec(t, e, nil)), start(t, other, newSpec(t, other, nil)), hostServer(t)
	get := "wget -q -O - http://" + w.gateway.Addr().String() + ":" + portOf(server) + "/"
	patient := "for i in $(seq 40); do timeout 2 " + get + " 2>/dev/null && break; sleep 0.5; done"
	for range 2 {
		if err := e.api.NetworkRemove(t.Context(), e.bridge); err != nil {
			t.Fatal(err)
		}
		for _, b := range []*box{one, two} {
			b.want(patient, "reached")
		}
	}
	if links := hostLinks(t, w); len(links) != 2 {
		t.Errorf("interfaces %q", links)
	}
	for _, link := range hostLinks(t, w) {
		if isolated, err := os.ReadFile("/sys/class/net/" + link + "/brport/isolated"); err != nil || string(isolated) != "1\n" {
			t.Errorf("port %s is isolated: %q, %v", link, isolated, err)
		}
	}
	ip, _ := one.sh("hostname -i")
	one.want("echo hello >/tmp/index.html; httpd -p 8080 -h /tmp; wget -q -O - http://"+ip+":8080/", "hello")
	two.refused("timeout 2 wget -q -O - http://" + ip + ":8080/")
	three := start(t, e, newSpec(t, e, nil))
	three.want(get, "reached")
}
