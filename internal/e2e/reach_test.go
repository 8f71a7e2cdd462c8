package e2e

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestAJobReachesWhatItsNetworkLetsIt runs one repository's commit as a trusted and as an untrusted build, with less than that by
// its own buildspec, in a sandbox that waited, and on an engine that cannot keep a job to its network.
func TestAJobReachesWhatItsNetworkLetsIt(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("iptables"); err != nil || os.Geteuid() != 0 {
		t.Skip("the firewall's rules need root and iptables")
	}
	git := newGitServer(t)
	const look = "ls /sys/class/net; ip -4 route | grep -c default; timeout 5 wget -q -O - http://192.0.2.7/ 2>&1 | grep -o refused"
	buildspec := spec(look + "; true")
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": buildspec})
	_, shy, alone := git.repo("shy", map[string]string{"buildspec.yml": buildspec + "x-runner: {network: none}\n"})
	_, held, third := git.repo("held", map[string]string{"buildspec.yml": buildspec})
	d := newDaemon(t, "slots: 1\nwarm: auto\nnetwork: private\nengines: [{id: local}, {id: bare, firewall: off}]\n",
		project("api", url, "network-untrusted: none"), project("shy", shy), project("held", held, "engine: bare"))

	private, none := []string{"eth0\n", "lo\n", "1\n", "refused\n"}, []string{"lo\n", "0\n"}
	for _, step := range []struct{ url, ref, commit string }{
		{url, "refs/heads/main", commit}, {url, "refs/heads/feature", commit}, {shy, "refs/heads/main", alone},
	} {
		b := d.ended(d.pushTo(step.url, step.ref, step.commit), "SUCCEEDED")
		want := none
		if b.Trusted && step.url == url {
			want = private
		}
		if got := d.said(b); !slices.Equal(got, want) {
			t.Errorf("%s of %s said %q, want %q", step.ref, step.url, got, want)
		}
	}
	d.waiting(1) // with no network, as the last jobs had
	if b := d.ended(d.push(shy, alone), "SUCCEEDED"); !b.Jobs[0].Warm || !slices.Equal(d.said(b), none) {
		t.Errorf("a job in a sandbox that waited (%t) said %q", b.Jobs[0].Warm, d.said(b))
	}
	b := d.ended(d.push(held, third), "FAULT")
	if j := b.Jobs[0]; j.Reason != "network" || !strings.Contains(j.Message, "engine bare has firewall: off") || len(d.said(b)) != 0 {
		t.Errorf("where the network cannot be kept it says %s: %s", j.Reason, j.Message)
	}
}
