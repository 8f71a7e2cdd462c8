package server

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

// asked is a request that an operation takes, of a project, its build 1 or a trigger.
type asked struct {
	method, path, kind, body string
}

// example makes a right request for a route. {p} stands for the project, {t} for the trigger.
func example(pattern, project, trigger string) asked {
	method, path, _ := strings.Cut(pattern, " ")
	more := map[string]string{
		"GET /api/v1/builds/{project}/{number}/artifacts/file": "?path=x",
		"GET /api/v1/builds/{project}/{number}/log/search":     "?q=x",
		"GET /api/v1/projects/{name}/tests/history":            "?id=x",
		"POST /api/v1/projects/{name}/submit":                  "?commit=" + strings.Repeat("a", 40),
		"DELETE /api/v1/secrets":                               "?name=x&project={p}",
	}[pattern]
	body := map[string]string{
		"PUT /api/v1/daemon/drain":           `{"on":false}`,
		"POST /api/v1/triggers":              `{"project":"{p}"}`,
		"PUT /api/v1/projects/{name}":        `{"name":"{p}","url":"https://example.com/x.git"}`,
		"POST /api/v1/projects/{name}/known": `{"commits":[]}`,
		"PUT /api/v1/secrets":                `{"name":"x","project":"{p}","value":"v"}`,
		"POST /api/v1/tokens":                `{"name":"x","scope":"read","projects":["{p}"]}`,
	}[pattern]
	fill := strings.NewReplacer("{project}", project, "{number}", "1", "{id}", trigger, "{name}", project, "{p}", project)
	a := asked{method, fill.Replace(path + more), "", fill.Replace(body)}
	if body != "" {
		a.kind = "application/json"
	}
	return a
}

func (d *daemon) ask(a asked, token string) (int, string) {
	d.t.Helper()
	header := bear(token)
	if a.kind != "" {
		header.Set("Content-Type", a.kind)
	}
	resp, body := d.do(a.method, a.path, header, []byte(a.body))
	return resp.StatusCode, string(body)
}

// gated has two projects, a build and a trigger of the first, and a secret store.
func gated(t *testing.T) (d *daemon, trigger string) {
	t.Helper()
	d = newDaemon(t, project("api", apiURL), project("web", "https://github.com/example/web.git"))
	d.state.put(over(running(), scheduler.Succeeded), job("linux", scheduler.JobEnded, scheduler.Succeeded, scheduler.Succeeded))
	stored, _, err := d.state.Accept(t.Context(), scheduler.Trigger{Kind: scheduler.KindManual, Projects: []string{"api"}, Actor: "admin"})
	if err != nil {
		t.Fatal(err)
	}
	return d, stored.ID
}

func TestEveryOperationIsInTheTableOfNeeds(t *testing.T) {
	d := newDaemon(t)
	if len(d.handler.needs) != len(needs) {
		t.Errorf("%d operations were added, %d are in the table", len(d.handler.needs), len(needs))
	}
	for _, pattern := range d.handler.mux.patterns {
		if _, known := d.handler.needs[pattern]; !known && !d.handler.public[pattern] && pattern != "GET /openapi.json" {
			t.Errorf("%s needs nothing", pattern)
		}
	}
}

func TestEveryRouteRefusesTokensThatAreNotOrNoLongerGood(t *testing.T) {
	d, trigger := gated(t)
	everything := access.Grant{Scope: access.Admin, Projects: []string{access.Everything}}
	_, expired, err := d.access.Create("expired", everything, time.Now().Add(5*time.Millisecond), "test")
	if err != nil {
		t.Fatal(err)
	}
	_, revoked, err := d.access.Create("revoked", everything, time.Time{}, "test")
	if err != nil {
		t.Fatal(err)
	}
	if code, body := d.ask(asked{method: "GET", path: "/api/v1/whoami"}, revoked); code != http.StatusOK {
		t.Fatalf("before its end the token is answered %d %s", code, body)
	}
	if _, err := d.access.Remove("revoked"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond)
	for pattern := range d.handler.needs {
		a := example(pattern, "api", trigger)
		for name, token := range map[string]string{"unknown": access.NewSecret(), "expired": expired, "revoked": revoked, "none": ""} {
			if code, body := d.ask(a, token); code != http.StatusUnauthorized || !strings.Contains(body, "valid token") {
				t.Errorf("%s with an %s token: %d %s", pattern, name, code, body)
			}
		}
	}
}

func TestEveryRouteWantsItsScope(t *testing.T) {
	d, trigger := gated(t)
	tokens := map[access.Scope]string{}
	for _, scope := range access.Scopes {
		tokens[scope] = d.token(scope, access.Everything)
	}
	local := d.token(access.Admin, "api")
	for pattern, n := range d.handler.needs {
		a := example(pattern, "api", trigger)
		for _, scope := range access.Scopes {
			code, body := d.ask(a, tokens[scope])
			if enough := scope.Covers(n.scope); enough == (code == http.StatusForbidden) || code == http.StatusUnauthorized || code == http.StatusUnprocessableEntity {
				t.Errorf("%s needs %s, and with %s answers %d %s", pattern, n.scope, scope, code, body)
			}
		}
		if code, body := d.ask(a, local); (n.of == ofDaemon) != (code == http.StatusForbidden) {
			t.Errorf("%s with a token for one project: %d %s", pattern, code, body)
		}
	}
}

