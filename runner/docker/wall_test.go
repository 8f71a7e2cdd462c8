package docker

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/network"

	"github.com/runner-ci/runner/runner"
)

func TestWallRules(t *testing.T) {
	w := wallRules{instance: "i", listeners: []netip.AddrPort{
		netip.MustParseAddrPort("127.0.0.1:1"), netip.MustParseAddrPort("[::]:8080"),
		netip.MustParseAddrPort("10.0.0.5:81"), netip.MustParseAddrPort("[2001:db8::1]:82"),
	}, servers: []netip.Addr{netip.MustParseAddr("9.9.9.9"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("2620:fe::fe")}}
	for _, tt := range []struct {
		six, plain bool
		want       []string
		not        []string
	}{
		{false, false, []string{
			"-A RUNNER-JOBS -d 169.254.0.0/16 -j REJECT", "-A RUNNER-JOBS -d 169.254.0.0/16 -p tcp -j REJECT --reject-with tcp-reset",
			"-A RUNNER-JOBS -m conntrack --ctorigdst 169.254.0.0/16 -j REJECT",
			"-A RUNNER-PRIVATE -d 10.0.0.0/8 -j RETURN", "-A RUNNER-PRIVATE -d 9.9.9.9 -p udp --dport 53 -j RETURN", "-A RUNNER-PRIVATE -j REJECT",
			"-A RUNNER-SHUT -j REJECT", "-A RUNNER-SHUT -p tcp -j REJECT --reject-with tcp-reset",
			"-A RUNNER-JOBS -p udp --dport 53 -j RETURN", "-A RUNNER-HOST -p tcp --dport 2375 -j REJECT --reject-with tcp-reset", "-A RUNNER-HOST -j RUNNER-JOBS",
			"-A " + ownChain("i") + " -p tcp --dport 8080 -j REJECT --reject-with tcp-reset", "-A " + ownChain("i") + " -d 10.0.0.5 -p tcp --dport 81 -j REJECT --reject-with tcp-reset",
		}, []string{"fd00", "dport 1 ", "dport 82", "127.0.0.1", "2620"}},
		{true, true, []string{
			"-A RUNNER-PRIVATE -d fc00::/7 -j RETURN", "-A RUNNER-PRIVATE -d 2620:fe::fe -p tcp --dport 53 -j RETURN", "-A RUNNER-PRIVATE -j DROP",
			"-A RUNNER-JOBS -d fd00:ec2::254/128 -j DROP", "-A " + ownChain("i") + " -d 2001:db8::1 -p tcp --dport 82 -j DROP",
			"-A " + ownChain("i") + " -p tcp --dport 8080 -j DROP",
		}, []string{"169.254", "REJECT", "conntrack", "dport 81", "RUNNER-JOBS -d fe80::/10"}},
	} {
		w.six, w.plain = tt.six, tt.plain
		lines := strings.Split(w.restore(), "\n")
		for _, want := range tt.want {
			if !slices.Contains(lines, want) {
				t.Errorf("six %v: no rule %q in\n%s", tt.six, want, w.restore())
			}
		}
		for _, not := range tt.not {
			if strings.Contains(w.restore(), not) {
				t.Errorf("six %v: %q in\n%s", tt.six, not, w.restore())
			}
		}
	}
	for _, tt := range []struct {
		j    jump
		want string
	}{
		{jump{"INPUT", wallHost}, "-i br-run-+ -j RUNNER-HOST"},
		{jump{"INPUT", wallShut}, "-i br-run-x+ -j RUNNER-SHUT"},
		{jump{"DOCKER-USER", wallPrivate}, "-i br-run-p+ ! -o br-run-p+ -j RUNNER-PRIVATE"},
	} {
		if got := strings.Join(tt.j.spec(), " "); got != tt.want {
			t.Errorf("the jump is %q, want %q", got, tt.want)
		}
	}
	if own := (wallRules{instance: "i", listeners: w.listeners[:1]}).own(); own != "" {
		t.Errorf("a listener of the loopback interface made chain %s", own)
	}
}

// hostServer is a server on every address of this machine, and its port.
func hostServer(t *testing.T) net.Addr {
	t.Helper()
	ln, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "reached") }))
	s.Listener.Close()
	s.Listener = ln
	s.Start()
	t.Cleanup(s.Close)
	return ln.Addr()
}

func portOf(a net.Addr) string {
	_, port, _ := net.SplitHostPort(a.String())
	return port
}

