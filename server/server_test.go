package server

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/client"
)

// publicRoutes are all routes that need no token. Adding one here is a decision about safety.
var publicRoutes = []string{
	"GET /healthz", "GET /readyz", "GET /robots.txt", "GET /badges/{file}", "GET /login", "POST /login", "POST /logout", "GET /login/oidc", "GET /login/callback",
	"POST /hooks/github", "POST /hooks/gitlab", "POST /hooks/gitea", "POST /hooks/forgejo", "POST /hooks/gogs", "POST /hooks/bitbucket", "POST /hooks/bitbucket-server",
	"POST /hooks/registry/distribution", "POST /hooks/registry/dockerhub/{secret}", "POST /hooks/registry/harbor", "POST /hooks/registry/quay/{secret}", "POST /hooks/registry/ghcr",
}

// concrete fills in a pattern's parameters.
func concrete(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	for name, value := range map[string]string{"project": "api", "number": "1", "id": "t0000000001", "name": "api"} {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	return method, path
}

func TestEveryRouteButHooksAndHealthNeedsAToken(t *testing.T) {
	d := newDaemon(t)
	if len(d.handler.mux.patterns) < 20 {
		t.Fatalf("only %d routes are registered", len(d.handler.mux.patterns))
	}
	wrong := []string{"", "Bearer ", "Bearer wrong", "Bearer " + testToken + "x", "Bearer " + testToken[:len(testToken)-1], "Basic " + testToken, testToken, "Bearer  "}
	var first []byte
	for _, pattern := range append(d.handler.mux.patterns, "GET /nowhere", "POST /hooks/nobody", "GET /hooks/github", "PUT /healthz") {
		method, path := concrete(pattern)
		if slices.Contains(publicRoutes, pattern) {
			continue
		}
		for _, auth := range wrong {
			resp, body := d.send(method, path, http.Header{"Authorization": {auth}}, nil)
			if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Content-Type") != problemType || resp.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s with %q: %d %s", pattern, auth, resp.StatusCode, resp.Header.Get("Content-Type"))
			}
			if first == nil {
				first = body
			} else if string(body) != string(first) {
				t.Errorf("%s with %q answers otherwise than other routes: %s", pattern, auth, body)
			}
		}
	}
	for _, pattern := range publicRoutes {
		if !slices.Contains(d.handler.mux.patterns, pattern) {
			t.Errorf("%s is not registered", pattern)
		}
	}
	if len(d.handler.public) != len(publicRoutes) {
		t.Errorf("public routes: %v", d.handler.public)
	}
}

func TestPathsCannotBeDisguisedAsPublicOnes(t *testing.T) {
	d := newDaemon(t)
	for _, path := range []string{"/hooks/../api/v1/builds", "/healthz/../api/v1/projects", "//healthz/../api/v1/daemon", "/hooks/%2e%2e/api/v1/builds", "/healthz/"} {
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode/100 != 3 {
			t.Errorf("%s answers %d", path, resp.StatusCode)
		}
	}
}

var paramName = regexp.MustCompile(`\{(\w+)\}`)

func TestOpenAPIListsEveryRouteAndHoldsTogether(t *testing.T) {
	d := newDaemon(t)
	resp, text := d.do(http.MethodGet, "/openapi.json", nil, nil)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/openapi+json" {
		t.Fatalf("openapi.json: %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]*huma.Operation
		Components struct {
			Schemas         map[string]any
			SecuritySchemes map[string]any
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || doc.Components.SecuritySchemes[bearer] == nil {
		t.Errorf("version %q, schemes %v", doc.OpenAPI, doc.Components.SecuritySchemes)
	}
	seen := map[string]bool{}
	for _, pattern := range d.handler.mux.patterns {
		if pattern == "GET /openapi.json" {
			continue
		}
		method, path, _ := strings.Cut(pattern, " ")
		op := doc.Paths[path][strings.ToLower(method)]
		if op == nil {
			t.Errorf("%s is not in the document", pattern)
			continue
		}
		if seen[op.OperationID] || op.OperationID == "" || op.Summary == "" || len(op.Tags) != 1 || len(op.Responses) == 0 {
			t.Errorf("%s: operation %q is named twice or lacks a summary, tag or response", pattern, op.OperationID)
		}
		seen[op.OperationID] = true
		if public := slices.Contains(publicRoutes, pattern); public != (len(op.Security) == 0) {
			t.Errorf("%s: security is %v", pattern, op.Security)
		}
		for _, name := range paramName.FindAllStringSubmatch(path, -1) {
			if !slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.In == "path" && p.Name == name[1] && p.Required }) {
				t.Errorf("%s: parameter %s is not described", pattern, name[1])
			}
		}
	}
	for _, ref := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(string(text), -1) {
		if doc.Components.Schemas[ref[1]] == nil {
			t.Errorf("schema %s is referred to and not there", ref[1])
		}
	}
}

