package server

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
)

func TestAPreviewIsOfNoOriginAndOpensOneSet(t *testing.T) {
	d := artifactDaemon(t)
	p, err := d.client().Preview(t.Context(), "api#1", client.Choice{Job: "docs", Artifact: client.PrimaryArtifact})
	if err != nil || !strings.HasPrefix(p.Path, previewPath) || time.Until(p.Expires) < ticketAge {
		t.Fatalf("Preview = %+v, %v", p, err)
	}
	resp, body := d.send(http.MethodGet, p.Path, nil, nil)
	if resp.StatusCode != http.StatusOK || string(body) != "<script>" || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("the index of a report: %d %s %q", resp.StatusCode, resp.Header.Get("Content-Type"), body)
	}
	h := resp.Header
	policy := h.Get("Content-Security-Policy")
	for _, part := range []string{"sandbox allow-scripts; ", "default-src 'none'; ", "connect-src " + d.url() + p.Path + "; ", "form-action 'none'", "frame-ancestors 'self'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy lacks %q: %s", part, policy)
		}
	}
	if strings.Contains(policy, "allow-same-origin") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cross-Origin-Opener-Policy") != "" || h.Get("X-Frame-Options") != "" || h.Get("Set-Cookie") != "" {
		t.Errorf("its header is %v", h)
	}
	signed, _, _ := strings.Cut(strings.TrimPrefix(p.Path, previewPath), "/")
	all, err := base64.RawURLEncoding.DecodeString(signed)
	if err != nil {
		t.Fatal(err)
	}
	forged := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(all), "docs", "linux", 1)))
	old, err := d.handler.tickets.sign(ticket{Build: "api#1", Job: "docs", Until: time.Now().Unix() - 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"a file of another set": p.Path + "bin/app", "a link": p.Path + "latest", "above it": p.Path + "..%2f..%2fhealthz",
		"a forged ticket": previewPath + forged + "/bin/app", "an old one": previewPath + old + "/index.html", "none": previewPath + "x/index.html",
	} {
		if resp, body := d.send(http.MethodGet, path, nil, nil); resp.StatusCode != http.StatusNotFound || strings.Contains(string(body), "app") {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	if strings.Contains(d.log.String(), signed) {
		t.Error("the log has the ticket")
	}
}

// TestNoPageOfOursLoadsAPreview: as a script, a style or data of our own pages, what a job left would run as us.
func TestNoPageOfOursLoadsAPreview(t *testing.T) {
	for _, c := range []struct {
		site, dest string
		may        bool
	}{
		{"same-origin", "iframe", true}, {"same-origin", "document", true}, {"same-origin", "image", true}, {"", "", true},
		{"cross-site", "script", true}, // of the report itself, which is of no origin
		{"same-origin", "script", false}, {"same-origin", "style", false}, {"same-origin", "empty", false}, {"same-origin", "serviceworker", false},
		{"same-origin", "object", false}, {"same-origin", "", false},
	} {
		if got := framable(http.Header{"Sec-Fetch-Site": {c.site}, "Sec-Fetch-Dest": {c.dest}}); got != c.may {
			t.Errorf("from %q for %q: %v", c.site, c.dest, got)
		}
	}
}

func TestWhoMayOpenPreviews(t *testing.T) {
	d := artifactDaemon(t)
	const path = "/api/v1/builds/api/1/artifacts/preview?job=docs"
	for _, c := range []struct {
		token  string
		status int
	}{{d.token(access.Read, "api"), http.StatusOK}, {d.token(access.Read, "web"), http.StatusNotFound}, {"none", http.StatusUnauthorized}} {
		if resp, body := d.send(http.MethodGet, path, bear(c.token), nil); resp.StatusCode != c.status {
			t.Errorf("%d, want %d: %s", resp.StatusCode, c.status, body)
		}
	}
}

func TestAHostThatIsNoneOpensNoPolicy(t *testing.T) {
	a := &api{}
	r := &http.Request{Host: "x; script-src *"}
	if got := a.hostOf(r); strings.ContainsAny(got, "; *") {
		t.Errorf("the policy would have %q", got)
	}
	a.Secure, r.Host = true, "ci.example.com:8443"
	if got := a.hostOf(r); got != "https://ci.example.com:8443" {
		t.Errorf("hostOf = %q", got)
	}
}

func TestSetsCanBeListedWithoutTheirFiles(t *testing.T) {
	d := artifactDaemon(t)
	sets, err := d.client().ArtifactSums(t.Context(), "api#1", false)
	if err != nil || len(sets) != 2 || sets[0].Count != 3 || len(sets[0].Files) != 0 || sets[0].Bytes != 300_003 {
		t.Errorf("ArtifactSums = %+v, %v", sets, err)
	}
}

// TestPreviewsAreBounded: what a report loads of its own is asked for without a session, and could be left half read.
func TestPreviewsAreBounded(t *testing.T) {
	d := artifactDaemon(t)
	p, err := d.client().Preview(t.Context(), "api#1", client.Choice{Job: "docs", Artifact: client.PrimaryArtifact})
	if err != nil {
		t.Fatal(err)
	}
	if resp, _ := d.send(http.MethodGet, p.Path, http.Header{"User-Agent": {"GPTBot/1.2"}}, nil); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a robot gets a report: %d", resp.StatusCode)
	}
	here := networkOf(mustAddr("127.0.0.1"))
	for range previewsOfOne - 1 {
		d.handler.strangers.previews.enter(here)
	}
	if resp, _ := d.send(http.MethodGet, p.Path, nil, nil); resp.StatusCode != http.StatusOK {
		t.Errorf("the last that may be: %d", resp.StatusCode)
	}
	d.handler.strangers.previews.enter(here)
	if resp, _ := d.send(http.MethodGet, p.Path, nil, nil); resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("one more: %d", resp.StatusCode)
	}
	if resp, _ := d.do(http.MethodGet, p.Path, nil, nil); resp.StatusCode != http.StatusOK {
		t.Errorf("with a token: %d", resp.StatusCode)
	}
}

// TestAStrangersPreviewEndsWithThePublic: a project that is made private again is so at once.
func TestAStrangersPreviewEndsWithThePublic(t *testing.T) {
	d := artifactDaemon(t)
	publish := func(visibility string) {
		t.Helper()
		p := project("api", apiURL)
		p.Visibility = visibility
		if err := d.state.PutProject(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	opened := func(c *client.Client) string {
		t.Helper()
		p, err := c.Preview(t.Context(), "api#1", client.Choice{Job: "docs", Artifact: client.PrimaryArtifact})
		if err != nil {
			t.Fatal(err)
		}
		return p.Path
	}
	publish(config.VisibilityPublic)
	strangers, readers := opened(client.New(d.url(), "")), opened(d.client())
	if resp, _ := d.send(http.MethodGet, strangers, nil, nil); resp.StatusCode != http.StatusOK {
		t.Errorf("of a public project: %d", resp.StatusCode)
	}
	publish(config.VisibilityPrivate)
	for path, want := range map[string]int{strangers: http.StatusNotFound, readers: http.StatusOK} {
		if resp, _ := d.send(http.MethodGet, path, nil, nil); resp.StatusCode != want {
			t.Errorf("once it is private: %d, want %d", resp.StatusCode, want)
		}
	}
}
