package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// On tells whether the listener speaks TLS.
func (t TLS) On() bool { return t.Certificate != "" || t.Key != "" || t.ACME.On() }

// On tells whether certificates come from an authority.
func (a ACME) On() bool { return len(a.Hosts) > 0 || a.Email != "" || a.Directory != "" }

// On tells whether there is a provider of identities.
func (o OIDC) On() bool { return o.Issuer != "" }

// Secure tells whether browsers reach the daemon over TLS, its own or a proxy's.
func (c *Config) Secure() bool { return c.TLS.On() || strings.HasPrefix(c.URL, "https://") }

// Exposed tells whether tokens and logs may cross a network in clear: the listener is on more than loopback, and neither it
// nor, by what url says, a proxy before it speaks TLS.
func (c *Config) Exposed() bool {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil || c.Secure() {
		return false
	}
	ip := net.ParseIP(host)
	return host != "localhost" && (ip == nil || !ip.IsLoopback())
}

// Proxies are the trusted proxies as networks.
func (c *Config) Proxies() (out []netip.Prefix) {
	for _, text := range c.TrustedProxies {
		if network, err := network(text); err == nil {
			out = append(out, network)
		}
	}
	return out
}

func network(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		return netip.ParsePrefix(text)
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return address.Prefix(address.BitLen())
}

func (c *Config) checkTLS(f *faults) {
	t := c.TLS
	if (t.Certificate == "") != (t.Key == "") {
		f.add("tls", "give certificate and key, or neither", "one of certificate and key is missing")
	}
	if t.ACME.On() {
		if t.Certificate != "" {
			f.add("tls.acme", "choose one", "there are files too")
		}
		if len(t.ACME.Hosts) == 0 {
			f.add("tls.acme.hosts", "list the names by which the daemon is reached: [ci.example.com]", "no host is named")
		}
		for i, host := range t.ACME.Hosts {
			if host == "" || strings.ContainsAny(host, "/:* ") {
				f.add(fmt.Sprintf("tls.acme.hosts[%d]", i), "write ci.example.com", "%q is no name of a host", clip(host))
			}
		}
		if t.ACME.Directory != "" {
			f.webAddress("tls.acme.directory", t.ACME.Directory, "https")
		}
	}
	switch {
	case t.Redirect == "":
	case !t.On():
		f.add("tls.redirect", "give a certificate, or hosts for acme", "there is no TLS to redirect to")
	default:
		if _, _, err := net.SplitHostPort(t.Redirect); err != nil {
			f.add("tls.redirect", "write :80", "%q is no address", clip(t.Redirect))
		}
	}
	if u, err := url.Parse(c.URL); t.On() && err == nil && u.Scheme == "http" {
		f.add("url", "write https://ci.example.com", "the listener speaks TLS, and %q does not", clip(c.URL))
	}
	for i, text := range c.TrustedProxies {
		if _, err := network(text); err != nil {
			f.add(fmt.Sprintf("trusted-proxies[%d]", i), "write 10.0.0.5 or 10.0.0.0/8", "%q is no address and no network", clip(text))
		}
	}
}

// webAddress checks a URL with a host.
func (f *faults) webAddress(field, text string, schemes ...string) {
	if u, err := url.Parse(text); err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		f.add(field, "write "+schemes[0]+"://host/path", "%q is no address of that kind", clip(text))
	}
}

// scopes are those of package access.
var scopes = []string{"read", "submit", "admin"}

func (c *Config) checkAccess(f *faults) {
	for field, d := range map[string]time.Duration{"session-age": c.Access.SessionAge, "session-idle": c.Access.SessionIdle} {
		if d < time.Minute {
			f.add("access."+field, "write 12h", "%v is less than a minute", d)
		}
	}
	f.oneOf("robots", c.Robots, RobotsDisallow, RobotsAllow)
	o := c.Access.OIDC
	if !o.On() {
		if o.ClientID != "" || o.ClientSecret != "" || len(o.Roles) > 0 {
			f.add("access.oidc", "give issuer, the URL of the provider", "the issuer is missing")
		}
		return
	}
	f.webAddress("access.oidc.issuer", o.Issuer, "https", "http")
	if u, err := url.Parse(o.Issuer); err == nil && u.Scheme == "http" && u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback() {
		f.add("access.oidc.issuer", "write https://", "over plain HTTP anybody in between can log in as anybody")
	}
	if o.ClientID == "" {
		f.add("access.oidc.client-id", "it is what the provider calls this daemon", "it is missing")
	}
	f.err("access.oidc.client-secret", secretHint, o.ClientSecret.Check())
	if c.URL == "" {
		f.add("url", "write https://ci.example.com", "it is missing, and the provider sends browsers back to it")
	}
	if len(o.Roles) == 0 {
		f.add("access.oidc.roles", "write - {group: developers, scope: submit, projects: [api]}", "no group has a role, so nobody could log in")
	}
	for i, r := range o.Roles {
		at := fmt.Sprintf("access.oidc.roles[%d]", i)
		if r.Group == "" {
			f.add(at+".group", "name a group as the provider does", "it is missing")
		}
		f.oneOf(at+".scope", r.Scope, scopes...)
		if len(r.Projects) == 0 || slices.Contains(r.Projects, "") {
			f.add(at+".projects", `list projects, or write ["*"] for all`, "no project is named")
		}
	}
}
