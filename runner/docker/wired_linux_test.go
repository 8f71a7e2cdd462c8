package docker

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner"
)

// joined makes sandboxes of an engine as they are where the daemon cannot join them.
func joined(t testing.TB, e *Engine, spec runner.SandboxSpec) *box {
	t.Helper()
	w := e.wiring.Swap(nil)
	defer e.wiring.Store(w)
	return start(t, e, spec)
}

// TestWiredSandbox sets a sandbox that the daemon joins to its network beside one that the engine does.
func TestWiredSandbox(t *testing.T) {
	t.Parallel()
	e := wiredEngine(t)
	one, two := start(t, e, newSpec(t, e, nil)), start(t, e, newSpec(t, e, nil))
	other := joined(t, e, newSpec(t, e, nil))
	for line, want := range map[string]string{
		"ls /sys/class/net":                           "",
		"cat /sys/class/net/eth0/mtu":                 "",
		"cat /sys/class/net/eth0/operstate":           "",
		"ip -6 addr":                                  "",
		"ip route | grep default":                     "",
		"grep -c \"$(hostname)\" /etc/hosts":          "1",
		"ip -4 addr show lo | grep -c UP":             "1",
		"grep CapEff /proc/self/status":               "",
		"ip link set eth0 down 2>&1":                  "ip: SIOCSIFFLAGS: Operation not permitted",
		"ip addr add 172.16.0.1/8 dev eth0 2>&1":      "ip: RTNETLINK answers: Operation not permitted",
		"ip route add 9.9.9.9 via 9.9.9.8 2>&1":       "ip: RTNETLINK answers: Operation not permitted",
		"arping -c 1 -I eth0 172.16.0.1 2>&1":         "arping: socket: Operation not permitted",
		"ping -c 1 -W 1 " + e.gateway(t) + " 2>&1":    "",
		"nslookup runner.invalid >/dev/null; echo $?": "",
	} {
		got, _ := one.sh(line)
		if want == "" {
			want, _ = other.sh(line)
		}
		if got != want {
			t.Errorf("%s: %q, and %q where the engine joins it", line, got, want)
		}
	}
	asksLikeAnyContainer(t, e, one)

	serve := "echo hello >/tmp/index.html; httpd -p 8080 -h /tmp; hostname -i"
	first, _ := one.sh(serve)
	third, _ := other.sh(serve)
	if pool := e.wiring.Load().pool; !pool.Contains(netip.MustParseAddr(first)) || pool.Contains(netip.MustParseAddr(third)) {
		t.Errorf("addresses %s and %s; ours are %s", first, third, pool)
	}
	one.want("wget -q -O - http://"+first+":8080/", "hello")
	get := "timeout 2 wget -q -O - http://%:8080/index.html"
	two.refused(strings.ReplaceAll(get, "%", first))
	two.refused(strings.ReplaceAll(get, "%", third))
	other.refused(strings.ReplaceAll(get, "%", first))
	two.want("ip neigh | grep -c '"+first+" .*lladdr'; true", "0") // not even by ARP
	// Nor where a job had learnt the other's hardware address, which it cannot set.
	knowNeighbour(t, e, two, first)
	two.refused(strings.ReplaceAll(get, "%", first))
	one.want("wget -q -O - http://"+first+":8080/", "hello")
}

// asksLikeAnyContainer compares the name servers of a sandbox to those of a container on the engine's default network.
func asksLikeAnyContainer(t *testing.T, e *Engine, b *box) {
	t.Helper()
	if _, err := net.InterfaceByName("docker0"); err != nil {
		t.Logf("not compared: %v", err)
		return
	}
	plain, err := e.api.ContainerInspect(t.Context(), bareOn(t, e, "bridge"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(plain.ResolvConfPath)
	if err != nil {
		t.Fatal(err)
	}
	b.want("cat /etc/resolv.conf", strings.TrimSuffix(string(want), "\n"))
}
