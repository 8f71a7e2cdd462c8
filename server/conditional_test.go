package server

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

func TestWhatIsKnownIsNotSentAgain(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	d.state.put(over(running(), scheduler.Succeeded), job("linux", scheduler.JobEnded, scheduler.Succeeded, scheduler.Succeeded))
	for _, path := range []string{"/api/v1/builds", "/api/v1/builds/api/1", "/api/v1/projects", "/api/v1/projects/api", "/api/v1/whoami", "/openapi.json", "/feed.atom", "/badges/api.svg"} {
		first, body := d.do(http.MethodGet, path, nil, nil)
		tag := first.Header.Get("ETag")
		if first.StatusCode != http.StatusOK || len(tag) < 20 {
			t.Fatalf("%s: %d with the ETag %q", path, first.StatusCode, tag)
		}
		for sent, status := range map[string]int{tag: 304, `"other", W/` + tag: 304, "*": 304, `"other"`: 200, strings.Trim(tag, `"`): 200} {
			resp, text := d.do(http.MethodGet, path, http.Header{"If-None-Match": {sent}}, nil)
			if resp.StatusCode != status || resp.Header.Get("ETag") != tag || (status == 304) != (len(text) == 0) || status == 200 && string(text) != string(body) {
				t.Errorf("%s with If-None-Match %s: %d, %d bytes", path, sent, resp.StatusCode, len(text))
			}
		}
		head, nothing := d.do(http.MethodHead, path, nil, nil)
		if head.StatusCode != http.StatusOK || len(nothing) > 0 || head.Header.Get("ETag") != tag || head.Header.Get("Content-Type") != first.Header.Get("Content-Type") {
			t.Errorf("HEAD %s: %d %v", path, head.StatusCode, head.Header)
		}
	}
	if resp, _ := d.do(http.MethodGet, "/api/v1/builds/api/9", http.Header{"If-None-Match": {"*"}}, nil); resp.StatusCode != http.StatusNotFound || resp.Header.Get("ETag") != "" {
		t.Errorf("an error is %d with the ETag %s", resp.StatusCode, resp.Header.Get("ETag"))
	}
}

// TestTheHeaderOfAStreamEndsIt: HEAD of a log that is followed must not last as long as the job.
func TestTheHeaderOfAStreamEndsIt(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	d.state.put(running(), job("linux", scheduler.JobLeased, scheduler.InProgress, scheduler.InProgress))
	for path, kind := range map[string]string{"/log?follow=true": "text/plain; charset=utf-8", "/events": "text/event-stream"} {
		resp, body := d.do(http.MethodHead, "/api/v1/builds/api/1"+path, nil, nil)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != kind || len(body) > 0 {
			t.Errorf("HEAD %s: %d %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
	}
}

func TestAProjectIsChangedByWhoKnowsIt(t *testing.T) {
	d := newDaemon(t)
	c := d.client()
	put := func(header http.Header, image string) *http.Response {
		t.Helper()
		header.Set("Content-Type", "application/json")
		resp, _ := d.do(http.MethodPut, "/api/v1/projects/api", header, []byte(`{"name":"api","url":"`+apiURL+`","image":"`+image+`"}`))
		return resp
	}
	if resp := put(http.Header{"If-Match": {"*"}}, "one"); resp.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("If-Match * of nothing: %d", resp.StatusCode)
	}
	made := put(http.Header{"If-None-Match": {"*"}}, "one")
	if made.StatusCode != http.StatusOK {
		t.Fatalf("made: %d", made.StatusCode)
	}
	if resp := put(http.Header{"If-None-Match": {"*"}}, "two"); resp.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("made twice: %d", resp.StatusCode)
	}
	p, tag, err := c.ProjectTag(t.Context(), "api")
	if err != nil || tag != made.Header.Get("ETag") || p.Image != "one" {
		t.Fatalf("%+v has the tag %s, and the answer of PUT %s: %v", p, tag, made.Header.Get("ETag"), err)
	}
	p.Image = "two"
	if err := c.PutProjectIf(t.Context(), p, tag); err != nil {
		t.Fatal(err)
	}
	p.Image = "three" // by somebody who did not see that
	if err := c.PutProjectIf(t.Context(), p, tag); asProblem(t, err).Status != http.StatusPreconditionFailed || !strings.Contains(err.Error(), "meanwhile") {
		t.Errorf("a late change: %v", err)
	}
	if resp, _ := d.do(http.MethodDelete, "/api/v1/projects/api", http.Header{"If-Match": {tag}}, nil); resp.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("a late removal: %d", resp.StatusCode)
	}
	p, tag, err = c.ProjectTag(t.Context(), "api")
	if err != nil || p.Image != "two" {
		t.Errorf("%+v, %v", p, err)
	}
	if resp, _ := d.do(http.MethodDelete, "/api/v1/projects/api", http.Header{"If-Match": {tag}}, nil); resp.StatusCode != http.StatusNoContent {
		t.Errorf("the removal: %d", resp.StatusCode)
	}
}

