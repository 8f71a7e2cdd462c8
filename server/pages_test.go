package server

import (
	"net/http"
	"strings"
	"testing"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

func TestTheBuildPage(t *testing.T) {
	public := project("api", apiURL)
	public.Visibility = config.VisibilityPublic
	d := newDaemon(t, public, project("web", "https://github.com/example/web.git"))
	b := over(running(), scheduler.Failed)
	b.Message = "<script>alert(1)</script>"
	d.state.put(b, job("linux", scheduler.JobEnded, scheduler.Failed, scheduler.Failed))
	browser := http.Header{"Accept": {"text/html,*/*"}}
	for _, c := range []struct {
		path   string
		header http.Header
		status int
		has    string
	}{
		{"/projects/api/builds/1", browser, http.StatusOK, `>failed</span>`},
		{"/projects/web/builds/1", browser, http.StatusOK, `name="next" value="/projects/web/builds/1"`},
		{"/projects/none/builds/9", browser, http.StatusOK, `name="next" value="/projects/none/builds/9"`},
		{"/projects/web/builds/1", http.Header{}, http.StatusUnauthorized, ""},
		{"/projects/web/builds/1", http.Header{"Accept": {"text/html"}, "Authorization": {"Bearer no"}}, http.StatusUnauthorized, ""},
	} {
		resp, body := d.send(http.MethodGet, c.path, c.header, nil)
		if resp.StatusCode != c.status || !strings.Contains(string(body), c.has) || strings.Contains(string(body), "<script>alert") {
			t.Errorf("%s: %d, want %d with %q:\n%s", c.path, resp.StatusCode, c.status, c.has, body)
		}
	}
}
