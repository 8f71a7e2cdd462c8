package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/access"
)

// logIn opens a session and returns its cookie.
func (d *daemon) logIn(token string) *http.Cookie {
	d.t.Helper()
	resp, body := d.send(http.MethodPost, "/login", http.Header{"Content-Type": {"application/json"}}, []byte(`{"token":"`+token+`"}`))
	if resp.StatusCode != http.StatusOK || len(resp.Cookies()) != 1 {
		d.t.Fatalf("login: %d %s", resp.StatusCode, body)
	}
	return resp.Cookies()[0]
}

// browse sends a request with a cookie, as a page of this daemon would unless header says otherwise.
func (d *daemon) browse(c *http.Cookie, method, path string, header http.Header) (*http.Response, string) {
	d.t.Helper()
	if header == nil {
		header = http.Header{"Sec-Fetch-Site": {"same-origin"}}
	}
	header.Set("Cookie", c.Name+"="+c.Value)
	resp, body := d.send(method, path, header, nil)
	return resp, string(body)
}

func TestABrowserLogsInWithATokenAndOut(t *testing.T) {
	d, _ := gated(t)
	for _, secure := range []bool{false, true} {
		d.handler.Secure = secure
		c := d.logIn(d.token(access.Submit, "api"))
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != secure || strings.HasPrefix(c.Name, "__Host-") != secure || c.Path != "/" || c.Domain != "" || c.MaxAge <= 0 {
			t.Errorf("secure %v: %+v", secure, c)
		}
		if resp, body := d.browse(c, http.MethodGet, "/api/v1/builds/api/1", nil); resp.StatusCode != http.StatusOK {
			t.Errorf("with the cookie: %d %s", resp.StatusCode, body)
		}
		if resp, _ := d.browse(c, http.MethodGet, "/api/v1/tokens", nil); resp.StatusCode != http.StatusForbidden {
			t.Errorf("the session may do more than its token: %d", resp.StatusCode)
		}
		if _, body := d.browse(c, http.MethodGet, "/login", nil); !strings.Contains(body, "logged in as") || strings.Contains(body, "<script>") {
			t.Errorf("the page: %s", body)
		}
		if resp, _ := d.browse(c, http.MethodPost, "/logout", http.Header{"Sec-Fetch-Site": {"cross-site"}}); resp.StatusCode != http.StatusForbidden {
			t.Errorf("another site logged the browser out: %d", resp.StatusCode)
		}
		d.browse(c, http.MethodPost, "/logout", nil)
		if resp, _ := d.browse(c, http.MethodGet, "/api/v1/builds/api/1", nil); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("after the logout the cookie is answered %d", resp.StatusCode)
		}
	}
}

func TestASessionEndsWithItsToken(t *testing.T) {
	d, _ := gated(t)
	made, secret, err := d.access.Create("short", access.Grant{Scope: access.Read, Projects: []string{"api"}}, time.Time{}, "test")
	if err != nil {
		t.Fatal(err)
	}
	c, root := d.logIn(secret), d.logIn(testToken)
	if _, err := d.access.Remove(made.Name); err != nil {
		t.Fatal(err)
	}
	d.handler.Tokens = []Token{NewToken("admin", "another token of the daemon")}
	for name, c := range map[string]*http.Cookie{"a revoked token": c, "a former token of the daemon": root} {
		if resp, _ := d.browse(c, http.MethodGet, "/api/v1/whoami", nil); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("the session of %s: %d", name, resp.StatusCode)
		}
	}
}

func TestAPageOfAnotherSiteCannotUseTheSession(t *testing.T) {
	d, _ := gated(t)
	c := d.logIn(testToken)
	for _, header := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}, {"Origin": {"null"}},
	} {
		if resp, body := d.browse(c, http.MethodPost, "/api/v1/builds/api/1/stop", header.Clone()); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%v: %d %s", header, resp.StatusCode, body)
		}
		h := header.Clone()
		h.Set("Content-Type", "application/json")
		if resp, _ := d.send(http.MethodPost, "/login", h, []byte(`{"token":"`+testToken+`"}`)); resp.StatusCode != http.StatusForbidden || len(resp.Cookies()) > 0 {
			t.Errorf("a login by another site, %v: %d", header, resp.StatusCode)
		}
		// A token is nothing that a browser sends by itself.
		h = bear(testToken)
		for k, v := range header {
			h[k] = v
		}
		if resp, body := d.send(http.MethodPost, "/api/v1/builds/api/1/stop", h, nil); resp.StatusCode != http.StatusOK {
			t.Errorf("with a token, %v: %d %s", header, resp.StatusCode, body)
		}
	}
	for _, header := range []http.Header{{"Sec-Fetch-Site": {"same-origin"}}, {"Origin": {d.url()}}} {
		if resp, body := d.browse(c, http.MethodPost, "/api/v1/builds/api/1/stop", header); resp.StatusCode != http.StatusOK {
			t.Errorf("our own page, %v: %d %s", header, resp.StatusCode, body)
		}
	}
}