func TestAnArtifactThatIsKnownIsNotSentAgain(t *testing.T) {
	d := artifactDaemon(t)
	path := "/api/v1/builds/api/1/artifacts/file?path=bin/app"
	first, body := d.do(http.MethodGet, path, nil, nil)
	if first.StatusCode != http.StatusOK || len(body) == 0 {
		t.Fatalf("%d %s", first.StatusCode, body)
	}
	if resp, body := d.do(http.MethodGet, path, http.Header{"If-None-Match": {first.Header.Get("ETag")}}, nil); resp.StatusCode != http.StatusNotModified || len(body) > 0 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, _ := d.do(http.MethodHead, path, nil, nil); resp.StatusCode != http.StatusOK || resp.Header.Get("ETag") != first.Header.Get("ETag") {
		t.Errorf("HEAD: %d", resp.StatusCode)
	}
}

func TestARequestThatWasSentTwiceIsDoneOnce(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	ask := func(key, body, token string) (int, string) {
		t.Helper()
		resp, text := d.do(http.MethodPost, "/api/v1/tokens", http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {key}, "Authorization": {"Bearer " + token}}, []byte(body))
		return resp.StatusCode, string(text)
	}
	const bot = `{"name":"bot","scope":"read","projects":["api"]}`
	other := d.token("admin", "*")
	status, first := ask("one", bot, testToken)
	if status != http.StatusCreated {
		t.Fatal(status, first)
	}
	if status, again := ask("one", bot, testToken); status != http.StatusCreated || again != first {
		t.Errorf("the second answer is %d %s, the first was %s", status, again, first)
	}
	for _, c := range []struct {
		what, key, body, token string
		status                 int
	}{
		{"the same without its key", "two", bot, testToken, http.StatusConflict},
		{"another with that key", "one", strings.Replace(bot, "bot", "bat", 1), testToken, http.StatusUnprocessableEntity},
		{"somebody else with that key", "one", bot, other, http.StatusConflict},
		{"what failed, again", "two", strings.Replace(bot, "bot", "bet", 1), testToken, http.StatusCreated},
	} {
		if status, text := ask(c.key, c.body, c.token); status != c.status || status != http.StatusCreated && strings.Contains(text, "rnr_") {
			t.Errorf("%s: %d %s", c.what, status, text)
		}
	}
	if page, err := d.client().Audit(t.Context(), client.AuditOptions{Action: "create-token"}); err != nil || len(page.Items) != 4 {
		t.Errorf("the audit log has %d records, want one each of two that were made and two that were there: %v", len(page.Items), err)
	}
}

func TestASecretIsChangedByWhoKnowsIt(t *testing.T) {
	d := newDaemon(t, project("api", apiURL), project("web", "https://github.com/example/web.git"))
	d.withSecrets()
	c := d.client()
	put := func(project, name, value string) int {
		t.Helper()
		resp, _ := d.do(http.MethodPut, "/api/v1/secrets", http.Header{"Content-Type": {"application/json"}, name: {value}}, []byte(`{"name":"/db","project":"`+project+`","value":"hunter2-`+strconv.Itoa(len(value))+`"}`))
		return resp.StatusCode
	}
	if status := put("api", "If-Match", "*"); status != http.StatusPreconditionFailed {
		t.Errorf("a change of nothing: %d", status)
	}
	for _, project := range []string{"web", "api"} { // another project's of that name is another secret
		if status := put(project, "If-None-Match", "*"); status != http.StatusOK {
			t.Errorf("made for %s: %d", project, status)
		}
	}
	list, err := c.Secrets(t.Context(), "/db")
	if err != nil || len(list) != 2 || list[0].ETag == "" || list[0].ETag == list[1].ETag {
		t.Fatalf("%+v, %v", list, err)
	}
	tag := list[0].ETag
	if list[0].Project != "api" {
		tag = list[1].ETag
	}
	if first, second := put("api", "If-Match", tag), put("api", "If-Match", tag); first != http.StatusOK || second != http.StatusPreconditionFailed {
		t.Errorf("a change and a late one: %d, %d", first, second)
	}
	if status := put("api", "If-None-Match", "*"); status != http.StatusPreconditionFailed {
		t.Errorf("made twice: %d", status)
	}
	resp, _ := d.do(http.MethodDelete, "/api/v1/secrets?name=/db&project=api", http.Header{"If-Match": {tag}}, nil)
	if resp.StatusCode != http.StatusPreconditionFailed {
		t.Errorf("a late removal: %d", resp.StatusCode)
	}
}
