package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/network"
	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/runner"
)

// Addresses of a machine beyond this one, of which one is like a public one, and of this machine itself.
const (
	beyondPublic  = "198.51.100.9"
	beyondPrivate = "10.213.7.9"
	herePublic    = "198.51.100.10"
)

// elsewhere is a machine to which this one forwards, with a web server and a name server that says nothing.
type elsewhere struct {
	port string // of the web server
	mu   sync.Mutex
	got  []string // what the name server was sent
}

func beyond(t *testing.T) *elsewhere {
	t.Helper()
	type made struct {
		tcp net.Listener
		udp net.PacketConn
		err error
	}
	done := make(chan made, 1)
	go onOwnThread(func() {
		var m made
		defer func() { done <- m }()
		if m.err = unix.Unshare(unix.CLONE_NEWNET); m.err != nil {
			return
		}
		home := fmt.Sprintf("nsenter --net=/proc/%d/ns/net ip ", unix.Getpid())
		far := fmt.Sprintf("/proc/%d/task/%d/ns/net", unix.Getpid(), unix.Gettid())
		for _, line := range []string{
			home + "link add beyond0 type veth peer name eth0 netns " + far,
			"ip link set lo up; ip link set eth0 up; ip addr add " + beyondPublic + "/24 dev eth0; ip addr add " + beyondPrivate + "/24 dev eth0",
			home + "addr add " + herePublic + "/24 dev beyond0",
			home + "addr add 10.213.7.1/24 dev beyond0",
			home + "link set beyond0 up",
			"ip route add default via 10.213.7.1",
		} {
			if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil {
				m.err = fmt.Errorf("%s: %w: %s", line, err, out)
				return
			}
		}
		if m.tcp, m.err = net.Listen("tcp", "0.0.0.0:0"); m.err == nil {
			m.udp, m.err = net.ListenPacket("udp", "0.0.0.0:53")
		}
	})
	t.Cleanup(func() { _ = exec.Command("ip", "link", "del", "beyond0").Run() })
	m := <-done
	if m.err != nil {
		t.Skipf("no other machine can be made for this test: %v", m.err)
	}
	far := &elsewhere{port: portOf(m.tcp.Addr())}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "reached") })}
	go func() { _ = s.Serve(m.tcp) }()
	go far.listen(m.udp)
	t.Cleanup(func() { s.Close(); m.udp.Close() })
	return far
}

func (f *elsewhere) listen(conn net.PacketConn) {
	var b [512]byte
	for {
		n, _, err := conn.ReadFrom(b[:])
		if err != nil {
			return
		}
		f.mu.Lock()
		f.got = append(f.got, string(b[:n]))
		f.mu.Unlock()
	}
}

// told tells whether a job can get a word out as a question for a name.
func (f *elsewhere) told(b *box, host string) bool {
	word := randomID()
	b.sh("timeout 1 nslookup " + word + ".example.com " + host)
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.got, func(s string) bool { return strings.Contains(s, word) })
}

