package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/runner-ci/runner/access"
)

// vouching is a provider of identities that says what a test wants.
type vouching struct {
	who  access.Owner
	next string
	err  error
}

func (v *vouching) Begin(_ context.Context, next string) (string, string, error) {
	v.next = next
	return "https://login.example.com/authorize", "sealed", v.err
}

func (v *vouching) Finish(_ context.Context, _ url.Values, cookie string) (access.Owner, string, error) {
	if cookie != "sealed" {
		return access.Owner{}, "", fmt.Errorf("no cookie: %w", access.ErrInvalid)
	}
	return v.who, v.next, v.err
}

// stay follows no redirect.
var stay = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (d *daemon) visit(path, cookie string) *http.Response {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.url()+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	// The provider's page sends the browser here: that is another site's, and must work.
	req.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Cookie": {cookie}}
	resp, err := stay.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

func TestAPersonLogsInAndMayDoWhatTheGroupsMay(t *testing.T) {
	d, _ := gated(t)
	v := &vouching{who: access.Owner{User: "ada", Groups: []string{"dev"}}}
	roles := map[string]access.Grants{"dev": {{Scope: access.Read, Projects: []string{"api"}}}}
	d.handler.SignIn = v
	d.handler.Roles = func(groups []string) (out access.Grants) {
		for _, g := range groups {
			out = append(out, roles[g]...)
		}
		return out
	}
	for next, want := range map[string]string{"/builds/api/1": "/builds/api/1", "//evil.example": "/", "https://evil.example/": "/"} {
		resp := d.visit("/login/oidc?next="+url.QueryEscape(next), "")
		if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "https://login.example.com/authorize" || v.next != want {
			t.Errorf("next %q: %d to %q, and then to %q", next, resp.StatusCode, resp.Header.Get("Location"), v.next)
		}
		c := resp.Cookies()[0]
		if c.Value != "sealed" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("the cookie of the login: %+v", c)
		}
	}
	v.next = "https://evil.example" // whatever it says
	resp := d.visit("/login/callback?code=x&state=y", "runner-login=sealed")
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/" || len(resp.Cookies()) != 2 || resp.Cookies()[0].MaxAge >= 0 {
		t.Fatalf("%d to %q with %v", resp.StatusCode, resp.Header.Get("Location"), resp.Cookies())
	}
	session := resp.Cookies()[1]
	for path, want := range map[string]int{"/api/v1/builds/api/1": http.StatusOK, "/api/v1/projects/web": http.StatusNotFound, "/api/v1/tokens": http.StatusForbidden} {
		if resp, body := d.browse(session, http.MethodGet, path, nil); resp.StatusCode != want {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	if _, body := d.browse(session, http.MethodGet, "/api/v1/whoami", nil); !strings.Contains(body, `"user:ada"`) {
		t.Errorf("whoami: %s", body)
	}
	delete(roles, "dev") // a reload takes the role away
	if resp, _ := d.browse(session, http.MethodGet, "/api/v1/builds/api/1", nil); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a role the session answers %d", resp.StatusCode)
	}
	if resp := d.visit("/login/callback?code=x&state=y", "runner-login=sealed"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a login without a role: %d", resp.StatusCode)
	}
}

func TestALoginThatIsNotVouchedForOpensNothing(t *testing.T) {
	d, _ := gated(t)
	d.handler.Roles = func([]string) access.Grants { return access.Root() }
	if resp := d.visit("/login/oidc", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("without a provider: %d", resp.StatusCode)
	}
	v := &vouching{who: access.Owner{User: "ada"}}
	d.handler.SignIn = v
	for name, c := range map[string]struct {
		cookie string
		err    error
		want   int
	}{
		"in another browser":       {"", nil, http.StatusForbidden},
		"refused":                  {"runner-login=sealed", fmt.Errorf("bad token: %w", access.ErrInvalid), http.StatusForbidden},
		"while it does not answer": {"runner-login=sealed", errors.New("no route to host"), http.StatusBadGateway},
	} {
		v.err = c.err
		resp := d.visit("/login/callback?code=x&state=y", c.cookie)
		if resp.StatusCode != c.want || len(resp.Cookies()) != 1 || resp.Cookies()[0].MaxAge >= 0 {
			t.Errorf("%s: %d with %v", name, resp.StatusCode, resp.Cookies())
		}
	}
	v.err = errors.New("no route to host")
	if resp := d.visit("/login/oidc", ""); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("beginning while it does not answer: %d", resp.StatusCode)
	}
	v.err = nil
	for range loginBurst {
		d.visit("/login/callback?code=x&state=y", "")
	}
	if resp := d.visit("/login/callback?code=x&state=y", "runner-login=sealed"); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("after many failures: %d", resp.StatusCode)
	}
}
