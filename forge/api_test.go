package forge

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestAPIOfARepository(t *testing.T) {
	for _, c := range []struct{ forge, url, api, repository string }{
		{NameGitHub, "https://github.com/example/api.git", "https://api.github.com", "example/api"},
		{NameGitHub, "git@github.com:example/api.git", "https://api.github.com", "example/api"},
		{NameGitHub, "ssh://git@ssh.github.com:443/example/api.git", "https://api.github.com", "example/api"},
		{NameGitHub, "https://ghe.example.com/example/api", "https://ghe.example.com/api/v3", "example/api"},
		{NameGitHub, "https://acme.ghe.com/example/api", "https://api.acme.ghe.com", "example/api"},
		{NameGitLab, "https://gitlab.com/group/sub/api.git", "https://gitlab.com", "group/sub/api"},
		{NameGitLab, "http://gitlab.example.com:8929/group/api.git", "http://gitlab.example.com:8929", "group/api"},
		{NameGitea, "https://example.com/git/example/api.git", "https://example.com/git", "example/api"},
		{NameForgejo, "https://codeberg.org/example/api.git", "https://codeberg.org", "example/api"},
		{NameGogs, "ssh://git@gogs.example.com:2222/example/api.git", "https://gogs.example.com", "example/api"},
		{NameBitbucket, "https://bitbucket.org/example/api.git", "https://api.bitbucket.org", "example/api"},
		{NameBitbucketServer, "https://git.example.com/bitbucket/scm/~ada/api.git", "https://git.example.com/bitbucket", "~ada/api"},
		{NameBitbucketServer, "ssh://git@git.example.com:7999/prj/api.git", "https://git.example.com", "prj/api"},
	} {
		api, err := APIOf(c.forge, c.url)
		if err != nil || api != c.api {
			t.Errorf("APIOf(%s, %s) = %q, %v; want %q", c.forge, c.url, api, err, c.api)
		}
		if name, err := RepositoryOf(c.forge, api, c.url); err != nil || name != c.repository {
			t.Errorf("RepositoryOf(%s, %s) = %q, %v; want %q", c.forge, c.url, name, err, c.repository)
		}
	}
	if name, err := RepositoryOf(NameGitLab, "https://example.com/gitlab", "https://example.com/gitlab/group/sub/api"); err != nil || name != "group/sub/api" {
		t.Errorf("below a path of GitLab's: %q, %v", name, err)
	}
	for _, bad := range []string{"", "api", "file:///srv/api.git", "https://example.com", "https://example.com/api", "https://example.com/a/../b", "git@[::1]:a/b"} {
		if api, err := APIOf(NameGitea, bad); err == nil {
			t.Errorf("APIOf(%q) = %q, want an error", bad, api)
		}
	}
	if _, err := APIOf("svn", "https://example.com/a/b"); err == nil || !strings.Contains(err.Error(), "bitbucket-server") {
		t.Errorf("an unknown forge: %v", err)
	}
}

func TestEachForgeGetsItsTokenItsWay(t *testing.T) {
	for _, c := range []struct {
		forge         string
		login         Credentials
		header, value string
	}{
		{NameGitHub, Credentials{Token: "t0k"}, "Authorization", "Bearer t0k"},
		{NameGitLab, Credentials{Token: "t0k"}, "Private-Token", "t0k"},
		{NameGitea, Credentials{Token: "t0k"}, "Authorization", "token t0k"},
		{NameForgejo, Credentials{Token: "t0k"}, "Authorization", "token t0k"},
		{NameGogs, Credentials{Token: "t0k"}, "Authorization", "token t0k"},
		{NameBitbucket, Credentials{Token: "t0k"}, "Authorization", "Bearer t0k"},
		{NameBitbucket, Credentials{Username: "x-token-auth", Token: "t0k"}, "Authorization", "Bearer t0k"},
		{NameBitbucket, Credentials{Username: "ada", Token: "t0k"}, "Authorization", "Basic YWRhOnQwaw=="},
		{NameBitbucketServer, Credentials{Username: "ada", Token: "t0k"}, "Authorization", "Bearer t0k"},
		{NameGitHub, Credentials{}, "Authorization", ""},
	} {
		var got http.Header
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = r.Header
			_, _ = w.Write([]byte("{}"))
		}))
		api, err := Dial(c.forge, s.URL, c.login, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := api.ask(t.Context(), "asking", http.MethodGet, "version", nil, nil); err != nil {
			t.Errorf("%s: %v", c.forge, err)
		}
		s.Close()
		if got.Get(c.header) != c.value {
			t.Errorf("%s with %+v: header %s = %q, want %q", c.forge, c.login, c.header, got.Get(c.header), c.value)
		}
	}
}

