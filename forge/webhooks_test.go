package forge

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// hooksDouble is the API of one forge's webhooks, which checks what it receives. It keeps webhooks as they were sent.
type hooksDouble struct {
	t                  *testing.T
	forge, list, token string // path of the list, value of the token's header
	secret             []string
	method             string // that changes one
	keeps              bool   // that leaves the secret as it was
	mu                 sync.Mutex
	next               int
	hooks              map[string]map[string]any
	tested             []string
	signs              map[string]string // with which secret each signs
}

func (d *hooksDouble) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	path := r.URL.EscapedPath()
	if strings.Contains(r.URL.RawQuery, "s3cret") {
		d.t.Errorf("%s: the secret stands in an address: %s", d.forge, r.URL)
	}
	header := "Authorization"
	if d.forge == NameGitLab {
		header = "Private-Token"
	}
	if got := r.Header.Get(header); got != d.token {
		d.t.Errorf("%s: %s %s came with %s %q, want %q", d.forge, r.Method, path, header, got, d.token)
	}
	rest, ours := strings.CutPrefix(path, d.list)
	if !ours {
		d.t.Errorf("%s: %s %s is no path of its webhooks", d.forge, r.Method, path)
		w.WriteHeader(http.StatusNotFound)
		return
	}
	id, below, _ := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	switch {
	case r.Method == http.MethodGet && rest == "":
		_ = json.NewEncoder(w).Encode(d.page())
	case r.Method == http.MethodPost && rest == "":
		d.next++
		id = fmt.Sprint(d.next)
		if d.forge == NameBitbucket {
			id = "%7B" + id + "%7D"
		}
		d.hooks[id], d.signs[id] = d.read(r)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte("{}"))
	case r.Method == http.MethodPost && (below != "" || id == "test"):
		d.tested = append(d.tested, strings.TrimPrefix(r.URL.RequestURI(), d.list))
		w.WriteHeader(http.StatusNoContent)
	case d.hooks[id] == nil || below != "":
		w.WriteHeader(http.StatusNotFound)
	case r.Method == d.method:
		hook, secret := d.read(r)
		d.hooks[id] = hook
		if !d.keeps {
			d.signs[id] = secret
		}
		_, _ = w.Write([]byte("{}"))
	case r.Method == http.MethodDelete:
		delete(d.hooks, id)
		delete(d.signs, id)
		w.WriteHeader(http.StatusNoContent)
	default:
		d.t.Errorf("%s: %s %s", d.forge, r.Method, path)
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// read takes a webhook in, which has its secret where the forge looks for it, and gives it out without, beside its secret.
func (d *hooksDouble) read(r *http.Request) (map[string]any, string) {
	var hook map[string]any
	if err := json.NewDecoder(r.Body).Decode(&hook); err != nil || r.Header.Get("Content-Type") != "application/json" {
		d.t.Errorf("%s: a webhook came as %s: %v", d.forge, r.Header.Get("Content-Type"), err)
	}
	at := hook
	for _, step := range d.secret[:len(d.secret)-1] {
		at, _ = at[step].(map[string]any)
	}
	last := d.secret[len(d.secret)-1]
	secret, _ := at[last].(string)
	if !strings.HasSuffix(secret, "s3cret") {
		d.t.Errorf("%s: the webhook %v has no secret at %v", d.forge, hook, d.secret)
	}
	delete(at, last)
	return hook, secret
}

// page is the list in the forge's form.
func (d *hooksDouble) page() any {
	list := []map[string]any{}
	for id, hook := range d.hooks {
		var n int
		_, _ = fmt.Sscan(strings.Trim(id, "%7BD"), &n)
		switch d.forge {
		case NameBitbucket:
			hook["uuid"] = fmt.Sprintf("{%s}", strings.TrimSuffix(strings.TrimPrefix(id, "%7B"), "%7D"))
		default:
			hook["id"] = n
		}
		list = append(list, hook)
	}
	if d.forge == NameBitbucket || d.forge == NameBitbucketServer {
		return map[string]any{"values": list, "isLastPage": true}
	}
	return list
}

func doubles(t *testing.T) []*hooksDouble {
	all := []*hooksDouble{
		{forge: NameGitHub, list: "/repos/example/api/hooks", token: "Bearer t0k", secret: []string{"config", "secret"}, method: "PATCH"},
		{forge: NameGitLab, list: "/api/v4/projects/example%2Fsub%2Fapi/hooks", token: "t0k", secret: []string{"token"}, method: "PUT"},
		{forge: NameGitea, list: "/api/v1/repos/example/api/hooks", token: "token t0k", secret: []string{"config", "secret"}, method: "PATCH", keeps: true},
		{forge: NameForgejo, list: "/api/v1/repos/example/api/hooks", token: "token t0k", secret: []string{"config", "secret"}, method: "PATCH", keeps: true},
		{forge: NameGogs, list: "/api/v1/repos/example/api/hooks", token: "token t0k", secret: []string{"config", "secret"}, method: "PATCH", keeps: true},
		{forge: NameBitbucket, list: "/2.0/repositories/example/api/hooks", token: "Bearer t0k", secret: []string{"secret"}, method: "PUT"},
		{forge: NameBitbucketServer, list: "/rest/api/1.0/projects/example/repos/api/webhooks", token: "Bearer t0k", secret: []string{"configuration", "secret"}, method: "PUT"},
	}
	for _, d := range all {
		d.t, d.hooks, d.signs = t, make(map[string]map[string]any), make(map[string]string)
	}
	return all
}

