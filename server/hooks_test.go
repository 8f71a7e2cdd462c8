package server

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

const (
	apiURL = "https://github.com/example/api.git"
	oldTip = "a10867b14bb761a232cd80139fbd4c0d33264240"
	newTip = "199eddf46df50de8d02e99bf1c5fdb4101338224"
	zeros  = "0000000000000000000000000000000000000000"
)

// hooked is a project with a webhook secret.
func hooked(t *testing.T, name, repo, secret string) config.Project {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := project(name, repo)
	p.WebhookSecret = config.Secret("file:" + file)
	return p
}

// hookBody is a payload as GitHub sends it; forge's testdata holds them.
func hookBody(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "forge", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func signature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// delivery is the header of a signed delivery.
func delivery(event, id, secret string, body []byte) http.Header {
	return http.Header{
		"Content-Type": {"application/json"}, "X-Github-Event": {event}, "X-Github-Delivery": {id}, "User-Agent": {"GitHub-Hookshot/044aadd"},
		"X-Hub-Signature-256": {signature(secret, body)},
	}
}

func (d *daemon) deliver(header http.Header, body []byte) (int, hookAnswer, []byte) {
	d.t.Helper()
	resp, text := d.send(http.MethodPost, "/hooks/github", header, body)
	var out hookAnswer
	if resp.StatusCode < 300 {
		if err := json.Unmarshal(text, &out); err != nil {
			d.t.Fatalf("%s: %v", text, err)
		}
	}
	return resp.StatusCode, out, text
}

func TestASignedPushBecomesATrigger(t *testing.T) {
	d := newDaemon(t, hooked(t, "api", apiURL, "one"))
	body := hookBody(t, "push")
	status, out, text := d.deliver(delivery("push", "d-1", "one", body), body)
	if status != http.StatusAccepted || out.Outcome != "pending" || !slices.Equal(out.Projects, []string{"api"}) {
		t.Fatalf("%d %s", status, text)
	}
	got, err := d.state.Scheduler.Trigger(out.Trigger)
	if err != nil {
		t.Fatal(err)
	}
	got.Received = got.Received.UTC().Truncate(0)
	want := scheduler.Trigger{
		ID: out.Trigger, Kind: scheduler.KindPush, Projects: []string{"api"}, Delivery: "github/d-1", Received: got.Received,
		Ref: "refs/heads/main", HeadRef: "refs/heads/main", Commit: newTip, Before: oldTip, Event: "PUSH",
		Title: "Serve the index faster", Actor: "ada", ActorID: "42", Read: true, Outcome: scheduler.OutcomePending,
	}
	if a, b := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); a != b {
		t.Errorf("trigger\n got %s\nwant %s", a, b)
	}
}

func TestAllKindsOfDeliveries(t *testing.T) {
	d := newDaemon(t, hooked(t, "api", "git@github.com:Example/api", "one"))
	for i, c := range []struct {
		file, event, outcome, reason string
		status                       int
		check                        func(scheduler.Trigger) bool
	}{
		{"push_new", "push", "pending", "", 202, func(t scheduler.Trigger) bool { return t.Before == zeros && t.Ref == "refs/heads/fast" }},
		{"push_deleted", "push", "skipped", "branch deleted", 202, func(t scheduler.Trigger) bool { return t.Skip == "branch deleted" && t.Commit == "" }},
		{"tag", "push", "pending", "", 202, func(t scheduler.Trigger) bool {
			return t.Kind == scheduler.KindTag && t.Ref == "refs/tags/v1.0.0" && t.Commit == newTip
		}},
		{"tag_deleted", "push", "skipped", "tag deleted", 202, func(t scheduler.Trigger) bool { return t.Skip == "tag deleted" }},
		{"pr_opened", "pull_request", "pending", "", 202, func(t scheduler.Trigger) bool {
			return t.Kind == scheduler.KindPullRequest && t.PullRequest == 7 && t.Ref == "refs/pull/7/head" && t.Event == "PULL_REQUEST_CREATED" && !t.Fork && t.BaseRef == "refs/heads/main" && t.HeadRef == "refs/heads/fast"
		}},
		{"pr_fork", "pull_request", "pending", "", 202, func(t scheduler.Trigger) bool { return t.Fork && t.Event == "PULL_REQUEST_UPDATED" && !t.Trusted }},
		{"pr_ghost", "pull_request", "pending", "", 202, func(t scheduler.Trigger) bool { return t.Fork && t.Event == "PULL_REQUEST_REOPENED" }},
		{"pr_closed", "pull_request", "skipped", "a pull request that was closed builds nothing", 202, func(t scheduler.Trigger) bool { return t.Event == "PULL_REQUEST_CLOSED" && t.Commit == newTip }},
		{"ping", "ping", "pong", "", 200, nil},
		{"ping", "star", "ignored", `Runner builds nothing on "star" events; it needs only push and pull_request, and knows release and issue_comment`, 202, nil},
	} {
		body := hookBody(t, c.file)
		form := []byte(url.Values{"payload": {string(body)}}.Encode())
		for kind, body := range map[string][]byte{"application/json": body, "application/x-www-form-urlencoded": form} {
			header := delivery(c.event, fmt.Sprintf("d-%d-%s", i, kind), "one", body)
			header.Set("Content-Type", kind)
			status, out, text := d.deliver(header, body)
			if status != c.status || out.Outcome != c.outcome || out.Reason != c.reason {
				t.Errorf("%s as %s in %s: %d %s", c.file, c.event, kind, status, text)
			}
			if (out.Trigger != "") != (c.check != nil) {
				t.Errorf("%s as %s: trigger %q", c.file, c.event, out.Trigger)
				continue
			}
			if c.check == nil {
				continue
			}
			if got, err := d.state.Scheduler.Trigger(out.Trigger); err != nil || !c.check(got) {
				t.Errorf("%s as %s: %+v, %v", c.file, c.event, got, err)
			}
		}
	}
}