func TestNoTokenLeavesItsHost(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirect to another host was followed")
	}))
	defer stranger.Close()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/renamed" {
			_, _ = w.Write([]byte("{}"))
			return
		}
		to := map[string]string{"/away": stranger.URL + "/", "/circle": "/circle", "/moved": "/renamed", "/lost": "/renamed"}[r.URL.Path]
		status := http.StatusTemporaryRedirect
		if r.URL.Path == "/lost" {
			status = http.StatusFound
		}
		http.Redirect(w, r, to, status)
	}))
	defer s.Close()
	api, err := Dial(NameGitea, s.URL, Credentials{Token: "t0k"}, s.Client())
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"away": "no token goes there", "circle": "in a circle", "lost": "loses what was sent", "moved": ""} {
		err := api.ask(t.Context(), "creating a webhook", http.MethodPost, path, map[string]int{}, nil)
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "t0k") {
			t.Errorf("%s: the error tells the token: %v", path, err)
		}
	}
}

func TestAnswersAreBoundedAndErrorsSayWhatTheForgeSaid(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/long":
			_, _ = w.Write([]byte(strings.Repeat("[", maxAnswer+1)))
		case "/busy":
			w.Header().Set("Retry-After", "90")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.Write([]byte(`{"errors":[{"message":"slow down"}]}`))
		case "/used-up":
			w.Header().Set("X-RateLimit-Remaining", "0")
			w.Header().Set("X-RateLimit-Reset", "99999999999")
			http.Error(w, `{"message":"API rate limit exceeded"}`, http.StatusForbidden)
		case "/no":
			http.Error(w, `{"message":{"url":["is blocked"]}}`, http.StatusUnprocessableEntity)
		case "/echo":
			http.Error(w, `{"message":"bad credentials: `+r.Header.Get("Authorization")+`"}`, http.StatusUnauthorized)
		case "/elsewhere":
			_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			http.Redirect(w, r, "http://"+token+".example.com/", http.StatusFound)
		case "/nested":
			http.Error(w, `{"type":"error","error":{"message":"no such\nrepository"}}`, http.StatusNotFound)
		default:
			http.Error(w, "<html>", http.StatusBadGateway)
		}
	}))
	defer s.Close()
	api, err := Dial(NameGitHub, s.URL+"/", Credentials{Token: "t0k"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, want string
		permanent  bool
		wait       time.Duration
	}{
		{"busy", "status 429 Too Many Requests: slow down", false, 90 * time.Second},
		{"used-up", "API rate limit exceeded", false, maxRetryAfter},
		{"no", `{"url":["is blocked"]}`, true, 0},
		{"nested", "status 404 Not Found: no such", true, 0},
		{"gone", "status 502 Bad Gateway", false, 0},
	} {
		err := api.ask(t.Context(), "listing webhooks", http.MethodGet, c.path, nil, nil)
		var e *APIError
		if !errors.As(err, &e) || !strings.HasSuffix(strings.TrimSuffix(err.Error(), "repository"), c.want) || e.Permanent() != c.permanent || e.RetryAfter != c.wait {
			t.Errorf("%s: %v (%+v), want %q, permanent %v, wait %s", c.path, err, e, c.want, c.permanent, c.wait)
		}
	}
	for path, want := range map[string]string{"echo": "bad credentials: Bearer ***", "elsewhere": "http://***.example.com"} {
		if err := api.ask(t.Context(), "listing webhooks", http.MethodGet, path, nil, nil); err == nil || strings.Contains(err.Error(), "t0k") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q and no token", path, err, want)
		}
	}
	if err := api.ask(t.Context(), "listing webhooks", http.MethodGet, "long", nil, nil); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("an endless answer: %v", err)
	}
}

