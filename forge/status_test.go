package forge

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// asked is one request that a double of a forge got.
type asked struct {
	method, path string
	header       http.Header
	body         map[string]any
}

// double answers one request after the other, and remembers them.
func double(t *testing.T, answers ...string) (address string, requests func() []asked) {
	t.Helper()
	var got []asked
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		a := asked{method: r.Method, path: r.URL.RequestURI(), header: r.Header}
		if len(raw) > 0 {
			if err := json.Unmarshal(raw, &a.body); err != nil {
				t.Errorf("%s %s: %q is no JSON", a.method, a.path, raw)
			}
		}
		got = append(got, a)
		answer := "201 {}"
		if len(got) <= len(answers) {
			answer = answers[len(got)-1]
		}
		status := map[string]int{"200": 200, "201": 201, "400": 400, "404": 404}[answer[:3]]
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer[4:])
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []asked { return got }
}

func dialed(t *testing.T, forge, address string) *API {
	t.Helper()
	a, err := Dial(forge, address, Credentials{Token: "t0k"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

const commit = "0123456789012345678901234567890123456789"

func TestEachForgeIsToldOfAStatusItsWay(t *testing.T) {
	s := Status{Commit: commit, Context: "runner/api", State: StateError, Description: "the engine is gone", URL: "https://ci.example.com/projects/api/builds/7", Ref: "main"}
	for _, c := range []struct {
		forge, repository, path, header, token string
		body                                   map[string]any
	}{
		{NameGitHub, "o/api", "/repos/o/api/statuses/" + commit, "Authorization", "Bearer t0k",
			map[string]any{"state": "error", "context": "runner/api", "description": s.Description, "target_url": s.URL}},
		{NameGitLab, "g/sub/api", "/api/v4/projects/g%2Fsub%2Fapi/statuses/" + commit, "Private-Token", "t0k",
			map[string]any{"state": "failed", "name": "runner/api", "description": s.Description, "target_url": s.URL, "ref": "main"}},
		{NameGitea, "o/api", "/api/v1/repos/o/api/statuses/" + commit, "Authorization", "token t0k",
			map[string]any{"state": "error", "context": "runner/api", "description": s.Description, "target_url": s.URL}},
		{NameForgejo, "o/api", "/api/v1/repos/o/api/statuses/" + commit, "Authorization", "token t0k",
			map[string]any{"state": "error", "context": "runner/api", "description": s.Description, "target_url": s.URL}},
		{NameBitbucket, "o/api", "/2.0/repositories/o/api/commit/" + commit + "/statuses/build", "Authorization", "Bearer t0k",
			map[string]any{"state": "FAILED", "key": "runner/api", "name": "runner/api", "description": s.Description, "url": s.URL}},
		{NameBitbucketServer, "PRJ/api", "/rest/build-status/1.0/commits/" + commit, "Authorization", "Bearer t0k",
			map[string]any{"state": "FAILED", "key": "runner/api", "name": "runner/api", "description": s.Description, "url": s.URL}},
	} {
		t.Run(c.forge, func(t *testing.T) {
			address, requests := double(t)
			if err := dialed(t, c.forge, address).SetStatus(t.Context(), c.repository, s); err != nil {
				t.Fatal(err)
			}
			r := requests()[0]
			if len(requests()) != 1 || r.method != http.MethodPost || r.path != c.path || r.header.Get(c.header) != c.token {
				t.Errorf("%s %s, %s: %s; want POST %s", r.method, r.path, c.header, r.header.Get(c.header), c.path)
			}
			delete(r.body, "created_at")
			delete(r.body, "updated_at") // go-scm's, of no time
			for k, v := range r.body {
				if v == nil || v == "" || v == false || v == 0.0 {
					delete(r.body, k)
				}
			}
			if !reflect.DeepEqual(r.body, c.body) {
				t.Errorf("told %v, want %v", r.body, c.body)
			}
		})
	}
	if err := dialed(t, NameGogs, "http://127.0.0.1:1").SetStatus(t.Context(), "o/api", s); !errors.Is(err, ErrNoStatuses) {
		t.Errorf("Gogs: %v", err)
	}
}

func TestAStatusFitsTheForge(t *testing.T) {
	address, requests := double(t)
	s := Status{Commit: commit, State: StateFailure, Context: "runner/" + strings.Repeat("ä", 60) + "1", Description: strings.Repeat("ö", 300)}
	if err := dialed(t, NameGitHub, address).SetStatus(t.Context(), "o/api", s); err != nil {
		t.Fatal(err)
	}
	b := dialed(t, NameBitbucket, address)
	other := s
	other.Context = strings.TrimSuffix(s.Context, "1") + "2"
	for _, s := range []Status{s, other} {
		if err := b.SetStatus(t.Context(), "o/api", s); err != nil {
			t.Fatal(err)
		}
	}
	got := requests()
	if text := got[0].body["description"].(string); utf8.RuneCountInString(text) != 140 || !strings.HasSuffix(text, "ö…") {
		t.Errorf("GitHub is told %d characters", utf8.RuneCountInString(text))
	}
	one, two := got[1].body["key"].(string), got[2].body["key"].(string)
	if utf8.RuneCountInString(one) != 40 || one == two || !utf8.ValidString(one) {
		t.Errorf("Bitbucket's keys are %q and %q: want 40 characters each, not the same", one, two)
	}
}

func TestGitLabsRefusalToGoBackIsNoFailure(t *testing.T) {
	address, _ := double(t, `400 {"message":"Cannot transition status via :run from :running"}`, `400 {"message":"sha is invalid"}`)
	a := dialed(t, NameGitLab, address)
	s := Status{Commit: commit, Context: "x", State: StateRunning}
	if err := a.SetStatus(t.Context(), "g/api", s); err != nil {
		t.Errorf("a status that is where it shall be: %v", err)
	}
	var answered *APIError
	if err := a.SetStatus(t.Context(), "g/api", s); !errors.As(err, &answered) || !answered.Permanent() {
		t.Errorf("another refusal: %v", err)
	}
}
