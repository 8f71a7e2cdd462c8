package server

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

// TestAnOverviewIsOfWhatOneMaySee: names, builds and triggers of other projects are not in it, nor how many there are.
func TestAnOverviewIsOfWhatOneMaySee(t *testing.T) {
	t.Parallel()
	public := project("api", apiURL)
	public.Visibility = config.VisibilityPublic
	d := newDaemon(t, public, project("hidden", "https://github.com/example/web.git"))
	hidden := running()
	hidden.Project = "hidden"
	d.state.put(hidden)
	d.state.put(running())
	if _, _, err := d.state.Accept(context.Background(), scheduler.Trigger{Kind: scheduler.KindManual, Projects: []string{"hidden"}, Actor: "admin"}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		client *client.Client
		all    int
	}{
		"an admin":             {d.client(), 2},
		"a token of a project": {client.New(d.url(), d.token(access.Read, "api")), 1},
		"a stranger":           {client.New(d.url(), ""), 1},
	} {
		o, err := c.client.Overview(t.Context(), client.OverviewOptions{})
		if err != nil {
			t.Fatal(name, err)
		}
		if o.All != c.all || len(o.Projects) != c.all || len(o.Waiting) != c.all || o.Waiting[0].Why == "" || o.Moment == "" {
			t.Errorf("%s sees %+v", name, o)
		}
		if none, err := c.client.Overview(t.Context(), client.OverviewOptions{Match: "HIDD", Limit: 3}); err != nil || none.Matching != c.all-1 || len(none.Projects) != c.all-1 {
			t.Errorf("%s finds %+v, %v", name, none.Projects, err)
		}
	}
	_, body := d.do("GET", "/api/v1/overview", bear(d.token(access.Read, "api")), nil)
	_, queue := d.do("GET", "/api/v1/queue", bear(d.token(access.Read, "api")), nil)
	if strings.Contains(string(body)+string(queue), "hidden") {
		t.Errorf("the hidden project is shown:\n%s\n%s", body, queue)
	}
}

// TestThePagesShowEachWhatItMaySee looks at what a stranger, a token of one project and an admin find on them.
func TestThePagesShowEachWhatItMaySee(t *testing.T) {
	t.Parallel()
	public := project("api", apiURL)
	public.Visibility = config.VisibilityPublic
	d := newDaemon(t, public, project("hidden", "https://github.com/example/web.git"))
	hidden := running()
	hidden.Project = "hidden"
	d.state.put(hidden)
	browser := func(token string) http.Header {
		h := http.Header{"Accept": {"text/html"}}
		if token != "" {
			h.Set("Authorization", "Bearer "+token)
		}
		return h
	}
	local := d.token(access.Admin, "api")
	for _, c := range []struct {
		path, token string
		status      int
		has, lacks  string
	}{
		{"/", "", http.StatusOK, ">api<", "hidden#1"},
		{"/", local, http.StatusOK, ">api<", "hidden#1"},
		{"/", testToken, http.StatusOK, "hidden#1", ""},
		{"/queue", "", http.StatusOK, "Where is a token?", "In line"},
		{"/queue", local, http.StatusOK, "In line", "hidden#1"},
		{"/triggers", "", http.StatusOK, "Where is a token?", ""},
		{"/triggers", local, http.StatusOK, "Nothing came in yet", "hidden#1"},
		{"/status", local, http.StatusForbidden, "may not do that", "What each worker does"},
		{"/audit", local, http.StatusForbidden, "may not do that", ""},
		{"/tokens", local, http.StatusForbidden, "may not do that", ""},
		{"/tokens", testToken, http.StatusOK, "Make one", ""},
	} {
		resp, body := d.send(http.MethodGet, c.path, browser(c.token), nil)
		if text := string(body); resp.StatusCode != c.status || !strings.Contains(text, c.has) || c.lacks != "" && strings.Contains(text, c.lacks) {
			t.Errorf("%s: %d, want %d with %q and without %q:\n%s", c.path, resp.StatusCode, c.status, c.has, c.lacks, text)
		}
	}
	form := func(path, token, body string, session bool) *http.Response {
		h := browser(token)
		if session {
			h = http.Header{"Accept": {"text/html"}, "Cookie": {d.logIn(token).String()}, "Sec-Fetch-Site": {"cross-site"}}
		}
		h.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, _ := d.send(http.MethodPost, path, h, []byte(body))
		return resp
	}
	form("/queue/drain", testToken, "on=true", true)
	form("/queue/drain", local, "on=true", false)
	if d.state.Draining() {
		t.Fatal("another site, or an admin of one project, drained the daemon")
	}
	if form("/queue/drain", testToken, "on=true", false); !d.state.Draining() {
		t.Error("an admin could not drain the daemon")
	}
	if resp := form("/triggers/t1/approve", testToken, "", false); resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an approval of no commit is answered %d", resp.StatusCode)
	}
}
