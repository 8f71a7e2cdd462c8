package forge

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const (
	zeros  = "0000000000000000000000000000000000000000"
	oldTip = "a10867b14bb761a232cd80139fbd4c0d33264240"
	newTip = "199eddf46df50de8d02e99bf1c5fdb4101338224"
)

func payload(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func jsonHeader(event string) http.Header {
	return http.Header{"Content-Type": {"application/json"}, "X-Github-Event": {event}}
}

func TestGitHubPayloadsBecomeEvents(t *testing.T) {
	ada := Event{Actor: "ada", ActorID: "42", Title: "Serve the index faster"}
	grace := Event{Actor: "grace", ActorID: "77", Title: "Serve the index faster"}
	for _, c := range []struct {
		file, event string
		want        Event
	}{
		{"push", "push", Event{Kind: Push, Ref: "refs/heads/main", HeadRef: "refs/heads/main", Commit: newTip, Before: oldTip, Webhook: "PUSH"}},
		{"push_new", "push", Event{Kind: Push, Ref: "refs/heads/fast", HeadRef: "refs/heads/fast", Commit: newTip, Before: zeros, Webhook: "PUSH"}},
		{"push_deleted", "push", Event{Kind: Push, Ref: "refs/heads/fast", HeadRef: "refs/heads/fast", Before: oldTip, Webhook: "PUSH", Skip: "branch deleted"}},
		// An annotated tag: "after" is the tag object, the head commit is what is built.
		{"tag", "push", Event{Kind: Tag, Ref: "refs/tags/v1.0.0", HeadRef: "refs/tags/v1.0.0", Commit: newTip, Before: zeros, Webhook: "PUSH"}},
		{"tag_deleted", "push", Event{Kind: Tag, Ref: "refs/tags/v1.0.0", HeadRef: "refs/tags/v1.0.0", Before: oldTip, Webhook: "PUSH", Skip: "tag deleted"}},
		{"pr_opened", "pull_request", Event{Kind: PullRequest, Ref: "refs/pull/7/head", HeadRef: "refs/heads/fast", BaseRef: "refs/heads/main", Commit: newTip, PullRequest: 7, Webhook: "PULL_REQUEST_CREATED", HeadRepository: "example/api"}},
		{"pr_fork", "pull_request", Event{Kind: PullRequest, Ref: "refs/pull/8/head", HeadRef: "refs/heads/fast", BaseRef: "refs/heads/main", Commit: newTip, PullRequest: 8, Fork: true, Webhook: "PULL_REQUEST_UPDATED", HeadRepository: "stranger/api"}},
		{"pr_ghost", "pull_request", Event{Kind: PullRequest, Ref: "refs/pull/9/head", HeadRef: "refs/heads/fast", BaseRef: "refs/heads/main", Commit: newTip, PullRequest: 9, Fork: true, Webhook: "PULL_REQUEST_REOPENED"}},
		{"pr_closed", "pull_request", Event{Kind: PullRequest, Ref: "refs/pull/7/head", HeadRef: "refs/heads/fast", BaseRef: "refs/heads/main", Commit: newTip, PullRequest: 7, Webhook: "PULL_REQUEST_CLOSED", HeadRepository: "example/api"}},
		{"ping", "ping", Event{Kind: Ping}},
		{"ping", "star", Event{Kind: Other, Ignore: `Runner builds nothing on "star" events; it needs only push and pull_request, and knows release and issue_comment`}},
	} {
		t.Run(c.file+" as "+c.event, func(t *testing.T) {
			body := payload(t, c.file)
			form := []byte(url.Values{"payload": {string(body)}}.Encode())
			for kind, body := range map[string][]byte{"application/json; charset=utf-8": body, "application/x-www-form-urlencoded": form} {
				header := jsonHeader(c.event)
				header.Set("Content-Type", kind)
				got, err := GitHub{}.Parse(header, body)
				if err != nil {
					t.Fatalf("%s: %v", kind, err)
				}
				want := c.want
				want.Name = c.event
				want.Repository = Repository{Name: "example/api", URLs: []string{"https://github.com/example/api.git", "git@github.com:example/api.git", "https://github.com/example/api"}}
				who := ada
				if got.PullRequest > 0 {
					who = grace
				}
				want.Actor, want.ActorID = who.Actor, who.ActorID
				if want.Kind == PullRequest || want.Commit != "" {
					want.Title = who.Title
				}
				if want.Webhook == "PUSH" && want.Commit != "" {
					want.Message = "Serve the index faster\n\nThe old way read it twice."
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%s\n got %+v\nwant %+v", kind, got, want)
				}
			}
		})
	}
}

// change returns a payload with one value replaced; path is like "pull_request.head.sha".
func change(t testing.TB, name, path string, value any) []byte {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(payload(t, name), &doc); err != nil {
		t.Fatal(err)
	}
	at := doc
	steps := strings.Split(path, ".")
	for _, step := range steps[:len(steps)-1] {
		at = at[step].(map[string]any)
	}
	at[steps[len(steps)-1]] = value
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestOddPayloadsAreErrorsThatStillNameTheRepository(t *testing.T) {
	for _, c := range []struct {
		event string
		body  []byte
		want  string
	}{
		{"push", change(t, "push", "after", "HEAD"), "no full commit id"},
		{"push", change(t, "push", "after", nil), "no full commit id"},
		{"push", change(t, "push", "ref", "main"), "no full name of a ref"},
		{"push", change(t, "push", "ref", "refs/heads/a..b"), "no full name of a ref"},
		{"push", change(t, "push", "ref", "refs/heads/a\x1b[31m"), "no full name of a ref"},
		{"push", change(t, "push", "ref", 7), "not what GitHub sends"},
		{"push", change(t, "push", "deleted", "yes"), "not what GitHub sends"},
		{"push", change(t, "push", "head_commit.message", 7), "not what GitHub sends"},
		{"pull_request", change(t, "pr_opened", "pull_request.head.sha", "x"), "no full commit id"},
		{"pull_request", change(t, "pr_opened", "pull_request.number", -1), "number is -1"},
		{"pull_request", change(t, "pr_opened", "pull_request.head.ref", ""), "no full name of a ref"},
		{"pull_request", change(t, "pr_opened", "pull_request", []int{}), "not what GitHub sends"},
		{"", payload(t, "push"), "X-GitHub-Event"},
	} {
		event, err := GitHub{}.Parse(jsonHeader(c.event), c.body)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.event, err, c.want)
		}
		if !slices.Contains(event.Repository.Keys(), "github.com/example/api") {
			t.Errorf("%s: the event of a broken payload does not name its repository: %+v", c.event, event.Repository)
		}
	}
}