func TestARepeatedDeliveryGetsTheFirstAnswer(t *testing.T) {
	d := newDaemon(t, hooked(t, "api", apiURL, "one"))
	body := hookBody(t, "push")
	status, first, text := d.deliver(delivery("push", "d-1", "one", body), body)
	again, second, textAgain := d.deliver(delivery("push", "d-1", "one", body), body)
	if status != again || first.Trigger != second.Trigger || string(text) != string(textAgain) {
		t.Errorf("first %d %s, again %d %s", status, text, again, textAgain)
	}
	if _, other, _ := d.deliver(delivery("push", "d-2", "one", body), body); other.Trigger == first.Trigger {
		t.Error("another delivery got the first one's trigger")
	}
	// One event that two webhooks report has one delivery id.
	header := delivery("push", "d-1", "one", body)
	header.Set("X-GitHub-Hook-ID", "31")
	if _, other, _ := d.deliver(header, body); other.Trigger == first.Trigger {
		t.Error("another webhook's delivery got the first one's trigger")
	}
	page, err := d.client().Triggers(t.Context(), clientAll)
	if err != nil || len(page.Items) != 3 {
		t.Errorf("%d triggers, %v", len(page.Items), err)
	}
}

func TestRefusedDeliveriesAreAllTheSame(t *testing.T) {
	silent := project("silent", "https://github.com/example/silent.git")
	unreadable := project("unreadable", "https://github.com/example/unreadable.git")
	unreadable.WebhookSecret = "env:RUNNER_TEST_NO_SUCH_VARIABLE"
	d := newDaemon(t, hooked(t, "api", apiURL, "one"), silent, unreadable)
	body := hookBody(t, "push")
	other := func(name string) []byte {
		return bytes.ReplaceAll(body, []byte("example/api"), []byte("example/"+name))
	}
	sha := hmac.New(sha1.New, []byte("one"))
	sha.Write(body)
	good := signature("one", body)
	flipped := slices.Clone(body)
	flipped[bytes.Index(body, []byte(newTip))] = '2'

	var first string
	for _, c := range []struct {
		name, signature string
		body            []byte
	}{
		{"unknown project, right secret of another", signature("one", other("nobody")), other("nobody")},
		{"unknown project, no signature", "", other("nobody")},
		{"wrong secret", signature("two", body), body},
		{"missing", "", body},
		{"SHA-1 in the place of SHA-256", "sha1=" + hex.EncodeToString(sha.Sum(nil)), body},
		{"one byte altered", good, flipped},
		{"one byte more", good, append(slices.Clone(body), ' ')},
		{"half a signature", good[:30], body},
		{"not JSON", signature("one", []byte("hello")), []byte("hello")},
		{"empty", signature("one", nil), nil},
		{"a project without a secret, signed with an empty one", signature("", other("silent")), other("silent")},
		{"a project whose secret cannot be read", signature("", other("unreadable")), other("unreadable")},
	} {
		header := delivery("push", "d-1", "", c.body)
		header.Del("X-Hub-Signature-256")
		if c.signature != "" {
			header.Set("X-Hub-Signature-256", c.signature)
		}
		header.Set("X-Hub-Signature", "sha1="+hex.EncodeToString(sha.Sum(nil)))
		resp, text := d.send(http.MethodPost, "/hooks/github", header, c.body)
		resp.Header.Del("Date")
		answer := fmt.Sprint(resp.StatusCode, resp.Header, string(text))
		if first == "" {
			first = answer
		}
		if resp.StatusCode != http.StatusUnauthorized || answer != first {
			t.Errorf("%s:\n got %s\nwant %s", c.name, answer, first)
		}
	}
	if page, err := d.client().Triggers(t.Context(), clientAll); err != nil || len(page.Items) != 0 {
		t.Errorf("refused deliveries left %d triggers, %v", len(page.Items), err)
	}
	if log := d.log.String(); strings.Contains(log, good) || !strings.Contains(log, "webhook refused") {
		t.Error("the log has a signature, or nothing of the refusals")
	}
}

