package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"

	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/runner"
)

// testRegistry is a real registry on the loopback interface, which engines trust without TLS, behind a door that
// counts what is asked for, and wants credentials when it has a password.
type testRegistry struct {
	addr     string
	password string
	pulls    atomic.Int32 // manifests asked for
}

func newRegistry(t *testing.T, password string) *testRegistry {
	t.Helper()
	r := &testRegistry{password: password}
	target := &url.URL{Scheme: "http", Host: enginetest.Registry(t, "", "")}
	inner := &httputil.ReverseProxy{Rewrite: func(req *httputil.ProxyRequest) {
		req.SetURL(target)
		req.Out.Host = req.In.Host // the registry writes it into the addresses that it answers with
		req.Out.Header.Del("Authorization")
	}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if user, pass, ok := req.BasicAuth(); r.password != "" && (!ok || user != "ci" || pass != r.password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": "UNAUTHORIZED", "message": "authentication required"}}})
			return
		}
		if strings.Contains(req.URL.Path, "/manifests/") {
			r.pulls.Add(1)
		}
		inner.ServeHTTP(w, req)
	}))
	t.Cleanup(srv.Close)
	r.addr = srv.Listener.Addr().String()
	return r
}

// push puts the busybox image into the registry under a name of this test's own, and removes that name from the
// engine.
func (r *testRegistry) push(t *testing.T, e *Engine) string {
	t.Helper()
	ref := fmt.Sprintf("%s/team/%s:v1", r.addr, randomID())
	if err := e.api.ImageTag(t.Context(), enginetest.BusyboxRef, ref); err != nil {
		t.Fatal(err)
	}
	auth, err := registry.EncodeAuthConfig(registry.AuthConfig{Username: "ci", Password: r.password})
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.api.ImagePush(t.Context(), ref, image.PushOptions{RegistryAuth: auth})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := readPull(out); err != nil {
		t.Fatal(err)
	}
	r.forget(t, e, ref)
	return ref
}

// forget removes a name from the engine.
func (r *testRegistry) forget(t *testing.T, e *Engine, ref string) {
	t.Helper()
	_, err := e.api.ImageRemove(context.WithoutCancel(t.Context()), ref, image.RemoveOptions{})
	if err != nil && !strings.Contains(err.Error(), "No such image") {
		t.Fatal(err)
	}
}

func TestPullPolicies(t *testing.T) {
	t.Parallel()
	e, r := newEngine(t), newRegistry(t, "")
	ref := r.push(t, e)
	t.Cleanup(func() { r.forget(t, e, ref) })
	ctx := t.Context()

	asked := r.pulls.Load()
	_, err := e.Resolve(ctx, runner.ImageRequest{Ref: ref, Pull: pullNever})
	wantImageError(t, err, "if-not-present")
	if n := r.pulls.Load() - asked; n != 0 {
		t.Errorf("never asked the registry %d times", n)
	}
	img, err := e.Resolve(ctx, runner.ImageRequest{Ref: ref})
	if err != nil || img.Ref != ref || !strings.HasPrefix(img.ID, "sha256:") || !strings.HasPrefix(img.Digest, "sha256:") {
		t.Fatalf("missing and pulled: %+v, %v", img, err)
	}
	asked = r.pulls.Load()
	if again, err := e.Resolve(ctx, runner.ImageRequest{Ref: ref, Pull: pullMissing}); err != nil || again != img || r.pulls.Load() != asked {
		t.Errorf("present: %+v, %v, %d pulls more", again, err, r.pulls.Load()-asked)
	}
	if again, err := e.Resolve(ctx, runner.ImageRequest{Ref: ref, Pull: pullAlways}); err != nil || again != img || r.pulls.Load() == asked {
		t.Errorf("always: %+v, %v, %d pulls more", again, err, r.pulls.Load()-asked)
	}
	name, _, _ := strings.Cut(ref, ":v1")
	if byDigest, err := e.Resolve(ctx, runner.ImageRequest{Ref: name + "@" + img.Digest}); err != nil || byDigest.ID != img.ID {
		t.Errorf("by digest: %+v, %v", byDigest, err)
	}
	if byID, err := e.Resolve(ctx, runner.ImageRequest{Ref: img.ID, Pull: pullAlways}); err != nil || byID.ID != img.ID {
		t.Errorf("by id: %+v, %v", byID, err)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	e, r := newEngine(t), newRegistry(t, "correct horse")
	ref := r.push(t, e)
	t.Cleanup(func() { r.forget(t, e, ref) })
	ctx := t.Context()
	_, err := e.Resolve(ctx, runner.ImageRequest{Ref: ref})
	wantImageError(t, err, "needs credentials")
	_, err = e.Resolve(ctx, runner.ImageRequest{Ref: ref, Auth: &runner.RegistryAuth{Server: r.addr, Username: "ci", Password: "wrong"}})
	wantImageError(t, err, `refused user "ci"`)
	if strings.Contains(err.Error(), "wrong") {
		t.Errorf("the password is in %q", err)
	}
	_, err = e.Resolve(ctx, runner.ImageRequest{Ref: ref, Auth: &runner.RegistryAuth{Server: "ghcr.io", Username: "ci", Password: "correct horse"}})
	wantImageError(t, err, "correct server")
	if _, err = e.Resolve(ctx, runner.ImageRequest{Ref: ref, Auth: &runner.RegistryAuth{Server: r.addr, Username: "ci", Password: "correct horse"}}); err != nil {
		t.Error(err)
	}
}

func TestImagesThatCannotBeHad(t *testing.T) {
	t.Parallel()
	e, r := newEngine(t), newRegistry(t, "")
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	foreign := importForeign(t, e)
	tests := []struct{ ref, pull, hint string }{
		{r.addr + "/team/none:v1", "", "check the name"},
		{nobody.Addr().String() + "/x:v1", "", "cannot reach the registry"},
		{"UPPER CASE", "", "write name"},
		{"", "", "write name"},
		{"busybox", "sometimes", "use always"},
		{"sha256:" + strings.Repeat("0", 64), "", "image id cannot be pulled"},
		{foreign, pullNever, "engine's platform"},
	}
	for _, tt := range tests {
		t.Run(tt.ref, func(t *testing.T) {
			_, err := e.Resolve(t.Context(), runner.ImageRequest{Ref: tt.ref, Pull: tt.pull})
			wantImageError(t, err, tt.hint)
		})
	}
}

// importForeign makes an empty image for a platform that no test runs on.
func importForeign(t *testing.T, e *Engine) string {
	t.Helper()
	ref := "runner-test/foreign:" + randomID()
	files := map[string]string{
		"config.json":   `{"architecture":"s390x","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}`,
		"manifest.json": `[{"Config":"config.json","RepoTags":["` + ref + `"],"Layers":[]}]`,
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := e.api.ImageLoad(t.Context(), &buf)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	if err := readPull(out.Body); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = e.api.ImageRemove(context.WithoutCancel(t.Context()), ref, image.RemoveOptions{})
	})
	return ref
}

