package server

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

// faces is a daemon with a public project, a private one whose badge has a token, a private one, and one without a badge.
func faces(t *testing.T) *daemon {
	t.Helper()
	public, token, private, off := project("api", apiURL), project("web", "https://a.example/web.git"), project("dark", "https://a.example/dark.git"), project("mute", "https://a.example/mute.git")
	public.Visibility, token.Badge, off.Visibility, off.Badge = config.VisibilityPublic, config.BadgeToken, config.VisibilityPublic, config.BadgeOff
	d := newDaemon(t, public, token, private, off)
	d.handler.Origin, d.handler.Base = "https://ci.example.com", "/runner"
	return d
}

// built puts a build on stage, which is the newest of main.
func (d *daemon) built(project string, status scheduler.Status) {
	b := over(running(), status)
	if status == scheduler.InProgress {
		b = running()
	}
	b.Project, b.Ref, b.Title = project, "refs/heads/main", "<b>title & \x01"
	d.state.put(b)
	d.state.newest = &b
}

func TestBadgesSayHowABranchDoes(t *testing.T) {
	d := faces(t)
	for status, want := range map[scheduler.Status]string{
		scheduler.Succeeded: "passing", scheduler.Failed: "failing", scheduler.Fault: "failing", scheduler.TimedOut: "failing",
		scheduler.Stopped: "failing", scheduler.InProgress: "in progress",
	} {
		d.built("api", status)
		for query, state := range map[string]string{"": want, "?branch=main": want, "?branch=other": "unknown", "?branch=a..b": "unknown"} {
			resp, picture := d.send(http.MethodGet, "/badges/api.svg"+query, nil, nil)
			if resp.StatusCode != http.StatusOK || !strings.Contains(string(picture), `aria-label="build: `+state+`"><title>build: `+state+`</title>`) {
				t.Errorf("%s%s: %d %s", status, query, resp.StatusCode, picture)
			}
			if h := resp.Header; h.Get("Content-Type") != "image/svg+xml" || h.Get("Cross-Origin-Resource-Policy") != "cross-origin" || h.Get("Cache-Control") != "no-cache" {
				t.Errorf("%v", h)
			}
		}
	}
}