// TestATokenOfOneProjectCannotTellWhichOthersThereAre compares what it is told of a project that exists with what it is
// told of one that does not.
func TestATokenOfOneProjectCannotTellWhichOthersThereAre(t *testing.T) {
	d, trigger := gated(t)
	for _, scope := range []access.Scope{access.Read, access.Submit, access.Admin} {
		token := d.token(scope, "web")
		for pattern, n := range d.handler.needs {
			if n.of != ofProject && n.of != ofBuild || !scope.Covers(n.scope) {
				continue
			}
			code, body := d.ask(example(pattern, "api", trigger), token)
			same, other := d.ask(example(pattern, "nil", "t9999999999"), token)
			other = strings.NewReplacer("nil", "api", "t9999999999", trigger).Replace(other)
			if code != http.StatusNotFound || code != same || body != other {
				t.Errorf("%s: of a project that is hidden %d %s, of one that is not there %d %s", pattern, code, body, same, other)
			}
		}
		for _, list := range []string{"builds", "triggers", "builds?project=api"} {
			if code, body := d.ask(asked{method: "GET", path: "/api/v1/" + list}, token); code != http.StatusOK || strings.Contains(body, "api") {
				t.Errorf("the list of %s: %d %s", list, code, body)
			}
		}
		projects, err := client.New(d.url(), token).Projects(t.Context())
		if err != nil || len(projects) != 1 || projects[0].Name != "web" {
			t.Errorf("projects: %+v, %v", projects, err)
		}
	}
	if page, err := client.New(d.url(), d.token(access.Read, "api")).Builds(t.Context(), clientAll); err != nil || len(page.Items) != 1 {
		t.Errorf("the builds of its own project: %+v, %v", page, err)
	}
}

func TestATriggerOfSeveralProjectsShowsThoseThatAreSeen(t *testing.T) {
	d, _ := gated(t)
	stored, _, err := d.state.Accept(t.Context(), scheduler.Trigger{Kind: scheduler.KindPush, Projects: []string{"api", "web"}, Delivery: "x/1", Ref: "refs/heads/main"})
	if err != nil {
		t.Fatal(err)
	}
	code, body := d.ask(asked{method: "GET", path: "/api/v1/triggers/" + stored.ID}, d.token(access.Read, "web"))
	if code != http.StatusOK || !strings.Contains(body, `"projects":["web"]`) {
		t.Errorf("%d %s", code, body)
	}
	if code, body := d.ask(asked{method: "POST", path: "/api/v1/triggers/" + stored.ID + "/approve"}, d.token(access.Admin, "web")); code != http.StatusForbidden || strings.Contains(body, "project api") {
		t.Errorf("approving for other projects too: %d %s", code, body)
	}
}

func TestTrustedBuildsAreForAdmins(t *testing.T) {
	d, _ := gated(t)
	for _, trusted := range []bool{false, true} {
		b := running()
		b.Trusted = trusted
		d.state.put(b)
		code, body := d.ask(asked{method: "POST", path: "/api/v1/builds/api/1/stop"}, d.token(access.Submit, "api"))
		if want := map[bool]int{false: http.StatusOK, true: http.StatusForbidden}[trusted]; code != want {
			t.Errorf("stopping a build that is trusted: %v answers %d %s", trusted, code, body)
		}
	}
	if code, body := d.ask(asked{method: "POST", path: "/api/v1/builds/api/1/stop"}, d.token(access.Admin, "api")); code != http.StatusOK {
		t.Errorf("an admin of the project: %d %s", code, body)
	}
}

// openRoutes are all that anybody may ask for of a public project. Adding one here is a decision about safety.
var openRoutes = []string{
	"GET /api/v1/overview", "GET /api/v1/events", "GET /api/v1/builds", "GET /api/v1/builds/{project}/{number}", "GET /api/v1/builds/{project}/{number}/events",
	"GET /api/v1/builds/{project}/{number}/explain",
	"GET /api/v1/builds/{project}/{number}/log", "GET /api/v1/builds/{project}/{number}/log/lines",
	"GET /api/v1/builds/{project}/{number}/log/search", "GET /api/v1/builds/{project}/{number}/log/outline",
	"GET /api/v1/builds/{project}/{number}/log/events", "GET /api/v1/builds/{project}/{number}/artifacts",
	"GET /api/v1/builds/{project}/{number}/reports", "GET /api/v1/builds/{project}/{number}/artifacts/file",
	"GET /api/v1/builds/{project}/{number}/artifacts/preview",
	"GET /api/v1/builds/{project}/{number}/artifacts/archive", "GET /api/v1/builds/{project}/{number}/tests",
	"GET /api/v1/builds/{project}/{number}/coverage", "GET /api/v1/projects/{name}/stats", "GET /api/v1/projects/{name}/branches", "GET /feed.atom", "GET /projects/{project}/feed.atom",
}