// TestReach tells of jobs that try to get where their network does not let them: with and without services, by TCP and
// by questions for names, to this machine and beyond it.
func TestReach(t *testing.T) {
	t.Parallel()
	far, here := beyond(t), portOf(hostServer(t))
	port := far.port
	e := newEngine(t)
	spec := func(n runner.Network, served bool) runner.SandboxSpec {
		s := newSpec(t, e, nil)
		if s.Network = n; served {
			s.Services = []runner.Service{web(s, "db", "data", "0")}
		}
		return s
	}
	open := start(t, e, spec(runner.NetworkOpen, false))
	if err := e.FirewallTrouble(); err != nil {
		t.Skipf("this machine's firewall cannot be set: %v", err)
	}
	tcp := func(host, port string) string { return "timeout 8 wget -q -O - http://" + host + ":" + port + "/" }
	say := func(b *box, host string, want bool) {
		t.Helper()
		if got := far.told(b, host); got != want {
			t.Errorf("with network %q a question to the name server %s arrived: %t", b.spec.Network, host, got)
		}
	}
	for _, host := range []string{beyondPublic, beyondPrivate} {
		open.want(tcp(host, port), "reached")
		say(open, host, true)
	}
	open.want(tcp(herePublic, here), "reached")

	warmed := spec(runner.NetworkPrivate, false)
	private, withDB := start(t, e, spec(runner.NetworkPrivate, false)), start(t, e, spec(runner.NetworkPrivate, true))
	boxes := []*box{private, withDB}
	if err := e.CanWarm(t.Context(), warmed); err == nil {
		warm(t, e, warmed)
		if err := e.Fill(t.Context(), warmed); err != nil {
			t.Fatal(err)
		}
		boxes = append(boxes, attach(t, e, warmed))
	}
	for _, b := range boxes {
		b.refusedAtOnce(tcp(beyondPublic, port))
		say(b, beyondPublic, false)
		b.refusedAtOnce(tcp(herePublic, here))
		b.want(tcp(beyondPrivate, port), "reached")
		say(b, beyondPrivate, true)
	}
	withDB.want("wget -q -O - http://db/", "data")
	db := serviceName(withDB.spec.ID, "db")
	if got, err := e.run(t, db, tcp(beyondPublic, port)+" || echo refused"); err != nil || !strings.HasSuffix(strings.TrimSpace(got), "refused") {
		t.Errorf("a service of a private job: %q, %v", got, err)
	}

	alone, served := start(t, e, spec(runner.NetworkNone, false)), start(t, e, spec(runner.NetworkNone, true))
	alone.want("ls /sys/class/net", "lo")
	served.want("wget -q -O - http://db/", "data")
	gateway, _ := served.sh("ip -4 route | sed -n 's,^\\([0-9.]*\\)\\.[0-9]*/.*,\\1.1,p'")
	for _, b := range []*box{alone, served} {
		for _, host := range []string{beyondPublic, beyondPrivate} {
			b.refusedAtOnce(tcp(host, port))
			say(b, host, false)
		}
		b.refusedAtOnce(tcp(herePublic, here))
		b.refusedAtOnce(tcp(gateway, here))
		b.refused("timeout 2 nslookup data.in.names.example.com")
	}
	if got, err := e.run(t, serviceName(served.spec.ID, "db"), tcp(beyondPrivate, port)+" || echo refused"); err != nil || !strings.HasSuffix(strings.TrimSpace(got), "refused") {
		t.Errorf("a service of a job without network: %q, %v", got, err)
	}

	// Who changes the rules changes them until a daemon looks at them: here the next one, at its start. This rule, at the end,
	// opens nothing, for the chain is every daemon's on this machine.
	iptablesRun(t, e, "-A", wallPrivate, "-d", "203.0.113.77", "-j", "RETURN")
	next := sameDaemon(t, e)
	if err := next.raiseWall(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rules, err := next.wall.families[0].run(t.Context(), "-S", wallPrivate); err != nil || strings.Contains(rules, "203.0.113.77") {
		t.Errorf("the rules are still changed: %v\n%s", err, rules)
	}
	attach(t, next, private.spec).refusedAtOnce(tcp(beyondPublic, port))
}

// TestReachThatCannotBeHeld is refused, where it must be, and given where nothing has to hold it.
func TestReachThatCannotBeHeld(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("it is about Linux's firewall")
	}
	for name, tt := range map[string]struct {
		network  runner.Network
		served   bool
		change   func(*runner.SandboxSpec)
		options  func(*Options)
		expected string
	}{
		"firewall off":             {runner.NetworkPrivate, false, nil, func(o *Options) { o.Firewall = firewallOff }, "has firewall: off"},
		"firewall off, none":       {runner.NetworkNone, false, nil, func(o *Options) { o.Firewall = firewallOff }, ""},
		"firewall off, served":     {runner.NetworkNone, true, nil, func(o *Options) { o.Firewall = firewallOff }, "has firewall: off"},
		"another network":          {runner.NetworkPrivate, false, nil, func(o *Options) { o.Network = "ci" }, `on network "ci", for which`},
		"an engine without":        {runner.NetworkPrivate, false, nil, func(o *Options) { o.Network = networkNone }, ""},
		"privileged":               {runner.NetworkPrivate, false, func(s *runner.SandboxSpec) { s.Privileged = true }, nil, "root on the machine"},
		"privileged without":       {runner.NetworkNone, false, func(s *runner.SandboxSpec) { s.Privileged = true }, nil, "root on the machine"},
		"firewall out of reach":    {runner.NetworkPrivate, false, nil, nil, "cannot be set: no root"},
		"copied, without anything": {runner.NetworkNone, false, nil, copyMode, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t)
			if tt.options != nil {
				e = newEngine(t, tt.options)
			}
			spec := newSpec(t, e, nil)
			if spec.Network = tt.network; tt.served {
				spec.Services = []runner.Service{web(spec, "db", "data", "0")}
			}
			if tt.change != nil {
				tt.change(&spec)
			}
			if strings.HasPrefix(tt.expected, "cannot be set") {
				e.wall.raised.Store(true)
				e.wall.trouble = errors.New("no root")
			}
			err := e.Create(t.Context(), spec)
			var refused *runner.NetworkError
			switch {
			case tt.expected == "" && err != nil:
				t.Fatal(err)
			case tt.expected == "":
				attach(t, e, spec).want("ls /sys/class/net", "lo")
			case !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.expected):
				t.Errorf("%T: %v; want %q", err, err, tt.expected)
			}
		})
	}
}

