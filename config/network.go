package config

import "slices"

// What jobs may reach, the widest first.
const (
	NetworkOpen    = "open"    // whatever the engine's host can reach, but for what every job is kept from
	NetworkPrivate = "private" // private addresses and the host's name servers
	NetworkNone    = "none"    // nothing but themselves and their services
)

var networks = []string{NetworkOpen, NetworkPrivate, NetworkNone}

// NetworkOf is what a project's jobs may reach: its own word or else the daemon's, narrowed for those that are not
// trusted by both of theirs for such, and by what the buildspec asks for. Empty words narrow nothing.
func (c *Config) NetworkOf(p *Project, trusted bool, asked string) string {
	of := narrower(NetworkOpen, or(p.Network, c.Network))
	if !trusted {
		of = narrower(of, narrower(c.NetworkUntrusted, p.NetworkUntrusted))
	}
	return narrower(of, asked)
}

func narrower(a, b string) string {
	if slices.Index(networks, b) > slices.Index(networks, a) {
		return b
	}
	return a
}

// checkNetworks looks at the two words of a daemon or of a project.
func (f *faults) checkNetworks(all, untrusted string) {
	for field, word := range map[string]string{"network": all, "network-untrusted": untrusted} {
		if word != "" {
			f.oneOf(field, word, networks...)
		}
	}
	if all != "" && slices.Contains(networks, untrusted) && narrower(untrusted, all) != untrusted {
		f.add("network-untrusted", "leave it out: it can only narrow network", "%q lets strangers reach more than network: %s lets anybody", clip(untrusted), clip(all))
	}
}
