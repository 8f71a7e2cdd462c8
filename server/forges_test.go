package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/scheduler"
)

// sender is how a forge delivers.
type sender struct {
	url, event, id string                                       // of the repository; headers of the event and of the delivery's id
	push, request  string                                       // its words for these two
	opened         string                                       // the payload of one
	sign           func(secret string, body []byte) http.Header // empty secret: a wrong one
}

func hexOnly(header string) func(string, []byte) http.Header {
	return func(secret string, body []byte) http.Header {
		return http.Header{header: {strings.TrimPrefix(signature(secret, body), "sha256=")}}
	}
}

func prefixed(header string) func(string, []byte) http.Header {
	return func(secret string, body []byte) http.Header { return http.Header{header: {signature(secret, body)}} }
}

var senders = map[string]sender{
	"gitlab": {"git@gitlab.example.com:team/api.git", "X-Gitlab-Event", "X-Gitlab-Event-UUID", "Push Hook", "Merge Request Hook", "mr_open",
		func(secret string, _ []byte) http.Header { return http.Header{"X-Gitlab-Token": {secret}} }},
	"gitea":            {"https://gitea.example.com/Team/api", "X-Gitea-Event", "X-Gitea-Delivery", "push", "pull_request", "pr_opened", hexOnly("X-Gitea-Signature")},
	"forgejo":          {"https://forgejo.example.com/team/api.git", "X-Forgejo-Event", "X-Forgejo-Delivery", "push", "pull_request", "pr_opened", hexOnly("X-Forgejo-Signature")},
	"gogs":             {"https://gogs.example.com/team/api.git", "X-Gogs-Event", "X-Gogs-Delivery", "push", "pull_request", "pr_opened", hexOnly("X-Gogs-Signature")},
	"bitbucket":        {"git@bitbucket.org:team/api.git", "X-Event-Key", "X-Request-UUID", "repo:push", "pullrequest:created", "pr_created", prefixed("X-Hub-Signature")},
	"bitbucket-server": {"ssh://git@bitbucket.example.com:7999/team/api.git", "X-Event-Key", "X-Request-Id", "repo:refs_changed", "pr:opened", "pr_opened", prefixed("X-Hub-Signature")},
}

// deliverBy delivers as a forge does, and decodes the answer.
func (d *daemon) deliverBy(forge, event, id, secret string, body []byte) (int, hookAnswer, string) {
	d.t.Helper()
	s := senders[forge]
	header := s.sign(secret, body)
	header.Set("Content-Type", "application/json")
	header.Set(s.event, event)
	if id != "" {
		header.Set(s.id, id)
	}
	resp, text := d.send(http.MethodPost, "/hooks/"+forge, header, body)
	var out hookAnswer
	if resp.StatusCode < 300 {
		if err := json.Unmarshal(text, &out); err != nil {
			d.t.Fatalf("%s: %v", text, err)
		}
	}
	return resp.StatusCode, out, string(text)
}

func (d *daemon) trigger(id string) scheduler.Trigger {
	d.t.Helper()
	t, err := d.state.Scheduler.Trigger(id)
	if err != nil {
		d.t.Fatal(err)
	}
	return t
}