func TestProjectsThatShareARepositoryTakePartByTheirSecret(t *testing.T) {
	d := newDaemon(t, hooked(t, "api", apiURL, "one"), hooked(t, "api-docs", "git@github.com:example/api.git", "one"),
		hooked(t, "api-nightly", "https://github.com/Example/API", "two"), hooked(t, "web", "https://github.com/example/web.git", "one"))
	body := hookBody(t, "push")
	for secret, want := range map[string][]string{"one": {"api", "api-docs"}, "two": {"api-nightly"}} {
		status, out, text := d.deliver(delivery("push", "d-"+secret, secret, body), body)
		if status != http.StatusAccepted || !slices.Equal(out.Projects, want) {
			t.Errorf("signed with %q: %d %s, want projects %v", secret, status, text, want)
		}
	}
}

func TestSignedButWrongDeliveriesAreToldWhatIsWrong(t *testing.T) {
	d := newDaemon(t, hooked(t, "api", apiURL, "one"))
	body := hookBody(t, "push")
	broken := bytes.ReplaceAll(body, []byte(newTip), []byte("HEAD"))
	long := delivery("push", strings.Repeat("x", 500), "one", body)
	noEvent := delivery("push", "d-1", "one", body)
	noEvent.Del("X-GitHub-Event")
	for _, c := range []struct {
		header http.Header
		body   []byte
		says   string
	}{
		{delivery("push", "d-1", "one", broken), broken, "no full commit id"},
		{delivery("push", "", "one", body), body, "no id"},
		{long, body, "no id"},
		{noEvent, body, "X-GitHub-Event"},
	} {
		status, _, text := d.deliver(c.header, c.body)
		if status != http.StatusBadRequest || !strings.Contains(string(text), c.says) {
			t.Errorf("%d %s, want 400 with %q", status, text, c.says)
		}
	}
}

func TestAnOrganizationsPingNeedsAnySecret(t *testing.T) {
	d := newDaemon(t, hooked(t, "api", apiURL, "one"), hooked(t, "web", "https://github.com/example/web.git", "two"))
	body := []byte(`{"zen":"Keep it logically awesome.","hook_id":31,"hook":{"type":"Organization"},"organization":{"login":"example"},"sender":{"login":"ada","id":42}}`)
	status, out, text := d.deliver(delivery("ping", "d-1", "two", body), body)
	if status != http.StatusOK || out.Outcome != "pong" || !slices.Equal(out.Projects, []string{"web"}) {
		t.Errorf("%d %s", status, text)
	}
	if status, _, text := d.deliver(delivery("ping", "d-1", "three", body), body); status != http.StatusUnauthorized {
		t.Errorf("wrong secret: %d %s", status, text)
	}
	if status, _, text := d.deliver(delivery("push", "d-1", "two", body), body); status != http.StatusUnauthorized {
		t.Errorf("a push that names no repository: %d %s", status, text)
	}
}

func TestLargeDeliveries(t *testing.T) {
	d := newDaemon(t, hooked(t, "api", apiURL, "one"))
	pad := func(size int) []byte {
		body := hookBody(t, "push")
		return append(body, bytes.Repeat([]byte(" "), size-len(body))...)
	}
	for size, want := range map[int]int{smallHook: 202, smallHook + 1: 202, 12 << 20: 202, maxHook: 202, maxHook + 1: 413} {
		body := pad(size)
		status, _, text := d.deliver(delivery("push", fmt.Sprint("d-", size), "one", body), body)
		if status != want {
			t.Errorf("%d bytes: %d %s, want %d", size, status, text, want)
		}
	}
	// Without a declared length, the limit is found while reading.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.url()+"/hooks/github", &endless{left: maxHook + 1<<20})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("endless: %d", resp.StatusCode)
		}
	}
	d.stop() // waits for what still runs
	if len(d.handler.large) != 0 {
		t.Errorf("%d slots for large deliveries were not given back", len(d.handler.large))
	}
}

// endless is a body without a declared length.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, fmt.Errorf("end")
	}
	n := min(len(p), e.left)
	clear(p[:n])
	e.left -= n
	return n, nil
}

func FuzzHook(f *testing.F) {
	for _, name := range []string{"push", "push_deleted", "tag", "pr_fork", "pr_closed", "ping"} {
		f.Add("push", "application/json", hookBody(f, name))
		f.Add("pull_request", "application/json", hookBody(f, name))
	}
	f.Add("push", "application/x-www-form-urlencoded", []byte("payload=%7B%7D"))
	d := newFuzzDaemon()
	f.Fuzz(func(t *testing.T, event, kind string, body []byte) {
		header := delivery("push", "d", "one", body)
		header["X-Github-Event"], header["Content-Type"] = []string{headerSafe(event)}, []string{headerSafe(kind)}
		resp := d.serve(http.MethodPost, "/hooks/github", header, body)
		if resp.Code >= 500 {
			t.Errorf("%d %s", resp.Code, resp.Body)
		}
	})
}

func headerSafe(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}