func wantImageError(t *testing.T, err error, hint string) {
	t.Helper()
	var ie *runner.ImageError
	if !errors.As(err, &ie) || !strings.Contains(ie.Hint, hint) {
		t.Errorf("got %v, want an ImageError that hints %q", err, hint)
	}
}

func TestOnePullForAll(t *testing.T) {
	t.Parallel()
	e, r := newEngine(t), newRegistry(t, "")
	ref := r.push(t, e)
	t.Cleanup(func() { r.forget(t, e, ref) })
	// A requester that gives up takes nothing from the others.
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.Resolve(impatient, runner.ImageRequest{Ref: ref}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	asked := r.pulls.Load()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := e.Resolve(t.Context(), runner.ImageRequest{Ref: ref}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := r.pulls.Load() - asked; n > 6 {
		t.Errorf("eight requests made %d manifest requests", n)
	}
}

func TestPullHints(t *testing.T) {
	f := facts{goarch: "amd64"}
	tests := map[string]string{
		"write /var/lib/docker/tmp/x: no space left on device":                              "disk is full",
		"no matching manifest for linux/amd64 in the manifest list entries":                 "other platforms only",
		"toomanyrequests: You have reached your pull rate limit":                            "limits pulls",
		"pull access denied for x, repository does not exist or may require 'docker login'": "needs credentials",
		`Get "https://r/v2/": x509: certificate signed by unknown authority`:                "certs.d",
		`Get "https://r/v2/": http: server gave HTTP response to HTTPS client`:              "insecure-registries",
		`Get "https://r/v2/": dial tcp: lookup r: no such host`:                             "cannot reach",
		"manifest for x:y not found: manifest unknown":                                      "check the name and the tag",
		"something never heard of":                                                          "docker pull",
	}
	for text, want := range tests {
		if got := pullHint(errors.New(text), f, runner.ImageRequest{}); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %q", text, got, want)
		}
	}
}

func TestSameRegistry(t *testing.T) {
	for server, domain := range map[string]string{
		"https://index.docker.io/v1/": "docker.io", "docker.io": "docker.io", "ghcr.io": "ghcr.io",
		"https://r.example.com:5000": "r.example.com:5000", "http://localhost:5000/": "localhost:5000",
	} {
		if !sameRegistry(server, domain) {
			t.Errorf("%s is not %s", server, domain)
		}
	}
	if sameRegistry("ghcr.io.evil.example", "ghcr.io") || sameRegistry("r.example.com", "r.example.com:5000") {
		t.Error("credentials would go to another registry")
	}
}