func TestALoginLeadsToAPathOfOurs(t *testing.T) {
	d, _ := gated(t)
	for next, want := range map[string]string{
		"/builds/api/1?x=y": "/builds/api/1?x=y", "": "/", "builds": "/", "//evil.example": "/", `/\evil.example`: "/",
		"https://evil.example": "/", "javascript:alert(1)": "/", "/a\nb": "/", "/\t/evil.example": "/", "///evil.example": "/",
	} {
		resp, err := stay.PostForm(d.url()+"/login", url.Values{"token": {testToken}, "next": {next}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusSeeOther || got != want {
			t.Errorf("next %q leads to %d %q, want %q", next, resp.StatusCode, got, want)
		}
	}
	d.handler.Base, d.handler.site.Base = "/runner", "/runner" // a proxy shows us there
	resp, err := stay.PostForm(d.url()+"/login", url.Values{"token": {testToken}, "next": {"/x"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Location"); got != "/runner/x" {
		t.Errorf("below a path the login leads to %q", got)
	}
	_, page := d.send(http.MethodGet, "/login?next="+url.QueryEscape(`/"><b>`), nil, nil)
	if strings.Contains(string(page), "<b>") || !strings.Contains(string(page), `action="/runner/login"`) {
		t.Errorf("the page has what was asked for as HTML: %s", page)
	}
}

func TestFailedLoginsAreSlowedDownByAddress(t *testing.T) {
	d, _ := gated(t)
	try := func(token, from string) *http.Response {
		resp, _ := d.send(http.MethodPost, "/login", http.Header{"Content-Type": {"application/json"}, "X-Forwarded-For": {from}}, []byte(`{"token":"`+token+`"}`))
		return resp
	}
	for i := range loginBurst {
		// What is in the header is not believed, so that nobody gets a fresh allowance with it.
		if resp := try("wrong", fmt.Sprintf("10.0.0.%d", i)); resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("try %d: %d", i, resp.StatusCode)
		}
	}
	if resp := try("wrong", ""); resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" || resp.Header.Get("Retry-After") == "0" {
		t.Errorf("after %d tries: %d, Retry-After %q", loginBurst, resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	if resp := try(testToken, ""); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the right token gets through the limit of guesses: %d", resp.StatusCode)
	}
	if resp, _ := d.do(http.MethodGet, "/api/v1/daemon", nil, nil); resp.StatusCode != http.StatusOK {
		t.Errorf("the API is shut by failed logins: %d", resp.StatusCode)
	}
	d.handler.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	if resp := try(testToken, "203.0.113.9, 198.51.100.7"); resp.StatusCode != http.StatusOK {
		t.Errorf("another address behind a trusted proxy: %d", resp.StatusCode)
	}
	d.access.Close()
	if store, err := access.Open(access.Options{Path: d.dir + "/access.db"}); err != nil {
		t.Error(err)
	} else {
		defer store.Close()
		events, _, err := store.Events(access.Filter{}, "", 10)
		if err != nil || len(events) != 2 || events[0].Count != loginBurst && events[1].Count != loginBurst {
			t.Errorf("%d failed logins and one that succeeded are recorded as %+v, %v", loginBurst, events, err)
		}
	}
}

func TestTheAddressOfARequest(t *testing.T) {
	a := &api{Options: Options{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}}
	for _, c := range []struct{ peer, header, want string }{
		{"203.0.113.1:5", "198.51.100.1", "203.0.113.1"},
		{"10.1.2.3:5", "198.51.100.1", "198.51.100.1"},
		{"10.1.2.3:5", "6.6.6.6, 198.51.100.1", "198.51.100.1"},
		{"10.1.2.3:5", "6.6.6.6, 198.51.100.1, 10.9.9.9", "198.51.100.1"},
		{"10.1.2.3:5", "", "10.1.2.3"},
		{"10.1.2.3:5", "nonsense", "10.1.2.3"},
		{"10.1.2.3:5", "10.0.0.1", "10.0.0.1"},
		{"[::ffff:10.1.2.3]:5", "2001:db8::1", "2001:db8::1"},
		{"[fd00::1%eth0]:5", "::ffff:198.51.100.1", "198.51.100.1"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		if c.header != "" {
			r.Header.Set("X-Forwarded-For", c.header)
		}
		if got := a.addressOf(r).String(); got != c.want {
			t.Errorf("%s with %q: %s, want %s", c.peer, c.header, got, c.want)
		}
	}
}

func TestALimiterCountsNetworksAndForgetsTheOldest(t *testing.T) {
	l := newLimiter(2, time.Hour)
	one, neighbour, other := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::ffff:2"), netip.MustParseAddr("2001:db8:0:1::1")
	if l.take(one) > 0 || l.take(neighbour) > 0 || l.take(one) == 0 || l.pause(neighbour) == 0 || l.pause(other) > 0 {
		t.Error("a /64 is not one address, or another one is the same")
	}
	for i := range 3 * maxAddresses {
		l.take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if len(l.known) != maxAddresses || l.order.Len() != maxAddresses {
		t.Errorf("%d addresses are known", len(l.known))
	}
}

func TestAPageLeadsAPersonToTheLogin(t *testing.T) {
	d, _ := gated(t)
	browser := http.Header{"Accept": {"text/html,application/xhtml+xml"}}
	if resp, _ := d.send(http.MethodGet, "/status?x=1", browser, nil); resp.Request.URL.RequestURI() != "/login?next=%2Fstatus%3Fx%3D1" {
		t.Errorf("a browser: %d at %s", resp.StatusCode, resp.Request.URL)
	}
	for name, header := range map[string]http.Header{
		"a program":     {"Accept": {"*/*"}},
		"a wrong token": {"Accept": {"text/html"}, "Authorization": {"Bearer wrong"}},
	} {
		if resp, _ := d.send(http.MethodGet, "/status", header, nil); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	if resp, _ := d.send(http.MethodGet, "/api/v1/status", browser, nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the API in a browser: %d", resp.StatusCode)
	}
}