// TestReachThatChanged tells of a daemon that died before it started a sandbox, and of another word in the settings since.
func TestReachThatChanged(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	start(t, e, newSpec(t, e, nil))
	if err := e.FirewallTrouble(); err != nil {
		t.Skipf("this machine's firewall cannot be set: %v", err)
	}
	half := newSpec(t, e, nil)
	l, err := e.launch(t.Context(), half)
	if err == nil {
		_, err = l.make(t.Context(), containerName(half.ID))
	}
	if err != nil {
		t.Fatal(err)
	}
	half.Network = runner.NetworkNone
	start(t, e, half).want("ls /sys/class/net", "lo")

	served := newSpec(t, e, nil)
	if err := e.ensureOwnNetwork(t.Context(), served); err != nil {
		t.Fatal(err)
	}
	served.Network, served.Services = runner.NetworkPrivate, []runner.Service{web(served, "db", "data", "0")}
	start(t, e, served).want("wget -q -O - http://db/", "data")
	if found, err := e.ownNetworks(t.Context(), served.ID); err != nil || len(found) != 1 || !strings.HasPrefix(found[0].Options[bridgeOption], bridgePrivate) {
		t.Errorf("its network is %+v, %v", found, err)
	}
}

// TestWallOfIPv6 tells of a job on an engine that gives IPv6 to our network, which looks for the same there.
func TestWallOfIPv6(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	e.bridge = "runner-six-" + randomID()
	on := true
	options := networkOptions(e.bridge, runner.NetworkOpen)
	options.EnableIPv6 = &on
	options.IPAM = &network.IPAM{Config: []network.IPAMConfig{{Subnet: "fd9a:7d3c:1::/64", Gateway: "fd9a:7d3c:1::1"}}}
	if _, err := e.api.NetworkCreate(t.Context(), e.bridge, options); err != nil {
		t.Skipf("this engine makes no network with IPv6: %v", err)
	}
	t.Cleanup(func() { _ = e.api.NetworkRemove(context.WithoutCancel(t.Context()), e.bridge) })
	const metadata = "fd00:ec2::254"
	if out, err := exec.Command("ip", "-6", "addr", "add", metadata+"/128", "dev", "lo", "nodad").CombinedOutput(); err != nil {
		t.Skipf("this machine has no IPv6: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "-6", "addr", "del", metadata+"/128", "dev", "lo").Run() })
	listen := func() net.Addr {
		ln, err := net.Listen("tcp6", "[::]:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "reached") })}
		go func() { _ = s.Serve(ln) }()
		t.Cleanup(func() { s.Close() })
		return ln.Addr()
	}
	daemon, registry := listen(), listen()
	e.HideListener(daemon)
	t.Cleanup(func() { forgetWall(t, e) })
	b := start(t, e, newSpec(t, e, nil))
	if err := e.FirewallTrouble(); err != nil {
		t.Skipf("this machine's firewall cannot be set: %v", err)
	}
	get := func(host string, at net.Addr) string {
		return "timeout 20 wget -q -O - 'http://[" + host + "]:" + portOf(at) + "/'"
	}
	nic, err := net.InterfaceByName(bridgeName(e.bridge))
	if err != nil {
		t.Fatal(err)
	}
	link := ""
	if addrs, err := nic.Addrs(); err == nil {
		for _, a := range addrs {
			if ip, _, err := net.ParseCIDR(a.String()); err == nil && ip.IsLinkLocalUnicast() {
				link = ip.String()
			}
		}
	}
	b.want(get("fd9a:7d3c:1::1", registry), "reached")
	b.want(get(link+"%eth0", registry), "reached")
	b.refusedAtOnce(get(metadata, registry))
	for _, host := range []string{"fd9a:7d3c:1::1", link + "%eth0"} {
		b.refusedAtOnce(get(host, daemon))
		b.refusedAtOnce("timeout 20 wget -q -O - 'http://[" + host + "]:2375/'")
	}
	// A job that may reach private addresses alone has none of IPv6, whatever the engine gives.
	private := newSpec(t, e, nil)
	private.Network = runner.NetworkPrivate
	start(t, e, private).want("ip -6 addr show dev eth0 | wc -l", "0")
	if err := e.Remove(t.Context(), private.ID); err != nil {
		t.Fatal(err)
	}
	if err := e.api.NetworkRemove(t.Context(), e.privateName()); err != nil {
		t.Error(err)
	}
}