func TestAWebhookIsMadeOnceUpdatedTestedAndRemoved(t *testing.T) {
	const target = "https://ci.example.com/hooks/x?project=api"
	for _, d := range doubles(t) {
		t.Run(d.forge, func(t *testing.T) {
			d.t = t
			s := httptest.NewServer(d)
			defer s.Close()
			api, err := Dial(d.forge, s.URL, Credentials{Token: "t0k"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			repository := "example/api"
			if d.forge == NameGitLab {
				repository = "example/sub/api"
			}
			if right, err := api.RightWebhook(t.Context(), repository, target); err != nil || right {
				t.Errorf("before there is one: %v, %v", right, err)
			}
			first, created, err := api.PutWebhook(t.Context(), repository, target, "s3cret")
			if err != nil || !created || first.ID == "" || !first.Active {
				t.Fatalf("made: %+v, %v, %v", first, created, err)
			}
			second, created, err := api.PutWebhook(t.Context(), repository, target, "new s3cret")
			if err != nil || created || second.ID != first.ID && !d.keeps || len(d.hooks) != 1 {
				t.Fatalf("made again: %+v, %v, %v; there are %d", second, created, err, len(d.hooks))
			}
			for id, secret := range d.signs {
				if secret != "new s3cret" {
					t.Errorf("after it was made again, webhook %s signs with %q", id, secret)
				}
			}
			if right, err := api.RightWebhook(t.Context(), repository, target); err != nil || !right {
				t.Errorf("after it was made: %v, %v", right, err)
			}
			err = api.TestWebhook(t.Context(), repository, second)
			if silent := d.forge == NameGogs || d.forge == NameBitbucket; silent != errors.Is(err, ErrNoTest) || !silent && (err != nil || len(d.tested) != 1) {
				t.Errorf("tested: %v; %v", err, d.tested)
			}
			if removed, err := api.RemoveWebhook(t.Context(), repository, target); err != nil || !removed || len(d.hooks) != 0 {
				t.Errorf("removed: %v, %v; there are %d", removed, err, len(d.hooks))
			}
			if removed, err := api.RemoveWebhook(t.Context(), repository, target); err != nil || removed {
				t.Errorf("removed again: %v, %v", removed, err)
			}
		})
	}
}

func TestTestsGoWhereEachForgeHasThem(t *testing.T) {
	want := map[string]string{
		NameGitHub: "/1/pings", NameGitLab: "/1/test/push_events", NameGitea: "/1/tests", NameForgejo: "/1/tests",
		NameBitbucketServer: "/test?url=https%3A%2F%2Fci.example.com&webhookId=1",
	}
	for _, d := range doubles(t) {
		s := httptest.NewServer(d)
		api, err := Dial(d.forge, s.URL, Credentials{Token: "t0k"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		repository := "example/api"
		if d.forge == NameGitLab {
			repository = "example/sub/api"
		}
		_ = api.TestWebhook(t.Context(), repository, Webhook{ID: "1", Target: "https://ci.example.com"})
		s.Close()
		if got := strings.Join(d.tested, " "); got != want[d.forge] {
			t.Errorf("%s was asked for a test at %q, want %q", d.forge, got, want[d.forge])
		}
	}
}

func TestAWebhookThatSomebodyAlteredIsNotRight(t *testing.T) {
	d := doubles(t)[0]
	s := httptest.NewServer(d)
	defer s.Close()
	api, err := Dial(d.forge, s.URL, Credentials{Token: "t0k"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const target = "https://ci.example.com/hooks/github?project=api"
	if _, _, err := api.PutWebhook(t.Context(), "example/api", target, "s3cret"); err != nil {
		t.Fatal(err)
	}
	for name, alter := range map[string]func(map[string]any){
		"without an event":  func(h map[string]any) { h["events"] = []string{"push"} },
		"switched off":      func(h map[string]any) { h["active"], h["events"] = false, WebhookEvents(NameGitHub) },
		"at another target": func(h map[string]any) { h["config"] = map[string]any{"url": "https://elsewhere.example.com"} },
	} {
		alter(d.hooks["1"])
		if right, err := api.RightWebhook(t.Context(), "example/api", target); err != nil || right {
			t.Errorf("%s it is right: %v, %v", name, right, err)
		}
	}
}

func TestEveryForgeHasWebhooks(t *testing.T) {
	for _, name := range Names() {
		if events := WebhookEvents(name); len(events) == 0 || !slices.ContainsFunc(events, func(e string) bool {
			return strings.Contains(e, "push") || strings.Contains(e, "refs_changed")
		}) {
			t.Errorf("%s would tell of no push: %v", name, events)
		}
	}
}

// TestAWebhooksSecretStandsInNoError: some forges repeat what they refuse.
func TestAWebhooksSecretStandsInNoError(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = w.Write([]byte("[]"))
			return
		}
		http.Error(w, `{"message":{"token":["s3cret is too short"]}}`, http.StatusUnprocessableEntity)
	}))
	defer s.Close()
	api, err := Dial(NameGitLab, s.URL, Credentials{Token: "t0k"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = api.PutWebhook(t.Context(), "a/b", "https://ci.example.com/hooks/gitlab", "s3cret")
	if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), "*** is too short") {
		t.Errorf("the error is %v", err)
	}
}