func TestHealthSaysLittleAndReadinessFollowsItsFunc(t *testing.T) {
	d := newDaemon(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		resp, body := d.send(http.MethodGet, path, nil, nil)
		if resp.StatusCode != http.StatusOK || strings.TrimSpace(string(body)) != `{"status":"ok"}` {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	d.handler.Ready = notReady
	if resp, _ := d.send(http.MethodGet, "/readyz", nil, nil); resp.StatusCode != http.StatusOK {
		t.Error("a second question within a second reached the engines")
	}
	d.handler.readiness.asked = time.Time{}
	resp, body := d.send(http.MethodGet, "/readyz", nil, nil)
	if resp.StatusCode != http.StatusServiceUnavailable || strings.Contains(string(body), "/var/run") {
		t.Errorf("readyz: %d %s", resp.StatusCode, body)
	}
	if !strings.Contains(d.log.String(), "/var/run/docker.sock") {
		t.Error("the log does not say why the daemon is not ready")
	}
}

func TestWhatNoRouteFitsIsAProblem(t *testing.T) {
	d := newDaemon(t)
	for _, c := range []struct {
		method, path, body, kind string
		status                   int
		says                     string
	}{
		{"GET", "/nowhere", "", "", 404, "/openapi.json"},
		{"DELETE", "/api/v1/daemon", "", "", 405, "GET"},
		{"GET", "/api/v1/builds/api/0", "", "", 422, "path.number"},
		{"GET", "/api/v1/builds/api/x", "", "", 422, "path.number"},
		{"GET", "/api/v1/builds/api/7", "", "", 404, "api#7"},
		{"GET", "/api/v1/builds?limit=1000", "", "", 422, "query.limit"},
		{"GET", "/api/v1/builds?limt=10", "", "", 422, "query.limt"},
		{"GET", "/api/v1/builds?status=GREEN", "", "", 422, "query.status"},
		{"GET", "/api/v1/builds?cursor=nonsense", "", "", 400, "next of the page before"},
		{"GET", "/api/v1/triggers?cursor=nonsense", "", "", 400, "next of the page before"},
		{"GET", "/api/v1/audit?cursor=nonsense", "", "", 400, "next of the page before"},
		{"GET", "/api/v1/triggers/t1", "", "", 404, "t1"},
		{"GET", "/api/v1/projects/none", "", "", 404, "none"},
		{"DELETE", "/api/v1/projects/none", "", "", 404, "none"},
		{"PUT", "/api/v1/daemon/drain", "{", "application/json", 400, ""},
		{"PUT", "/api/v1/daemon/drain", `{"on":1}`, "application/json", 422, "body.on"},
		{"PUT", "/api/v1/daemon/drain", `{"off":true}`, "application/json", 422, "body"},
		{"PUT", "/api/v1/daemon/drain", "", "", 400, ""},
		{"PUT", "/api/v1/daemon/drain", "on: true", "application/yaml", 415, ""},
		{"PUT", "/api/v1/daemon/drain", strings.Repeat(" ", maxBody+1), "application/json", 413, ""},
		{"POST", "/api/v1/triggers", `{"project":"api"}`, "application/json", 404, "api"},
		{"POST", "/api/v1/triggers", `{}`, "application/json", 422, "names no project"},
		{"POST", "/api/v1/triggers", `{"project":"api","commit":"abc"}`, "application/json", 422, "full commit id"},
		{"POST", "/api/v1/triggers", `{"project":"api","ref":"a..b"}`, "application/json", 422, "git allows"},
		{"POST", "/api/v1/triggers", `{"project":"api","env":{"CODEBUILD_X":"1"}}`, "application/json", 422, "reserved"},
	} {
		header := http.Header{}
		if c.kind != "" {
			header.Set("Content-Type", c.kind)
		}
		resp, text := d.do(c.method, c.path, header, []byte(c.body))
		var p client.Error
		if err := json.Unmarshal(text, &p); err != nil || resp.Header.Get("Content-Type") != problemType {
			t.Errorf("%s %s: %d %s is no problem: %.200s", c.method, c.path, resp.StatusCode, resp.Header.Get("Content-Type"), text)
			continue
		}
		if resp.StatusCode != c.status || p.Status != c.status || p.Title == "" || p.Detail == "" || !strings.Contains(string(text), c.says) {
			t.Errorf("%s %s: %d, want %d and %q in %s", c.method, c.path, resp.StatusCode, c.status, c.says, text)
		}
	}
}

func TestAPanicIsAProblemWithAnIDThatTheLogHas(t *testing.T) {
	d := newDaemon(t)
	d.handler.mux.HandleFunc("GET /broken", func(http.ResponseWriter, *http.Request) { panic("boom") })
	d.handler.mux.HandleFunc("GET /half", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.Write([]byte("half"))
		panic("boom")
	})
	resp, text := d.do(http.MethodGet, "/broken", nil, nil)
	var p Problem
	if err := json.Unmarshal(text, &p); err != nil || resp.StatusCode != 500 || p.ID == "" {
		t.Fatalf("%d %s", resp.StatusCode, text)
	}
	if log := d.log.String(); !strings.Contains(log, p.ID) || !strings.Contains(log, "boom") || strings.Contains(string(text), "boom") {
		t.Errorf("the log does not tell of %s, or the client was told too much: %s", p.ID, text)
	}
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url()+"/half", nil)
	req.Header.Set("Authorization", "Bearer "+testToken)
	if resp, err := http.DefaultClient.Do(req); err == nil {
		if _, err := resp.Body.Read(make([]byte, 200)); err == nil {
			_, err = resp.Body.Read(make([]byte, 200))
			if err == nil {
				t.Error("half an answer looks whole")
			}
		}
		resp.Body.Close()
	}
}