func TestAPublicProjectShowsItsBuildsAndNothingElse(t *testing.T) {
	public := project("api", apiURL)
	public.Visibility = config.VisibilityPublic
	d := newDaemon(t, public, project("web", "https://github.com/example/web.git"))
	d.state.put(over(running(), scheduler.Succeeded), job("linux", scheduler.JobEnded, scheduler.Succeeded, scheduler.Succeeded))
	hidden := over(running(), scheduler.Succeeded)
	hidden.Project = "web"
	d.state.put(hidden)
	for pattern := range d.handler.needs {
		for _, name := range []string{"api", "web", "nil"} {
			a := example(pattern, name, "t0000000001")
			resp, body := d.send(a.method, a.path, http.Header{"Content-Type": {a.kind}}, []byte(a.body))
			open := slices.Contains(openRoutes, pattern) && (name == "api" || !strings.Contains(pattern, "{"))
			if open == (resp.StatusCode == http.StatusUnauthorized) {
				t.Errorf("%s of %s without a token: %d %s", pattern, name, resp.StatusCode, body)
			}
			if open && regexp.MustCompile(`\bweb\b`).Match(body) {
				t.Errorf("%s shows the private project: %s", pattern, body)
			}
			wrong, _ := d.send(a.method, a.path, bear(access.NewSecret()), []byte(a.body))
			if wrong.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s of %s with a wrong token: %d", pattern, name, wrong.StatusCode)
			}
		}
	}
	if code, _ := d.ask(asked{method: "GET", path: "/api/v1/builds/api/1"}, d.token(access.Read, "web")); code != http.StatusOK {
		t.Errorf("with a token of another project the public one answers %d", code)
	}
}

func TestTokensAreMadeListedAndRevoked(t *testing.T) {
	d, _ := gated(t)
	c := d.client()
	expires := time.Now().Add(time.Hour)
	made, err := c.CreateToken(t.Context(), client.TokenRequest{Name: "bot", Scope: "submit", Projects: []string{"web", "api", "web"}, Expires: &expires})
	if err != nil || !access.Written(made.Secret) || !slices.Equal(made.Token.Projects, []string{"api", "web"}) {
		t.Fatalf("%+v, %v", made, err)
	}
	bot := client.New(d.url(), made.Secret)
	who, err := bot.Whoami(t.Context())
	if err != nil || who.Name != "bot" || who.Grants[0].Scope != "submit" || !who.Expires.Equal(expires) {
		t.Errorf("whoami: %+v, %v", who, err)
	}
	for what, r := range map[string]client.TokenRequest{
		"409": {Name: "bot", Scope: "read", Projects: []string{"*"}}, "404": {Name: "a", Scope: "read", Projects: []string{"none"}},
		"422 scope": {Name: "a", Scope: "root", Projects: []string{"*"}}, "422 projects": {Name: "a", Scope: "read", Projects: []string{}},
		"422 name": {Name: "user:a", Scope: "read", Projects: []string{"*"}},
	} {
		_, err := c.CreateToken(t.Context(), r)
		if p := asProblem(t, err); !strings.HasPrefix(what, fmt.Sprint(p.Status)) {
			t.Errorf("%s: %+v", what, p)
		}
	}
	list, err := c.Tokens(t.Context())
	if err != nil || len(list) != 1 || list[0].Used.IsZero() || list[0].By != "admin" {
		t.Errorf("list: %+v, %v", list, err)
	}
	if strings.Contains(d.log.String(), made.Secret) {
		t.Error("the log has the token")
	}
	if err := c.RemoveToken(t.Context(), "bot"); err != nil {
		t.Fatal(err)
	}
	if _, err := bot.Whoami(t.Context()); asProblem(t, err).Status != http.StatusUnauthorized {
		t.Error("a revoked token is taken")
	}
	if err := c.RemoveToken(t.Context(), "bot"); asProblem(t, err).Status != http.StatusNotFound {
		t.Errorf("revoking it twice: %v", err)
	}
}

func TestRevokingATokenEndsItsStreams(t *testing.T) {
	d, _ := gated(t)
	d.state.put(running())
	made, secret, err := d.access.Create("follower", access.Grant{Scope: access.Read, Projects: []string{"api"}}, time.Time{}, "test")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	seen := make(chan struct{}, 10)
	go func() {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url()+"/api/v1/builds/api/1/events", nil)
		req.Header = bear(secret)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			ended <- err
			return
		}
		defer resp.Body.Close()
		for buf := make([]byte, 64<<10); err == nil; {
			_, err = resp.Body.Read(buf)
			seen <- struct{}{}
		}
		ended <- err
	}()
	<-seen
	if _, err := d.access.Remove(made.Name); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("the stream of a revoked token goes on")
	}
}
