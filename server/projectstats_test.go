package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

func TestBuildsAreFilteredAsTheRequestSays(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	since, until := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC), time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		ask  client.ListOptions
		want scheduler.Filter
	}{
		{client.ListOptions{}, scheduler.Filter{}},
		{client.ListOptions{Project: "api", Status: "FAULT", Ref: "main"}, scheduler.Filter{Project: "api", Status: scheduler.Fault, Ref: "refs/heads/main"}},
		{client.ListOptions{Ref: "refs/pull/7/head", Kind: "pull_request"}, scheduler.Filter{Ref: "refs/pull/7/head", Kind: scheduler.KindPullRequest}},
		{client.ListOptions{Author: "ada", Text: " cache tokens "}, scheduler.Filter{Author: "ada", Text: "cache tokens"}},
		{client.ListOptions{Since: since, Until: until.In(time.FixedZone("", 3600))}, scheduler.Filter{Since: since, Until: until}},
	} {
		if _, err := d.client().Builds(t.Context(), c.ask); err != nil || d.state.filter != c.want {
			t.Errorf("%+v is asked for as %+v, %v", c.ask, d.state.filter, err)
		}
	}
	for query, want := range map[string]int{
		"?ref=a..b": http.StatusUnprocessableEntity, "?trigger=x": http.StatusUnprocessableEntity, "?since=monday": http.StatusUnprocessableEntity,
		"?branch=main": http.StatusUnprocessableEntity, "?ref=main&cursor=x": http.StatusBadRequest,
	} {
		if resp, body := d.do(http.MethodGet, "/api/v1/builds"+query, nil, nil); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d\n%s", query, resp.StatusCode, want, body)
		}
	}
}

func TestAProjectsDaysAndBranches(t *testing.T) {
	d := newDaemon(t, project("api", apiURL))
	c := d.client()
	stats, err := c.Stats(t.Context(), "api", client.StatsOptions{Days: 7, Ref: "next"})
	if err != nil || len(stats.Days) != 7 || stats.Ref != "refs/heads/next" || stats.Days[6].Day != time.Now().UTC().Format(time.DateOnly) || stats.All.Ended() != 0 {
		t.Errorf("%+v, %v", stats, err)
	}
	next, main := over(running(), scheduler.Failed), over(running(), scheduler.Succeeded)
	next.Ref, main.Ref, next.Number = "refs/heads/next", "refs/heads/main", 2
	d.state.branches = []scheduler.Build{next, main}
	page, err := c.Branches(t.Context(), "api", "", 0)
	if err != nil || len(page.Items) != 2 || page.Items[0].Ref != next.Ref || page.Items[0].Default || page.Items[0].Build.ID != "api#2" || !page.Items[1].Default {
		t.Errorf("%+v, %v", page, err)
	}
	for path, want := range map[string]int{
		"none/stats": http.StatusNotFound, "none/branches": http.StatusNotFound, "none/caches": http.StatusNotFound,
		"api/stats?days=0": http.StatusUnprocessableEntity, "api/branches?cursor=x": http.StatusBadRequest, "api/stats?ref=a..b": http.StatusUnprocessableEntity,
	} {
		if resp, body := d.do(http.MethodGet, "/api/v1/projects/"+path, nil, nil); resp.StatusCode != want {
			t.Errorf("%s: %d, want %d\n%s", path, resp.StatusCode, want, body)
		}
	}
}

func TestAProjectHasItsOwnCachesAndNoOthers(t *testing.T) {
	d := newDaemon(t, project("api", apiURL), project("web", "https://github.com/example/web.git"))
	for _, scope := range []string{"api/protected", "api-2/protected", "web/protected", "api/ref/refs/pull/7/head"} {
		meta := artifacts.CacheMeta{Scope: scope, Paths: "p"}
		if _, _, err := d.store.PutCache(t.Context(), meta, strings.NewReader("text"), 0); err != nil {
			t.Fatal(err)
		}
	}
	reader := client.New(d.url(), d.token(access.Read, "api"))
	own, err := reader.ProjectCaches(t.Context(), "api")
	var scopes []string
	for _, c := range own {
		scopes = append(scopes, c.Scope)
	}
	slices.Sort(scopes)
	if err != nil || !slices.Equal(scopes, []string{"api/protected", "api/ref/refs/pull/7/head"}) {
		t.Fatalf("%v, %v", scopes, err)
	}
	if err := reader.RemoveProjectCache(t.Context(), "api", own[0].ID); asProblem(t, err).Status != http.StatusForbidden {
		t.Errorf("a reader removes a cache: %v", err)
	}
	owner := client.New(d.url(), d.token(access.Admin, "api"))
	other, err := d.client().ProjectCaches(t.Context(), "web")
	if err != nil || len(other) != 1 {
		t.Fatal(other, err)
	}
	if err := owner.RemoveProjectCache(t.Context(), "api", other[0].ID); asProblem(t, err).Status != http.StatusNotFound {
		t.Errorf("the cache of another project: %v", err)
	}
	if err := owner.RemoveProjectCache(t.Context(), "api", own[0].ID); err != nil {
		t.Error(err)
	}
	if err := owner.RemoveProjectCache(t.Context(), "api", own[0].ID); asProblem(t, err).Status != http.StatusNotFound {
		t.Errorf("a cache that is gone: %v", err)
	}
	if all, err := d.client().Caches(t.Context()); err != nil || len(all) != 3 {
		t.Errorf("%d caches are left, %v", len(all), err)
	}
}
