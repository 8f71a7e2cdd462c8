package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/runner-ci/runner/client"
)

// github is a double of what GitHub does about the webhooks of one repository: it keeps them, and delivers pings and pushes
// to them, signed.
type github struct {
	t    *testing.T
	url  string // of its API
	repo string // address of the repository
	mu   sync.Mutex
	next int
	hook map[string]githubHook
}

type githubHook struct {
	Active bool     `json:"active"`
	Events []string `json:"events"`
	Config struct {
		URL         string `json:"url"`
		ContentType string `json:"content_type"`
		Secret      string `json:"secret,omitempty"`
	} `json:"config"`
}

func newGitHub(t *testing.T) *github {
	g := &github{t: t, hook: make(map[string]githubHook)}
	const hooks = "/repos/acme/api/hooks"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+hooks, func(w http.ResponseWriter, _ *http.Request) {
		list := []map[string]any{}
		for id, h := range g.hook {
			h.Config.Secret = ""
			list = append(list, map[string]any{"id": json.Number(id), "active": h.Active, "events": h.Events, "config": h.Config})
		}
		_ = json.NewEncoder(w).Encode(list)
	})
	put := func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		if id == "" {
			g.next++
			id = fmt.Sprint(g.next)
		}
		var h githubHook
		if err := json.NewDecoder(r.Body).Decode(&h); err != nil || h.Config.ContentType != "json" || h.Config.Secret == "" {
			t.Errorf("a webhook came as %+v (%v)", h, err)
		}
		g.hook[id] = h
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte("{}"))
	}
	mux.HandleFunc("POST "+hooks, put)
	mux.HandleFunc("PATCH "+hooks+"/{id}", put)
	mux.HandleFunc("DELETE "+hooks+"/{id}", func(w http.ResponseWriter, r *http.Request) {
		delete(g.hook, r.PathValue("id"))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("POST "+hooks+"/{id}/pings", func(w http.ResponseWriter, r *http.Request) {
		h := g.hook[r.PathValue("id")]
		w.WriteHeader(http.StatusNoContent)
		go g.deliver(h, "ping", map[string]any{"zen": "Keep it logically awesome.", "repository": repository(g.repo)})
	})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer t0k-of-the-api" {
			http.Error(w, `{"message":"Bad credentials"}`, http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	g.url = srv.URL
	return g
}

// deliver sends an event to a webhook.
func (g *github) deliver(h githubHook, event string, payload map[string]any) {
	body, _ := json.Marshal(payload)
	mac := hmac.New(sha256.New, []byte(h.Config.Secret))
	mac.Write(body)
	req, err := http.NewRequest(http.MethodPost, h.Config.URL, bytes.NewReader(body))
	if err != nil {
		g.t.Error(err)
		return
	}
	req.Header = http.Header{
		"Content-Type": {"application/json"}, "X-Github-Event": {event}, "X-Github-Delivery": {rand.Text()},
		"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(mac.Sum(nil))},
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		g.t.Errorf("delivering a %s: %v", event, err)
		return
	}
	resp.Body.Close()
}

// all are the webhooks that there are.
func (g *github) all() (out []githubHook) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range g.hook {
		out = append(out, h)
	}
	return out
}

// TestAddingAProjectRegistersAWebhookThatWorks is the way from a repository's address to a build of the next push.
func TestAddingAProjectRegistersAWebhookThatWorks(t *testing.T) {
	t.Parallel()
	hub, git := newGitHub(t), newGitServer(t)
	repo, url, _ := git.repo("acme/api", map[string]string{"buildspec.yml": "version: 0.2\nphases: {build: {commands: [echo built]}}\n"})
	hub.repo = url
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("t0k-of-the-api\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t, keyFile(t))
	add := []string{"project", "add", url, "--forge", "github", "--forge-url", hub.url, "--forge-token", "file:" + token, "--image", image, "--poll", "off"}
	for range 2 { // the second changes nothing
		out, errs, exit := d.runCLI(d.dir, add...)
		for _, want := range []string{"acme/api at github", "ping arrived after", "200 pong"} {
			if exit != 0 || !strings.Contains(out, want) {
				t.Fatalf("runner project add exited %d, and does not say %q:\n%s%s", exit, want, out, errs)
			}
		}
		if len(hub.all()) != 1 {
			t.Fatalf("there are %d webhooks", len(hub.all()))
		}
	}
	hook := hub.all()[0]
	if want := "http://" + d.address + "/hooks/github?project=api"; hook.Config.URL != want || !hook.Active {
		t.Errorf("the webhook is %+v, want one at %s", hook, want)
	}
	for _, name := range []string{"state.db", "secrets.db"} {
		if text, err := os.ReadFile(filepath.Join(d.data(), name)); err != nil || bytes.Contains(text, []byte(hook.Config.Secret)) {
			t.Errorf("%s has the secret in clear (%v)", name, err)
		}
	}
	if strings.Contains(d.log.String(), hook.Config.Secret) || strings.Contains(d.log.String(), "t0k-of-the-api") {
		t.Error("the daemon's log has a secret in it")
	}

	d.kill()
	d.start() // whatever is needed to know the webhook again is on the disk
	commit, err := repo.Commit(t.Context(), "the first push")
	if err != nil {
		t.Fatal(err)
	}
	hub.deliver(hook, "push", pushOf(url, "refs/heads/main", commit).payload)
	page, err := d.Triggers(t.Context(), client.ListOptions{})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("triggers %+v, %v", page.Items, err)
	}
	tr, err := d.WaitTrigger(t.Context(), page.Items[0].ID)
	if err != nil || len(tr.Builds) != 1 {
		t.Fatalf("the push became %+v, %v", tr, err)
	}
	d.ended(tr.Builds[0], "SUCCEEDED")

	if out, errs, exit := d.runCLI(d.dir, "project", "test-hook", "api"); exit != 0 || !strings.Contains(out, "ping arrived") {
		t.Errorf("runner project test-hook exited %d:\n%s%s", exit, out, errs)
	}
	out, _, _ := d.runCLI(d.dir, "project", "show", "api")
	for _, want := range []string{"webhook   registered at github", "newest    ping"} {
		if !strings.Contains(out, want) {
			t.Errorf("runner project show does not say %q:\n%s", want, out)
		}
	}
	if out, errs, exit := d.runCLI(d.dir, "project", "rm", "api"); exit != 0 || !strings.Contains(out, "removed the webhook") || len(hub.all()) != 0 {
		t.Errorf("runner project rm exited %d, and left %d webhooks:\n%s%s", exit, len(hub.all()), out, errs)
	}
}