func TestBodiesThatAreNoPayload(t *testing.T) {
	for name, c := range map[string]struct{ kind, body string }{
		"no content type": {"", "{}"},
		"XML":             {"text/xml", "<a/>"},
		"not JSON":        {"application/json", "hello"},
		"an array":        {"application/json", "[]"},
		"empty":           {"application/json", ""},
		"deep":            {"application/json", strings.Repeat("[", 1<<20)},
		"form w/o field":  {"application/x-www-form-urlencoded", "a=b"},
		"broken form":     {"application/x-www-form-urlencoded", "payload=%zz"},
	} {
		header := jsonHeader("push")
		header.Set("Content-Type", c.kind)
		if _, err := (GitHub{}).Parse(header, []byte(c.body)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestABranchNamedLikeARefIsNotTakenForThatRef(t *testing.T) {
	event, err := GitHub{}.Parse(jsonHeader("pull_request"), change(t, "pr_fork", "pull_request.head.ref", "refs/heads/main"))
	if err != nil {
		t.Fatal(err)
	}
	if event.HeadRef != "refs/heads/refs/heads/main" {
		t.Errorf("HeadRef = %q", event.HeadRef)
	}
}

func TestALargePushIsReadWhole(t *testing.T) {
	var commits []any
	for range 12 {
		commits = append(commits, map[string]any{"id": newTip, "message": strings.Repeat("x", 1<<20)})
	}
	event, err := GitHub{}.Parse(jsonHeader("push"), change(t, "push", "commits", commits))
	if err != nil || event.Commit != newTip {
		t.Errorf("Parse of a 12 MB push = %+v, %v", event, err)
	}
}

func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func TestVerify(t *testing.T) {
	body := payload(t, "push")
	good := sign("s3cret", body)
	oldSum := hmac.New(sha1.New, []byte("s3cret"))
	oldSum.Write(body)
	altered := slices.Clone(body)
	altered[len(altered)/2] ^= 1
	for _, c := range []struct {
		name, header, secret string
		body                 []byte
		want                 bool
	}{
		{"right", good, "s3cret", body, true},
		{"upper case digits", "sha256=" + strings.ToUpper(good[7:]), "s3cret", body, true},
		{"another secret", good, "s3cret2", body, false},
		{"one bit of the body altered", good, "s3cret", altered, false},
		{"one byte more", good, "s3cret", append(slices.Clone(body), '\n'), false},
		{"missing", "", "s3cret", body, false},
		{"without its prefix", good[7:], "s3cret", body, false},
		{"cut short", good[:40], "s3cret", body, false},
		{"SHA-1 in the new header", "sha1=" + hex.EncodeToString(oldSum.Sum(nil)), "s3cret", body, false},
		{"no hexadecimal", "sha256=zz", "s3cret", body, false},
		{"an empty secret", sign("", body), "", body, false},
	} {
		header := http.Header{}
		if c.header != "" {
			header.Set("X-Hub-Signature-256", c.header)
		}
		if got := (GitHub{}).Verify(header, c.body, []byte(c.secret)); got != c.want {
			t.Errorf("%s: Verify = %v, want %v", c.name, got, c.want)
		}
	}
	onlyOld := http.Header{"X-Hub-Signature": {"sha1=" + hex.EncodeToString(oldSum.Sum(nil))}}
	if (GitHub{}).Verify(onlyOld, body, []byte("s3cret")) {
		t.Error("a SHA-1 signature alone was accepted")
	}
}

func TestDeliveryTellsWebhooksApart(t *testing.T) {
	h := http.Header{}
	if id := (GitHub{}).Delivery(h); id != "" {
		t.Errorf("Delivery without a header = %q", id)
	}
	h.Set("X-GitHub-Hook-ID", "30")
	if id := (GitHub{}).Delivery(h); id != "" {
		t.Errorf("Delivery with a hook id alone = %q", id)
	}
	h.Set("X-GitHub-Delivery", "72d3162e")
	if id := (GitHub{}).Delivery(h); id != "30/72d3162e" {
		t.Errorf("Delivery = %q", id)
	}
}

func FuzzGitHubParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		for _, event := range []string{"push", "pull_request"} {
			f.Add(event, "application/json", payload(f, name))
		}
	}
	f.Add("push", "application/x-www-form-urlencoded", []byte("payload=%7B%7D"))
	f.Fuzz(func(t *testing.T, name, kind string, body []byte) {
		header := jsonHeader(name)
		header.Set("Content-Type", kind)
		event, err := GitHub{}.Parse(header, body)
		event.Repository.Keys()
		if err != nil {
			return
		}
		switch event.Kind {
		case Push, Tag, PullRequest:
			if event.Skip == "" && !commitID.MatchString(event.Commit) {
				t.Errorf("a %s to build has no commit: %+v", event.Kind, event)
			}
			if checkRef(event.Ref) != nil {
				t.Errorf("bad ref got through: %q", event.Ref)
			}
		case Other:
			if event.Ignore == "" {
				t.Error("an ignored event has no reason")
			}
		}
	})
}