// TestABadgeTellsNobodyWhatThereIs: of a private project it is byte for byte that of one that does not exist.
func TestABadgeTellsNobodyWhatThereIs(t *testing.T) {
	d := faces(t)
	missing, unknown := d.send(http.MethodGet, "/badges/nil.svg", nil, nil)
	shown := func(project, query, token string) bool {
		t.Helper()
		d.built(project, scheduler.Failed)
		header := http.Header{}
		if token != "" {
			header = bear(token)
		}
		resp, picture := d.send(http.MethodGet, "/badges/"+project+".svg"+query, header, nil)
		same := bytes.Equal(picture, unknown) && resp.Header.Get("ETag") == missing.Header.Get("ETag")
		if resp.StatusCode != http.StatusOK || !same && !strings.Contains(string(picture), "failing") {
			t.Errorf("%s%s: %d %s", project, query, resp.StatusCode, picture)
		}
		return !same
	}
	badge := func(project string) client.Badge {
		t.Helper()
		b, err := d.client().Badge(t.Context(), project, "")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	web := badge("web")
	address, err := url.Parse(web.URL)
	if err != nil || web.Shown != client.BadgeToToken || !strings.HasPrefix(web.Markdown, "[![build](https://ci.example.com/runner/badges/web.svg?token=") || !strings.HasSuffix(web.Markdown, "(https://ci.example.com/runner/projects/web)") {
		t.Fatalf("%+v", web)
	}
	key := "?" + address.RawQuery
	for _, c := range []struct {
		project, query, token string
		shown                 bool
	}{
		{"api", "", "", true}, {"web", "", "", false}, {"web", key, "", true}, {"web", key + "0", "", false}, {"dark", key, "", false}, {"web", "?token=", "", false},
		{"dark", "", "", false}, {"dark", "", d.token(access.Read, "dark"), true}, {"dark", "", d.token(access.Read, "web"), false},
		{"dark", "", d.token(access.Feed, "dark"), false}, {"mute", "", "", false}, {"mute", "", testToken, false},
	} {
		if got := shown(c.project, c.query, c.token); got != c.shown {
			t.Errorf("%s%s with the token %.8q is shown: %v", c.project, c.query, c.token, got)
		}
	}
	d.handler.Scheduler.(*staged).newest = nil
	for project, want := range map[string]string{"api": client.BadgeToAnybody, "dark": client.BadgeToReaders, "mute": client.BadgeToNobody} {
		if b := badge(project); b.Shown != want || strings.Contains(b.URL, "token") || b.State != client.BadgeUnknown {
			t.Errorf("%+v", b)
		}
	}
	one, err1 := d.access.BadgeToken("web", "token")
	again, err2 := d.access.BadgeToken("web", "token")
	if other, err := d.access.BadgeToken("web", "token:2"); err != nil || err1 != nil || err2 != nil || one != again || one == other {
		t.Errorf("tokens %s %s %s", one, again, other)
	}
}

// FuzzBadge: whatever the label, the picture is XML of one element with nothing in it that runs.
func FuzzBadge(f *testing.F) {
	for _, label := range []string{"build", "", "<script>alert(1)</script>", `" onload="x`, "\xff\x00\x1b]", strings.Repeat("W", 500), "日本語", "]]>"} {
		f.Add(label)
	}
	f.Fuzz(func(t *testing.T, label string) {
		var picture bytes.Buffer
		if err := drawBadge(&picture, label, client.BadgeFailing); err != nil {
			t.Fatal(err)
		}
		if picture.Len() > 4096 {
			t.Errorf("%d bytes", picture.Len())
		}
		dec := xml.NewDecoder(&picture)
		for {
			token, err := dec.Token()
			if token == nil {
				if err.Error() != "EOF" {
					t.Errorf("%q: %v", label, err)
				}
				return
			}
			if e, ok := token.(xml.StartElement); ok {
				if !strings.Contains(" svg title path g text ", " "+e.Name.Local+" ") {
					t.Errorf("%q: element %s", label, e.Name.Local)
				}
				for _, a := range e.Attr {
					if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" {
						t.Errorf("%q: attribute %s", label, a.Name.Local)
					}
				}
			}
		}
	})
}

func TestFeedsTellOfBuildsThatEnded(t *testing.T) {
	d := faces(t)
	d.built("api", scheduler.Failed)
	d.built("dark", scheduler.Succeeded)
	d.built("web", scheduler.InProgress)
	read := func(path string, header http.Header) (atomFeed, string) {
		t.Helper()
		resp, text := d.send(http.MethodGet, path, header, nil)
		var feed atomFeed
		if err := xml.Unmarshal(text, &feed); err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != atomType {
			t.Fatalf("%s: %d %v\n%s", path, resp.StatusCode, err, text)
		}
		return feed, string(text)
	}
	all, text := read("/feed.atom", bear(testToken))
	if len(all.Entries) != 2 || strings.Contains(text, "<b>") || strings.Contains(text, "\x01") {
		t.Fatalf("%s", text)
	}
	one, _ := read("/projects/api/feed.atom", nil)
	if len(one.Entries) != 1 {
		t.Fatalf("%+v", one)
	}
	e := one.Entries[0]
	if !strings.HasPrefix(e.ID, "urn:uuid:") || e.Links[0].Href != "https://ci.example.com/runner/projects/api/builds/1" || !strings.HasPrefix(e.Title, "api#1 failed: ") || e.Updated != one.Updated {
		t.Errorf("%+v", e)
	}
	d.handler.Origin = "https://elsewhere.example.com"
	if moved, _ := read("/projects/api/feed.atom", nil); moved.Entries[0].ID != e.ID || moved.ID != one.ID {
		t.Error("ids change with the address")
	}
	if public, _ := read("/feed.atom", nil); len(public.Entries) != 1 || public.Entries[0].ID != e.ID {
		t.Errorf("strangers see %+v", public.Entries)
	}
	if broken, _ := read("/feed.atom?status=broken", bear(testToken)); len(broken.Entries) != 1 || broken.Entries[0].ID != e.ID {
		t.Errorf("broken: %+v", broken.Entries)
	}
	if none, _ := read("/projects/mute/feed.atom", nil); len(none.Entries) != 0 || none.Updated != "1970-01-01T00:00:00Z" {
		t.Errorf("%+v", none)
	}
}

