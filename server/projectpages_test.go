package server

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/tests/quarantine"
)

// TestThePagesOfAProject asks for each with what there is to show; internal/faces looks at them.
func TestThePagesOfAProject(t *testing.T) {
	d := testedDaemon(t)
	red := over(running(), scheduler.Failed)
	red.Title, red.Ref, red.Author = "<b>bold</b>", "refs/heads/main", "Ada"
	d.state.put(red, job("build", scheduler.JobEnded, scheduler.Failed, scheduler.Failed))
	red.Started = time.Now()
	red.Quarantine = quarantine.List{
		{Test: "a_test.go::a::t00", Owner: "<i>key", Until: time.Now().UTC().Format(time.DateOnly), Reason: "slow", Line: 1},
		{Test: "b", Owner: "bob", Until: "2020-01-01", Line: 4},
	}
	d.state.branches, d.state.newest = []scheduler.Build{red}, &red
	if _, _, err := d.store.PutCache(t.Context(), artifacts.CacheMeta{Scope: "api/ref/refs/pull/7/head", Key: "<i>key</i>", Paths: "p"}, strings.NewReader("text"), 0); err != nil {
		t.Fatal(err)
	}
	reader := d.token(access.Read, "api")
	for path, has := range map[string][]string{
		"/builds":                                          {"api#1", "&lt;b&gt;bold", `href="/projects/api/builds/1"`},
		"/builds?trigger=push&q=x":                         {`value="push" selected`, `value="x"`},
		"/projects/api":                                    {"has been broken on main", "&lt;b&gt;bold", "by Ada", "Slowest tests", "t29", "Flaky tests", "t09"},
		"/projects/api?ref=main&cursor=":                   {`value="main"`},
		"/projects/api/tests":                              {"t29", "slowest"},
		"/projects/api/tests?sort=flaky":                   {"t09"},
		"/projects/api/tests?q=t0&sort=x":                  {"422"},
		"/projects/api/tests/history?id=a_test.go::a::t09": {"flaky", "api#1", "runner tests quarantine add &#39;a_test.go::a::t09&#39;"},
		"/projects/api/tests/quarantine":                   {"in force", "1 of 1", "ended: failures count", "no such test", "until: 20"},
		"/projects/api/caches":                             {"pull request 7", "&lt;i&gt;key", "not known yet"},
		"/projects/api/schedules":                          {"Nothing of api is built by the clock"},
		"/projects/api/settings":                           {"default branch", ".git", "Secrets are shown by where they come from"},
		"/projects/api/builds/1/times":                     {"Times of api#1", "build"},
		"/projects/api/builds/1/tests":                     {"expected 4", "Coverage", "flaky", "50.0 %"},
		"/projects/api/builds/1/tests?status=FAILED&q=t1":  {`value="t1"`},
	} {
		resp, body := d.do(http.MethodGet, path, http.Header{"Authorization": {"Bearer " + reader}, "Accept": {"text/html"}}, nil)
		want := http.StatusOK
		if has[0] == "422" {
			want, has = http.StatusUnprocessableEntity, nil
		}
		if resp.StatusCode != want {
			t.Errorf("%s: %d\n%s", path, resp.StatusCode, body)
		}
		for _, text := range has {
			if !strings.Contains(string(body), text) {
				t.Errorf("%s lacks %q:\n%s", path, text, body)
			}
		}
		if strings.Contains(string(body), "<b>bold") || strings.Contains(string(body), "<i>key") {
			t.Errorf("%s shows what others wrote as HTML", path)
		}
		if strings.Contains(string(body), "danger") {
			t.Errorf("%s offers a reader to remove something", path)
		}
	}
	if log := d.log.String(); strings.Contains(log, "could not be shown") {
		t.Error(log)
	}
}

// TestWhatAProjectsPagesDo sends their forms.
func TestWhatAProjectsPagesDo(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	info, _, err := d.store.PutCache(t.Context(), artifacts.CacheMeta{Scope: "api/protected", Paths: "p"}, strings.NewReader("text"), 0)
	if err != nil {
		t.Fatal(err)
	}
	form := func(token string) http.Header {
		return http.Header{"Authorization": {"Bearer " + token}, "Accept": {"text/html"}, "Content-Type": {"application/x-www-form-urlencoded"}}
	}
	remove, reader, owner := "/projects/api/caches/"+info.ID+"/remove", d.token(access.Read, "api"), d.token(access.Admin, "api")
	for _, c := range []struct {
		path, token, body string
		status            int
	}{
		{remove, reader, "", http.StatusForbidden},
		{"/projects/api/start", reader, "ref=main", http.StatusForbidden},
		{"/projects/api/start", owner, "ref=a..b", http.StatusUnprocessableEntity},
		{"/projects/none/start", owner, "ref=main", http.StatusForbidden},
	} {
		if resp, body := d.do(http.MethodPost, c.path, form(c.token), []byte(c.body)); resp.StatusCode != c.status {
			t.Errorf("POST %s: %d, want %d\n%s", c.path, resp.StatusCode, c.status, body)
		}
	}
	d.do(http.MethodPost, remove, form(owner), nil)
	if left, err := d.client().ProjectCaches(t.Context(), "api"); err != nil || len(left) != 0 {
		t.Errorf("%d caches are left, %v", len(left), err)
	}
}