func TestEachForgeDeliversToItsOwnPath(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(senders)) {
		s := senders[name]
		d := newDaemon(t, hooked(t, "api", s.url, "one"))
		body := hookBody(t, name+"/push")
		status, out, text := d.deliverBy(name, s.push, "d-1", "one", body)
		if status != http.StatusAccepted || out.Outcome != "pending" || !slices.Equal(out.Projects, []string{"api"}) {
			t.Errorf("%s: %d %s", name, status, text)
			continue
		}
		if got := d.trigger(out.Trigger); got.Kind != scheduler.KindPush || got.Delivery != name+"/d-1" || got.Ref != "refs/heads/main" || got.Commit != newTip || got.Actor != "ada" {
			t.Errorf("%s: %+v", name, got)
		}
		if again, second, _ := d.deliverBy(name, s.push, "d-1", "one", body); again != status || second.Trigger != out.Trigger {
			t.Errorf("%s: delivered again, it is %d %+v", name, again, second)
		}
		if status, out, text := d.deliverBy(name, s.request, "d-2", "one", hookBody(t, name+"/"+s.opened)); status != http.StatusAccepted || d.trigger(out.Trigger).PullRequest != 7 {
			t.Errorf("%s: a pull request: %d %s", name, status, text)
		}
		if status, _, text := d.deliverBy(name, s.push, "", "one", body); status != http.StatusBadRequest || !strings.Contains(text, "no id") {
			t.Errorf("%s: without an id: %d %s", name, status, text)
		}
		_, _, stranger := d.deliverBy(name, s.push, "d-3", "one", bytes.ReplaceAll(bytes.ReplaceAll(body, []byte("team/api"), []byte("team/nobody")), []byte(`"slug": "api"`), []byte(`"slug": "nobody"`)))
		if status, _, wrong := d.deliverBy(name, s.push, "d-3", "two", body); status != http.StatusUnauthorized || wrong != stranger {
			t.Errorf("%s: a wrong secret: %d %s\nan unknown repository: %s", name, status, wrong, stranger)
		}
	}
}

func TestAPushOfSeveralRefsIsATriggerEach(t *testing.T) {
	for _, name := range []string{"bitbucket", "bitbucket-server"} {
		s := senders[name]
		d := newDaemon(t, hooked(t, "api", s.url, "one"))
		body := hookBody(t, name+"/push_several")
		status, out, text := d.deliverBy(name, s.push, "d-1", "one", body)
		if status != http.StatusAccepted || len(out.More) != 2 || out.More[1].Outcome != "skipped" || out.More[1].Reason != "branch deleted" {
			t.Fatalf("%s: %d %s", name, status, text)
		}
		for i, want := range []string{"refs/heads/main", "refs/tags/v1.0.0", "refs/heads/fast"} {
			id := append([]hookAnswer{out}, out.More...)[i].Trigger
			if got := d.trigger(id); got.Ref != want || got.Delivery != name+"/d-1/"+want {
				t.Errorf("%s: %+v, want %s", name, got, want)
			}
		}
		if _, _, again := d.deliverBy(name, s.push, "d-1", "one", body); again != text {
			t.Errorf("%s: delivered again it is %s, first %s", name, again, text)
		}
		if page, err := d.client().Triggers(t.Context(), clientAll); err != nil || len(page.Items) != 3 {
			t.Errorf("%s: %d triggers, %v", name, len(page.Items), err)
		}
	}
}