func TestTheLogNamesRequestsAndNoSecrets(t *testing.T) {
	d := newDaemon(t)
	d.do(http.MethodGet, "/api/v1/daemon", nil, nil)
	d.send(http.MethodGet, "/api/v1/daemon", http.Header{"Authorization": {"Bearer wrong-one"}}, nil)
	log := d.log.String()
	for _, want := range []string{"path=/api/v1/daemon", "status=200", "status=401", "token=admin", "took="} {
		if !strings.Contains(log, want) {
			t.Errorf("%s is not in the log:\n%s", want, log)
		}
	}
	if strings.Contains(log, testToken) || strings.Contains(log, "wrong-one") {
		t.Errorf("a token is in the log:\n%s", log)
	}
}

func TestTheDocumentationListsEveryRoute(t *testing.T) {
	d := newDaemon(t)
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range d.handler.mux.patterns {
		if !strings.Contains(string(text), "| `"+pattern+"` |") {
			t.Errorf("docs/api.md does not list %s", pattern)
		}
	}
	for _, line := range regexp.MustCompile("(?m)^\\| `([A-Z]+ /[^`]*)`").FindAllStringSubmatch(string(text), -1) {
		if !slices.Contains(d.handler.mux.patterns, line[1]) {
			t.Errorf("docs/api.md lists %s, which is no route", line[1])
		}
	}
}
