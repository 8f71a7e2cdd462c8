package config

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestHowTheDaemonIsReachedAndLoggedInTo(t *testing.T) {
	c, err := Parse("/etc/runner/runner.yml", []byte(`
listen: :8443
url: https://ci.example.com
tls: {certificate: tls/cert.pem, key: /etc/key.pem, redirect: ":80"}
trusted-proxies: [10.0.0.5, 192.168.0.0/24, "fd00::/8"]
retention: {audit: 30d}
access:
  session-age: 1h
  oidc:
    issuer: https://login.example.com
    client-id: runner
    client-secret: file:oidc
    roles: [{group: dev, scope: submit, projects: [api]}]
projects: [{name: api, url: "https://github.com/example/api.git", visibility: public}]
`))
	if err != nil {
		t.Fatal(err)
	}
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.5/32"), netip.MustParsePrefix("192.168.0.0/24"), netip.MustParsePrefix("fd00::/8")}
	if c.TLS.Certificate != "/etc/runner/tls/cert.pem" || c.Access.OIDC.ClientSecret != "file:/etc/runner/oidc" || !slices.Equal(c.Proxies(), proxies) ||
		c.Access.SessionAge != time.Hour || c.Access.SessionIdle != DefaultSessionIdle || c.Retention.Audit != 30*24*time.Hour || !c.Secure() || c.Exposed() {
		t.Errorf("%+v", c)
	}
	if d := Default(); d.Projects != nil || d.Retention.Audit != DefaultAudit || d.Secure() || d.TLS.On() || d.Access.OIDC.On() {
		t.Errorf("defaults: %+v", d)
	}
}

func TestWrongSettingsOfAccessAreNamed(t *testing.T) {
	for text, says := range map[string]string{
		"tls: {certificate: a.pem}":                                                   "one of certificate and key is missing",
		"tls: {redirect: ':80'}":                                                      "no TLS to redirect to",
		"tls: {acme: {email: a@example.com}}":                                         "no host is named",
		"tls: {acme: {hosts: ['*.example.com']}}":                                     "no name of a host",
		"tls: {acme: {hosts: [a.example.com]}, certificate: a, key: b}":               "there are files too",
		"tls: {acme: {hosts: [a.example.com], directory: 'http://a'}}":                "no address of that kind",
		"{url: 'http://a.example.com', tls: {certificate: a, key: b}}":                "does not",
		"trusted-proxies: [10.0.0.0/33]":                                              "no network",
		"access: {session-idle: 5s}":                                                  "less than a minute",
		"access: {oidc: {client-id: a}}":                                              "the issuer is missing",
		"access: {oidc: {issuer: 'http://a.example.com', client-id: a}}":              "anybody in between",
		"access: {oidc: {issuer: 'https://a.example.com'}}":                           "client-id: it is missing",
		"access: {oidc: {issuer: 'https://a.example.com', client-id: a}}":             "nobody could log in",
		"access: {oidc: {issuer: 'https://a.example.com', roles: [{scope: root}]}}":   `"root" is not known`,
		"access: {oidc: {issuer: 'https://a', roles: [{scope: read, group: a}]}}":     "no project is named",
		"access: {oidc: {issuer: 'https://a', client-id: a, client-secret: hunter2}}": "may not stand here",
		"projects: [{name: api, url: 'https://a/b.git', visibility: pubic}]":          `did you mean "public"?`,
	} {
		_, err := Parse("runner.yml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the secret is repeated: %v", err)
		}
	}
}

func TestADaemonThatIsReachedInClearKnowsIt(t *testing.T) {
	for text, want := range map[string]bool{
		"listen: 127.0.0.1:80": false, "listen: localhost:80": false, "listen: '[::1]:80'": false, "listen: :80": true, "listen: 0.0.0.0:80": true,
		"listen: 192.168.0.4:80": true, "{listen: ':80', url: 'https://ci.example.com'}": false, "{listen: ':80', tls: {certificate: a, key: b}}": false,
	} {
		c, err := Parse("runner.yml", []byte(text))
		if err != nil || c.Exposed() != want {
			t.Errorf("%s: %v, %v", text, c.Exposed(), err)
		}
	}
}
