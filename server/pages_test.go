package server

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
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

// TestAPathThatIsNoneIsAPageForPeople: a mistyped address is answered to a browser with a page that leads back, to nobody as everything private is,
// and to a program with a problem.
func TestAPathThatIsNoneIsAPageForPeople(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	known, nobody := bear(testToken), http.Header{}
	known.Set("Accept", "text/html,*/*")
	nobody.Set("Accept", "text/html,*/*")
	for _, c := range []struct {
		path   string
		header http.Header
		status int
		has    string
	}{
		{"/nonsense", known, http.StatusNotFound, `<h1>there is nothing at /nonsense</h1>`},
		{"/<b>", known, http.StatusNotFound, `there is nothing at /&lt;b&gt;`},
		{"/nonsense", nobody, http.StatusOK, `name="next" value="/nonsense"`},
		{"/hooks/github", nobody, http.StatusOK, `name="next" value="/hooks/github"`},
		{"/hooks/github", known, http.StatusMethodNotAllowed, `"it takes POST"`},
		{"/nonsense", bear(testToken), http.StatusNotFound, `"detail":"there is nothing at /nonsense"`},
		{"/nonsense", http.Header{}, http.StatusUnauthorized, `"status":401`},
		{"/api/v1/nonsense", known, http.StatusNotFound, `"detail":"there is nothing at /api/v1/nonsense"`},
	} {
		resp, body := d.send(http.MethodGet, c.path, c.header, nil)
		if resp.StatusCode != c.status || !strings.Contains(string(body), c.has) {
			t.Errorf("%s with %v: %d, want %d with %q:\n%s", c.path, c.header, resp.StatusCode, c.status, c.has, body)
		}
	}
}

// TestTheBuildPageOfManyJobsIsShort: a batch may have ten thousand jobs, and its page is made anew whenever one of them changes.
func TestTheBuildPageOfManyJobsIsShort(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	var jobs []scheduler.Job
	for i := range 2000 {
		status := scheduler.Succeeded
		if i%10 == 3 {
			status = scheduler.Failed
		}
		jobs = append(jobs, job(fmt.Sprintf("job%d", i), scheduler.JobEnded, status, status))
	}
	d.state.put(over(running(), scheduler.Failed), jobs...)
	resp, body := d.do(http.MethodGet, "/projects/api/builds/1", nil, nil)
	text := string(body)
	if resp.StatusCode != http.StatusOK || len(text) > 150<<10 || !strings.Contains(text, "200 of 2000 jobs failed") || !strings.Contains(text, "job × 2,000") {
		t.Errorf("%d, %d bytes: %.300s", resp.StatusCode, len(text), text)
	}
}

func TestPagesAreCompressedForWhoTakesThat(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	d.state.put(running(), job("linux", scheduler.JobLeased, scheduler.InProgress, scheduler.InProgress))
	header := bear(testToken)
	header.Set("Accept-Encoding", "gzip")
	resp, zipped := d.send(http.MethodGet, "/projects/api/builds/1", header, nil)
	r, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil || resp.Header.Get("Content-Encoding") != "gzip" || !strings.Contains(strings.Join(resp.Header.Values("Vary"), ","), "Accept-Encoding") {
		t.Fatalf("%v: %v", err, resp.Header)
	}
	if text, err := io.ReadAll(r); err != nil || !strings.HasSuffix(strings.TrimSpace(string(text)), "</html>") {
		t.Errorf("%v: %.100s", err, text)
	}
}

// TestPagesTellHowLongTheyTook: without it those that are live would be asked for each second by everybody, however busy the daemon is.
func TestPagesTellHowLongTheyTook(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	for _, path := range []string{"/", "/queue", "/projects/api", "/login"} {
		resp, _ := d.do(http.MethodGet, path, nil, nil)
		var took float64
		if _, err := fmt.Sscanf(resp.Header.Get("Server-Timing"), "page;dur=%f", &took); err != nil {
			t.Errorf("%s: Server-Timing is %q: %v", path, resp.Header.Get("Server-Timing"), err)
		}
	}
}