// TestWall tells of a job that looks for what is not its business, with and without services, and finds what is.
func TestWall(t *testing.T) {
	e := newEngine(t)
	daemon, registry := hostServer(t), hostServer(t)
	e.HideListener(daemon)
	t.Cleanup(func() { forgetWall(t, e) })
	plain, served := newSpec(t, e, nil), newSpec(t, e, nil)
	served.Services = []runner.Service{web(served, "db", "data", "0")}
	boxes := []*box{start(t, e, plain)}
	if err := e.FirewallTrouble(); err != nil {
		t.Skipf("this machine's firewall cannot be set: %v", err)
	}
	boxes = append(boxes, start(t, e, served))
	metadata := metadataAddress(t)
	for _, b := range boxes {
		gateway, _ := b.sh("ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p'")
		for _, host := range []string{gateway, "192.0.2.2"} {
			if !localAddress(host) {
				continue
			}
			b.want("timeout 5 wget -q -O - http://"+host+":"+portOf(registry)+"/", "reached")
			b.refusedAtOnce("timeout 30 wget -q -O - http://" + host + ":" + portOf(daemon) + "/")
			b.refusedAtOnce("timeout 30 wget -q -O - http://" + host + ":2375/version")
		}
		b.refusedAtOnce("timeout 30 wget -q -O - http://" + metadata + "/latest/meta-data/")
		b.refusedAtOnce("timeout 30 wget -q -O - http://169.254.170.2/")
		b.refusedAtOnce("timeout 30 wget -q -O - http://100.100.100.200/")
	}

	// Another daemon changes nothing for this one; who flushes the firewall does, until it is looked at again.
	other := newEngine(t)
	start(t, other, newSpec(t, other, nil)).refusedAtOnce("timeout 30 wget -q -O - http://" + metadata + "/")
	boxes[0].refusedAtOnce("timeout 30 wget -q -O - http://" + e.gateway(t) + ":" + portOf(daemon) + "/")
	iptablesRun(t, e, "-F", ownChain(e.opts.Instance))
	boxes[0].want("timeout 5 wget -q -O - http://"+e.gateway(t)+":"+portOf(daemon)+"/", "reached")
	e.wall.mending.Lock()
	err := e.lookAtWall(t.Context())
	e.wall.mending.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	boxes[0].refusedAtOnce("timeout 30 wget -q -O - http://" + e.gateway(t) + ":" + portOf(daemon) + "/")
}

// refusedAtOnce runs one line that must fail before its own time-out.
func (b *box) refusedAtOnce(line string) {
	b.t.Helper()
	began := time.Now()
	b.refused(line)
	if took := time.Since(began); took > 20*time.Second {
		b.t.Errorf("%s: failed only after %s", line, took)
	}
}

// metadataAddress gives this machine a metadata service of its own while the test runs, where it has none and may, so
// that there is something to reach.
func metadataAddress(t *testing.T) string {
	t.Helper()
	const addr = "169.254.169.254"
	if c, err := net.DialTimeout("tcp", addr+":80", time.Second); err == nil {
		c.Close()
		return addr // this machine is in a cloud
	}
	if out, err := exec.Command("ip", "addr", "add", addr+"/32", "dev", "lo").CombinedOutput(); err != nil {
		t.Logf("no metadata service for this test: %v %s", err, out)
		return addr
	}
	t.Cleanup(func() { _ = exec.Command("ip", "addr", "del", addr+"/32", "dev", "lo").Run() })
	ln, err := net.Listen("tcp", addr+":80")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "credentials") })}
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() { s.Close() })
	return addr
}

func localAddress(host string) bool {
	addrs, _ := net.InterfaceAddrs()
	return slices.ContainsFunc(addrs, func(a net.Addr) bool { return strings.HasPrefix(a.String(), host+"/") })
}

func (e *Engine) gateway(t *testing.T) string {
	t.Helper()
	n, err := e.api.NetworkInspect(t.Context(), e.bridge, network.InspectOptions{})
	if err != nil || len(n.IPAM.Config) == 0 {
		t.Fatalf("network %+v, %v", n, err)
	}
	return n.IPAM.Config[0].Gateway
}

func iptablesRun(t *testing.T, e *Engine, args ...string) {
	t.Helper()
	for _, tab := range e.wall.families {
		if !tab.six {
			if _, err := tab.run(t.Context(), args...); err != nil {
				t.Error(err)
			}
		}
	}
}

// forgetWall removes the chains of the test's own daemon. The common ones stay, for those who share the machine.
func forgetWall(t *testing.T, e *Engine) {
	own := ownChain(e.opts.Instance)
	for _, tab := range e.wall.families {
		for _, args := range [][]string{append([]string{"-D", "INPUT"}, jump{"INPUT", own}.spec()...), {"-F", own}, {"-X", own}} {
			cmd := exec.Command(tab.program, append([]string{"-w", lockWait}, args...)...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Logf("%q: %v %s", args, err, out)
			}
		}
	}
}

func TestWallIsOffOrElsewhere(t *testing.T) {
	t.Parallel()
	e := newEngine(t, func(o *Options) { o.Firewall = firewallOff })
	start(t, e, newSpec(t, e, nil)).want("true", "")
	if e.wall.raised.Load() || e.FirewallTrouble() != nil {
		t.Errorf("it is off, and was raised: %v", e.FirewallTrouble())
	}
	if _, err := New(Options{Engine: "e", Instance: "i", DataDir: t.TempDir(), Agent: standInSource, Firewall: "on"}); err == nil {
		t.Error("firewall: on was taken")
	}
	far := newEngine(t)
	far.bridge = "runner-far-" + randomID()
	if _, err := far.api.NetworkCreate(t.Context(), far.bridge, network.CreateOptions{Driver: "bridge", Options: map[string]string{enableICC: "false"}}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = far.api.NetworkRemove(t.Context(), far.bridge) }()
	if err := far.raiseWall(t.Context()); err != nil {
		t.Errorf("jobs do not run there: %v", err)
	}
	if err := far.FirewallTrouble(); err == nil || !strings.Contains(err.Error(), "not on this machine, as") {
		t.Errorf("an engine whose bridge is not seen here: %v", err)
	}
}