// TestADeliveryThatWasTakenInPartIsTakenWhole is of a daemon that died between two refs of one push: the forge, which had no
// answer, delivers again.
func TestADeliveryThatWasTakenInPartIsTakenWhole(t *testing.T) {
	s := senders["bitbucket"]
	d := newDaemon(t, hooked(t, "api", s.url, "one"))
	before, _, err := d.state.Accept(t.Context(), scheduler.Trigger{
		Kind: scheduler.KindTag, Projects: []string{"api"}, Delivery: "bitbucket/d-1/refs/tags/v1.0.0", Ref: "refs/tags/v1.0.0", Commit: newTip,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, out, text := d.deliverBy("bitbucket", s.push, "d-1", "one", hookBody(t, "bitbucket/push_several"))
	if len(out.More) != 2 || out.More[0].Trigger != before.ID || out.Trigger == before.ID || out.More[1].Trigger == before.ID {
		t.Errorf("the rest of the delivery: %s", text)
	}
	if page, err := d.client().Triggers(t.Context(), clientAll); err != nil || len(page.Items) != 3 {
		t.Errorf("%d triggers, %v", len(page.Items), err)
	}
}

// TestAnUpdateWithoutNewCommitsIsTheFirst is of Bitbucket Cloud, which reports a changed title as it reports commits.
func TestAnUpdateWithoutNewCommitsIsTheFirst(t *testing.T) {
	d := newDaemon(t, hooked(t, "api", senders["bitbucket"].url, "one"))
	body := hookBody(t, "bitbucket/pr_created")
	_, first, _ := d.deliverBy("bitbucket", "pullrequest:created", "d-1", "one", body)
	if _, again, text := d.deliverBy("bitbucket", "pullrequest:updated", "d-2", "one", bytes.ReplaceAll(body, []byte("Serve the"), []byte("Serve this"))); again.Trigger != first.Trigger {
		t.Errorf("a changed title is a trigger of its own: %s", text)
	}
	if _, next, text := d.deliverBy("bitbucket", "pullrequest:updated", "d-3", "one", bytes.ReplaceAll(body, []byte(newTip[:12]), []byte(oldTip[:12]))); next.Trigger == first.Trigger {
		t.Errorf("new commits are no trigger of their own: %s", text)
	}
}

// TestOneRepositorysRequestIsNotAnothers is of a webhook that a whole workspace shares, or of somebody who has a secret of one
// project and sends what another's would be.
func TestOneRepositorysRequestIsNotAnothers(t *testing.T) {
	d := newDaemon(t, hooked(t, "api", senders["bitbucket"].url, "one"), hooked(t, "copy", "git@bitbucket.org:team/copy.git", "one"))
	body := hookBody(t, "bitbucket/pr_created")
	_, first, text := d.deliverBy("bitbucket", "pullrequest:created", "d-1", "one", bytes.ReplaceAll(body, []byte("team/api"), []byte("team/copy")))
	if !slices.Equal(first.Projects, []string{"copy"}) {
		t.Fatalf("it is for %s", text)
	}
	if _, second, text := d.deliverBy("bitbucket", "pullrequest:created", "d-2", "one", body); !slices.Equal(second.Projects, []string{"api"}) || second.Trigger == first.Trigger {
		t.Errorf("the same request of another repository is taken for a repetition: %s", text)
	}
}

// TestAServerThatDoesNotTellItsAddress is of Bitbucket Server before links were part of what it sends.
func TestAServerThatDoesNotTellItsAddress(t *testing.T) {
	d := newDaemon(t, hooked(t, "api", "https://bitbucket.example.com/scm/team/api.git", "one"), hooked(t, "other", "https://git.example.org/scm/team/api.git", "two"),
		hooked(t, "longer", "https://bitbucket.example.com/scm/ateam/api.git", "one"))
	body := hookBody(t, "bitbucket-server/push_old")
	for secret, want := range map[string]string{"one": "api", "two": "other"} {
		status, out, text := d.deliverBy("bitbucket-server", "repo:refs_changed", "d-"+secret, secret, body)
		if status != http.StatusAccepted || !slices.Equal(out.Projects, []string{want}) {
			t.Errorf("signed with %q: %d %s, want %s", secret, status, text, want)
		}
	}
	if status, out, text := d.deliverBy("bitbucket-server", "diagnostics:ping", "d-3", "two", hookBody(t, "bitbucket-server/ping")); status != http.StatusOK || !slices.Equal(out.Projects, []string{"other"}) {
		t.Errorf("ping: %d %s", status, text)
	}
	if status, _, text := d.deliverBy("bitbucket-server", "repo:refs_changed", "d-4", "one", []byte(`{"repository":{"slug":"api"},"changes":[]}`)); status != http.StatusUnauthorized {
		t.Errorf("half a path: %d %s", status, text)
	}
}

// comment delivers GitHub's comment of testdata, which is on pull request 7.
func (d *daemon) comment(id, file, text string) (int, hookAnswer, []byte) {
	d.t.Helper()
	body := bytes.ReplaceAll(hookBody(d.t, "github/"+file), []byte("/runner build"), []byte(text))
	return d.deliver(delivery("issue_comment", id, "one", body), body)
}

func TestACommandIsForTheCommitThatTheForgeToldOf(t *testing.T) {
	d := newDaemon(t, hooked(t, "api", apiURL, "one"))
	status, out, text := d.comment("c-1", "comment", "/runner build")
	if got := d.trigger(out.Trigger); status != http.StatusAccepted || got.Commit != "" || got.Approved != nil || !got.Fork {
		t.Fatalf("before any event of the pull request: %d %s, %+v", status, text, got)
	}
	fork := bytes.ReplaceAll(bytes.ReplaceAll(hookBody(t, "pr_fork"), []byte(`"number": 8`), []byte(`"number": 7`)), []byte("pulls/8"), []byte("pulls/7"))
	d.deliver(delivery("pull_request", "d-1", "one", fork), fork)

	_, out, text = d.comment("c-2", "comment", "/runner build")
	got := d.trigger(out.Trigger)
	if got.Kind != scheduler.KindComment || got.Commit != newTip || !got.Fork || got.HeadRepo != "stranger/api" || got.PullRequest != 7 || got.BaseRef != "refs/heads/main" {
		t.Errorf("a member's command is %+v (%s)", got, text)
	}
	if a := got.Approved; a == nil || a.Commit != newTip || a.By != "ada at github" {
		t.Errorf("it is approved as %+v", a)
	}
	_, out, text = d.comment("c-3", "comment_stranger", "/runner build")
	if got := d.trigger(out.Trigger); got.Approved != nil || got.Commit != newTip || out.Outcome != "pending" {
		t.Errorf("a stranger's command is %+v (%s)", got, text)
	}
	_, out, text = d.comment("c-4", "comment", "/runner build "+newTip[:7])
	if got := d.trigger(out.Trigger); got.Approved == nil || got.Approved.Commit != newTip || got.Skip != "" {
		t.Errorf("a command for the head is %+v (%s)", got, text)
	}
	_, out, text = d.comment("c-5", "comment", "/runner build "+oldTip[:7])
	if got := d.trigger(out.Trigger); got.Approved != nil || out.Outcome != "skipped" {
		t.Errorf("a command for what was the head before is %+v (%s)", got, text)
	}
	for i, c := range []struct{ file, text, outcome, reason string }{
		{"comment", "/runner retry", "skipped", "nothing to retry"},
		{"comment", "/runner build " + oldTip, "skipped", "the command is for commit " + oldTip + ", and the head of the pull request is " + newTip[:12]},
		{"comment", "/runner deploy", "ignored", "there is no command"},
		{"comment_chat", "", "ignored", "no command"},
		{"comment_edited", "", "ignored", "only a new comment"},
	} {
		id := fmt.Sprint("c-", 10+i)
		status, out, text := d.comment(id, c.file, c.text)
		if c.text == "" {
			body := hookBody(t, "github/"+c.file)
			status, out, text = d.deliver(delivery("issue_comment", id, "one", body), body)
		}
		if status != http.StatusAccepted || out.Outcome != c.outcome || !strings.Contains(out.Reason, c.reason) {
			t.Errorf("%s, %s: %d %s", c.file, c.text, status, text)
		}
	}
}

func TestReleasesAndEndedPullRequestsAreRecorded(t *testing.T) {
	d := newDaemon(t, hooked(t, "api", apiURL, "one"))
	for file, want := range map[string]string{"github/release": "RELEASED", "github/prerelease": "PRERELEASED"} {
		body := hookBody(t, file)
		_, out, text := d.deliver(delivery("release", file, "one", body), body)
		if got := d.trigger(out.Trigger); got.Kind != scheduler.KindRelease || got.Event != want || got.Ref != "refs/tags/v1.0.0" || got.Release != "Version 1" || out.Outcome != "skipped" {
			t.Errorf("%s: %+v (%s)", file, got, text)
		}
	}
}