// TestATokenOfAFeedOpensFeedsAlone: and no other token opens anything from an address.
func TestATokenOfAFeedOpensFeedsAlone(t *testing.T) {
	d := faces(t)
	d.built("dark", scheduler.Succeeded)
	feed := d.token(access.Feed, "dark")
	ask := func(path string, header http.Header) int {
		t.Helper()
		resp, _ := d.send(http.MethodGet, path, header, nil)
		return resp.StatusCode
	}
	for _, c := range []struct {
		path   string
		header http.Header
		status int
	}{
		{"/projects/dark/feed.atom?token=" + feed, nil, 200}, {"/feed.atom?token=" + feed, nil, 200}, {"/feed.atom", bear(feed), 200},
		{"/projects/web/feed.atom?token=" + feed, nil, 404}, {"/projects/nil/feed.atom?token=" + feed, nil, 404},
		{"/feed.atom?token=" + testToken, nil, 401}, {"/feed.atom?token=" + d.token(access.Read, "dark"), nil, 401}, {"/feed.atom?token=" + access.NewSecret(), nil, 401},
		{"/api/v1/builds?token=" + feed, bear(feed), 403}, {"/api/v1/builds/dark/1", bear(feed), 403}, {"/api/v1/whoami", bear(feed), 403},
		{"/openapi.json", bear(feed), 403}, {"/projects/dark/feed.atom", nil, 401},
	} {
		if status := ask(c.path, c.header); status != c.status {
			t.Errorf("%s: %d, want %d", c.path, status, c.status)
		}
	}
	tokens, _ := d.access.Tokens("", 10)
	for _, one := range tokens {
		if _, err := d.access.Remove(one.Name); err != nil {
			t.Fatal(err)
		}
	}
	if status := ask("/feed.atom?token="+feed, nil); status != http.StatusUnauthorized {
		t.Errorf("a token that was revoked: %d", status)
	}
	if strings.Contains(d.log.String(), feed) {
		t.Error("the token of a feed is in the log")
	}
}

func TestRobotsAreKeptAway(t *testing.T) {
	shy, open := project("api", apiURL), project("web", "https://a.example/web.git")
	shy.Visibility, open.Visibility, open.Robots = config.VisibilityPublic, config.VisibilityPublic, config.RobotsAllow
	d := newDaemon(t, shy, open)
	d.built("api", scheduler.Succeeded)
	d.built("web", scheduler.Succeeded)
	_, text := d.send(http.MethodGet, "/robots.txt", nil, nil)
	if want := "User-agent: *\nAllow: /projects/web$\nAllow: /projects/web/builds/\nDisallow: /projects/web/builds/*/\nDisallow: /projects/web/builds/*?\nAllow: /assets/\nDisallow: /\n"; string(text) != want {
		t.Errorf("robots.txt is %s", text)
	}
	if text := robotsText("", nil); text != "User-agent: *\nDisallow: /\n" {
		t.Errorf("robots.txt is %s", text)
	}
	robot := http.Header{"User-Agent": {"Mozilla/5.0 (compatible; Googlebot/2.1)"}, "Accept": {"text/html"}}
	for path, want := range map[string]struct {
		status int
		index  bool
	}{
		"/projects/web/builds/1": {200, true}, "/projects/api/builds/1": {200, false}, "/projects/web/builds/1?x=1": {403, false},
		"/api/v1/builds/web/1": {200, false}, "/api/v1/builds/web/1/log": {403, false}, "/api/v1/builds/web/1/events": {403, false},
		"/api/v1/builds/web/1/artifacts/archive": {403, false}, "/api/v1/builds": {200, false}, "/api/v1/builds?q=x": {403, false},
		"/api/v1/builds?author=x": {403, false}, "/api/v1/builds/web/1/explain": {403, false}, "/api/v1/projects/web/stats": {403, false}, "/badges/web.svg": {200, false}, "/nowhere": {200, false}, // of the login
	} {
		resp, body := d.send(http.MethodGet, path, robot, nil)
		if resp.StatusCode != want.status || (resp.Header.Get("X-Robots-Tag") == "") != want.index {
			t.Errorf("%s: %d, X-Robots-Tag %q: %.300s", path, resp.StatusCode, resp.Header.Get("X-Robots-Tag"), body)
		}
	}
}

