package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestAJobCannotReachTheDaemonThatListensEverywhere tells of a job that asks the host for the daemon's listener, and of
// an admin who says that the firewall is none of our business.
func TestAJobCannotReachTheDaemonThatListensEverywhere(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("iptables"); err != nil || os.Geteuid() != 0 {
		t.Skip("the firewall's rules need root and iptables")
	}
	git := newGitServer(t)
	for setting, want := range map[string]string{"auto": "the daemon is out of reach", "off": "the daemon answers"} {
		t.Run(setting, func(t *testing.T) {
			_, port, _ := net.SplitHostPort(freeAddress(t))
			_, url, commit := git.repo("net-"+setting, map[string]string{"buildspec.yml": spec(
				`HOST=$(ip route | sed -n 's/^default via \([^ ]*\).*/\1/p')`,
				`if timeout 10 wget -q -O - http://$HOST:`+port+`/healthz >/dev/null 2>&1; then echo "the daemon answers"; else echo "the daemon is out of reach"; fi`,
			)})
			d := newDaemonAt(t, "0.0.0.0:"+port, "engines: [{id: local, firewall: "+setting+"}]\n", project("net", url))
			t.Cleanup(func() { forgetRules(d.instance) })
			b := d.ended(d.push(url, commit), "SUCCEEDED")
			if log := d.logs(b); !strings.Contains(log, "\n"+want+"\n") {
				t.Errorf("the job said:\n%s", log)
			}
			info, err := d.Daemon(t.Context())
			if err != nil || len(info.Warnings) != 1 || !strings.HasPrefix(info.Warnings[0], "TOKENS AND LOGS CROSS THE NETWORK IN CLEAR") {
				t.Errorf("warnings %q, %v; want the one about TLS", info.Warnings, err)
			}
		})
	}
}

// forgetRules removes the chain that a daemon made for its own listener.
func forgetRules(instance string) {
	sum := sha256.Sum256([]byte(instance))
	chain := "RUNNER-" + hex.EncodeToString(sum[:6])
	for _, program := range []string{"iptables", "ip6tables"} {
		for _, args := range [][]string{{"-D", "INPUT", "-i", "br-run-+", "-j", chain}, {"-F", chain}, {"-X", chain}} {
			_ = exec.Command(program, append([]string{"-w"}, args...)...).Run()
		}
	}
}