func TestDialRefusesWhatIsNoAPI(t *testing.T) {
	for _, bad := range []string{"", "github.com", "ftp://example.com", "https://user:pass@example.com", "https://example.com/?a=b"} {
		_, err := Dial(NameGitHub, bad, Credentials{}, nil)
		if err == nil || strings.Contains(err.Error(), "pass@") {
			t.Errorf("Dial(%q): %v", bad, err)
		}
	}
}

// forgeDouble answers the question that tells a forge, at a path.
func forgeDouble(t *testing.T, below string, answers map[string]string, header http.Header) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name := range r.Header {
			if strings.Contains(strings.ToLower(name), "auth") || strings.Contains(strings.ToLower(name), "token") {
				t.Errorf("while guessing, %s was sent", name)
			}
		}
		for name := range header {
			w.Header().Set(name, header.Get(name))
		}
		answer, ok := answers[strings.TrimPrefix(r.URL.Path, below)]
		if !ok || !strings.HasPrefix(r.URL.Path, below) {
			http.Error(w, `{"message":"401 Unauthorized"}`, http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(s.Close)
	return s
}

func TestDetect(t *testing.T) {
	gitea := map[string]string{"/api/v1/version": `{"version":"1.22.0"}`, "/api/v1/users/search": `{"ok":true,"data":[]}`}
	forgejo := map[string]string{"/api/v1/version": `{"version":"9.0.0+gitea-1.22.0"}`, "/api/forgejo/v1/version": `{"version":"9.0.0"}`}
	for _, c := range []struct {
		name, below, path string
		answers           map[string]string
		header            http.Header
		forge, api        string
	}{
		{"gitea", "", "/example/api.git", gitea, nil, NameGitea, ""},
		{"gitea below a path", "/git", "/git/example/api.git", gitea, nil, NameGitea, "/git"},
		{"forgejo", "", "/example/api.git", forgejo, nil, NameForgejo, ""},
		{"gogs", "", "/example/api.git", map[string]string{"/api/v1/users/search": `{"ok":true,"data":[]}`}, nil, NameGogs, ""},
		{"github enterprise", "", "/example/api.git", map[string]string{"/api/v3/meta": `{"installed_version":"3.12.0"}`}, nil, NameGitHub, "/api/v3"},
		{"gitlab", "", "/group/sub/api.git", nil, http.Header{"X-Gitlab-Meta": {`{"version":"1"}`}}, NameGitLab, ""},
		{"bitbucket server", "/bb", "/bb/scm/prj/api.git", map[string]string{"/rest/api/1.0/application-properties": `{"displayName":"Bitbucket","version":"8.9"}`}, nil, NameBitbucketServer, "/bb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := forgeDouble(t, c.below, c.answers, c.header)
			found, err := Detect(t.Context(), s.URL+c.path, nil)
			if err != nil || found.Forge != c.forge || found.API != s.URL+c.api {
				t.Errorf("Detect = %+v, %v; want %s at %s", found, err, c.forge, s.URL+c.api)
			}
		})
	}
}

func TestDetectByNameAsksNobody(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel() // a question would fail
	for url, want := range map[string]string{
		"git@github.com:a/b.git": NameGitHub, "https://gitlab.com/a/b/c": NameGitLab, "https://bitbucket.org/a/b": NameBitbucket, "https://codeberg.org/a/b": NameForgejo,
	} {
		if found, err := Detect(ended, url, nil); err != nil || found.Forge != want {
			t.Errorf("Detect(%s) = %+v, %v", url, found, err)
		}
	}
}

func TestDetectSaysThatAHostIsNoForge(t *testing.T) {
	s := forgeDouble(t, "", nil, nil)
	if _, err := Detect(t.Context(), s.URL+"/a/b.git", nil); !errors.Is(err, ErrUnknownForge) {
		t.Errorf("Detect of a plain web server: %v", err)
	}
	s.Close()
	if _, err := Detect(t.Context(), s.URL+"/a/b.git", nil); err == nil || errors.Is(err, ErrUnknownForge) {
		t.Errorf("Detect of a host that does not answer: %v", err)
	}
}