func TestStrangersAreBounded(t *testing.T) {
	d := faces(t)
	d.built("api", scheduler.InProgress)
	for range streamsOfOne {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url()+"/api/v1/builds/api/1/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		defer resp.Body.Close()
	}
	resp, _ := d.send(http.MethodGet, "/api/v1/builds/api/1/log", nil, nil)
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("one stream more: %d", resp.StatusCode)
	}
	if resp, _ := d.do(http.MethodGet, "/api/v1/builds/api/1/log", nil, nil); resp.StatusCode != http.StatusOK {
		t.Errorf("with a token: %d", resp.StatusCode)
	}
	if resp, _ := d.send(http.MethodGet, "/api/v1/builds", nil, nil); resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("RateLimit"), `"strangers";r=`) {
		t.Errorf("a list: %d %v", resp.StatusCode, resp.Header)
	}
	d.handler.strangers.asked = newLimiter(1, time.Hour)
	d.handler.strangers.asked.take(mustAddr("127.0.0.1"))
	if resp, _ := d.send(http.MethodGet, "/api/v1/builds", nil, nil); resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("too often: %d", resp.StatusCode)
	}
	if resp, _ := d.do(http.MethodGet, "/api/v1/builds", nil, nil); resp.StatusCode != http.StatusOK || resp.Header.Get("RateLimit") != "" {
		t.Errorf("with a token: %d", resp.StatusCode)
	}
}

func TestRobotsSayWhatTheyAre(t *testing.T) {
	for agent, robot := range map[string]bool{
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": true, "GPTBot/1.2": true, "Scrapy/2.11": true, "": false,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/140.0": false, "Mozilla/5.0 (Linux; Android 11; CUBOT_X50)": false, "curl/8.5.0": false,
	} {
		if isRobot(agent) != robot {
			t.Errorf("%q is a robot: %v", agent, !robot)
		}
	}
}

func TestStreamsOfStrangersAreGivenBack(t *testing.T) {
	s := newStrangers().streams
	network := networkOf(mustAddr("192.0.2.1"))
	var leaves []func()
	for range streamsOfOne {
		leaves = append(leaves, s.enter(network))
	}
	if s.enter(network) != nil {
		t.Error("one more than may be")
	}
	for _, leave := range leaves {
		leave()
	}
	if s.all != 0 || len(s.from) != 0 || s.enter(network) == nil {
		t.Errorf("%d of %v are left", s.all, s.from)
	}
}

func TestBadgesHaveABound(t *testing.T) {
	d := faces(t)
	d.handler.strangers.badges = newLimiter(1, time.Hour)
	d.handler.strangers.badges.take(mustAddr("127.0.0.1"))
	resp, _ := d.send(http.MethodGet, "/badges/api.svg", nil, nil)
	if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", resp.StatusCode, resp.Header)
	}
	if strings.Contains(d.log.String(), "level=ERROR") {
		t.Error("a stranger fills the log")
	}
}

func mustAddr(text string) netip.Addr { return netip.MustParseAddr(text) }
