package docker

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
)

// Chains of ours in the filter table. wallJobs says where no job may go, by whatever way; wallHost what it may not have
// from the engine's host itself. Their rules are the same for all daemons.
const (
	wallJobs = "RUNNER-JOBS"
	wallHost = "RUNNER-HOST"
	// wallPrivate says where jobs may go that reach private addresses alone, wallShut that those go nowhere that reach
	// nothing but their services.
	wallPrivate = "RUNNER-PRIVATE"
	wallShut    = "RUNNER-SHUT"
)

// fromJobs matches what comes from a bridge of ours: see bridgeName.
const fromJobs = "-i br-run-+"

// forbidden are addresses at which clouds give their machines credentials and configuration. All of IPv4's
// link-local addresses are among them (AWS, Google, Azure, Oracle and others use 169.254.169.254, Amazon's containers
// 169.254.170.2); IPv6 cannot do without its own.
var forbidden = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"),
	netip.MustParsePrefix("100.100.100.200/32"),  // Alibaba
	netip.MustParsePrefix("168.63.129.16/32"),    // Azure's wire server
	netip.MustParsePrefix("fd00:ec2::254/128"),   // AWS
	netip.MustParsePrefix("fd20:ce::254/128"),    // Google
	netip.MustParsePrefix("fe80::a9fe:a9fe/128"), // OpenStack
}

// privateRanges are the addresses that are nobody's in public, and IPv6's link-local ones, without which nothing there works.
var privateRanges = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"),
	netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("fc00::/7"),
	netip.MustParsePrefix("fe80::/10"),
}

// enginePorts are where engines listen by convention, when they do.
var enginePorts = []uint16{2375, 2376}

// wallRules are what one daemon wants of one family's firewall.
type wallRules struct {
	six       bool
	plain     bool // for kernels without connection tracking by original address and without REJECT
	former    bool // a former process of this daemon left its chain
	instance  string
	listeners []netip.AddrPort // of the daemon and its engine; an unspecified address is every one
	servers   []netip.Addr     // the host's name servers
}

// own is the daemon's chain, with what only it listens on. Empty when it never listened in this family.
func (w wallRules) own() string {
	if len(w.ports()) == 0 && !w.former {
		return ""
	}
	return ownChain(w.instance)
}

func ownChain(instance string) string {
	sum := sha256.Sum256([]byte(instance))
	return "RUNNER-" + hex.EncodeToString(sum[:6])
}

// ports are rules against the listeners that containers could reach.
func (w wallRules) ports() (rules []string) {
	for _, l := range w.listeners {
		to := ""
		switch addr := l.Addr().Unmap(); {
		case addr.IsLoopback() || !addr.IsUnspecified() && addr.Is6() != w.six:
			continue
		case !addr.IsUnspecified():
			to = "-d " + addr.WithZone("").String() + " "
		}
		rules = append(rules, fmt.Sprintf("%s-p tcp --dport %d %s", to, l.Port(), w.reset()))
	}
	return rules
}

// reset answers a connection at once, so that a program which looks for a cloud is not kept waiting. What no answers
// with would reach a connecting program while it cannot yet be told, and make it try again a second later.
func (w wallRules) reset() string {
	if w.plain {
		return "-j DROP"
	}
	return "-j REJECT --reject-with tcp-reset"
}

// no answers what is not TCP.
func (w wallRules) no() string {
	if w.plain {
		return "-j DROP"
	}
	return "-j REJECT"
}

// restore is the text for iptables-restore --noflush, which replaces our chains in one step and leaves others alone.
func (w wallRules) restore() string {
	var b strings.Builder
	chains := []string{wallJobs, wallHost, wallPrivate, wallShut}
	if own := w.own(); own != "" {
		chains = append(chains, own)
	}
	b.WriteString("*filter\n")
	for _, c := range chains {
		fmt.Fprintf(&b, ":%s - [0:0]\n", c)
	}
	add := func(chain, rule string) { fmt.Fprintf(&b, "-A %s %s\n", chain, rule) }
	// Clouds have name servers at such addresses too, and jobs need them.
	add(wallJobs, "-p udp --dport 53 -j RETURN")
	add(wallJobs, "-p tcp --dport 53 -j RETURN")
	for _, net := range forbidden {
		if net.Addr().Is6() != w.six {
			continue
		}
		matches := []string{"-d " + net.String()}
		if !w.plain { // also where the host sends such packets elsewhere, to an agent that gives out credentials
			matches = append(matches, "-m conntrack --ctorigdst "+net.String())
		}
		for _, m := range matches {
			add(wallJobs, m+" -p tcp "+w.reset())
			add(wallJobs, m+" "+w.no())
		}
	}
	for _, port := range enginePorts {
		add(wallHost, fmt.Sprintf("-p tcp --dport %d %s", port, w.reset()))
	}
	add(wallHost, "-j "+wallJobs)
	for _, rule := range w.ports() {
		add(w.own(), rule)
	}
	for _, rule := range w.private() {
		add(wallPrivate, rule)
	}
	for _, rule := range w.nothing() {
		add(wallShut, rule)
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

// private are the rules of wallPrivate.
func (w wallRules) private() (rules []string) {
	for _, net := range privateRanges {
		if net.Addr().Is6() == w.six {
			rules = append(rules, "-d "+net.String()+" -j RETURN")
		}
	}
	for _, s := range w.servers {
		if s.Is6() == w.six && !s.IsLoopback() {
			to := "-d " + s.WithZone("").String()
			rules = append(rules, to+" -p udp --dport 53 -j RETURN", to+" -p tcp --dport 53 -j RETURN")
		}
	}
	return append(rules, w.nothing()...)
}

func (w wallRules) nothing() []string { return []string{"-p tcp " + w.reset(), w.no()} }

// jump is a rule of a chain that is not ours.
type jump struct{ from, to string }

// spec is the jump's rule, as arguments. What goes from a bridge to itself, as from a job to its services, is not among
// what a network's reach is about.
func (j jump) spec() []string {
	in := fromJobs
	switch j.to {
	case wallPrivate:
		in = "-i " + bridgePrivate + "+"
	case wallShut:
		in = "-i " + bridgeShut + "+"
	}
	if in != fromJobs && j.from != "INPUT" {
		in += " ! -o " + strings.TrimPrefix(in, "-i ")
	}
	return append(strings.Fields(in), "-j", j.to)
}

// jumps lead from the chains that packets pass to ours. The engine keeps DOCKER-USER before all rules of its own.
func (w wallRules) jumps(dockerUser bool) []jump {
	forward := "FORWARD"
	if dockerUser {
		forward = "DOCKER-USER"
	}
	all := []jump{
		{forward, wallPrivate}, {"INPUT", wallPrivate}, {forward, wallShut}, {"INPUT", wallShut},
		{forward, wallJobs}, {"INPUT", wallHost},
	}
	if own := w.own(); own != "" {
		all = append(all, jump{"INPUT", own})
	}
	return all
}

// ours are the lines of a listing (iptables -S) that matter to one daemon: its own chain, the common ones, and the
// jumps to them.
func (w wallRules) ours(listing string) string {
	var out strings.Builder
	for line := range strings.Lines(listing) {
		for _, chain := range []string{wallJobs, wallHost, wallPrivate, wallShut, ownChain(w.instance)} {
			if strings.Contains(line+" ", " "+chain+" ") || strings.HasSuffix(strings.TrimSpace(line), " "+chain) {
				out.WriteString(line)
				break
			}
		}
	}
	return out.String()
}
