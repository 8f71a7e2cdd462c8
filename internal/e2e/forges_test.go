package e2e

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
)

// The commit and the repositories that the payloads of package forge are about, which stories put their own in place of.
const (
	payloadTip   = "199eddf46df50de8d02e99bf1c5fdb4101338224"
	payloadShort = "199eddf46df5"
)

// sender is how a forge delivers its webhooks.
type sender struct {
	address   string // of the repository in the payloads, without ".git"
	event, id string // headers
	prove     func(secret string, body []byte) (header, value string)
	push      string // what it calls a push
	request   string // and a pull request that was opened
	opened    string // whose payload is this
	head      string // where the head of pull request 7 is to be had; empty: its branch
	fork      string // what becomes of one from a fork
}

func signedAs(header, prefix string) func(string, []byte) (string, string) {
	return func(secret string, body []byte) (string, string) {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		return header, prefix + hex.EncodeToString(mac.Sum(nil))
	}
}

var senders = map[string]sender{
	"gitlab": {"https://gitlab.example.com/team/api", "X-Gitlab-Event", "X-Gitlab-Event-UUID",
		func(secret string, _ []byte) (string, string) { return "X-Gitlab-Token", secret },
		"Push Hook", "Merge Request Hook", "mr_open", "refs/merge-requests/7/head", "waiting"},
	"gitea": {"https://gitea.example.com/team/api", "X-Gitea-Event", "X-Gitea-Delivery", signedAs("X-Gitea-Signature", ""),
		"push", "pull_request", "pr_opened", "refs/pull/7/head", "waiting"},
	"forgejo": {"https://forgejo.example.com/team/api", "X-Forgejo-Event", "X-Forgejo-Delivery", signedAs("X-Forgejo-Signature", ""),
		"push", "pull_request", "pr_opened", "refs/pull/7/head", "waiting"},
	"gogs": {"https://gogs.example.com/team/api", "X-Gogs-Event", "X-Gogs-Delivery", signedAs("X-Gogs-Signature", ""),
		"push", "pull_request", "pr_opened", "refs/pull/7/head", "waiting"},
	"bitbucket": {"https://bitbucket.org/team/api", "X-Event-Key", "X-Request-UUID", signedAs("X-Hub-Signature", "sha256="),
		"repo:push", "pullrequest:created", "pr_created", "", "skipped"},
	"bitbucket-server": {"https://bitbucket.example.com/scm/team/api", "X-Event-Key", "X-Request-Id", signedAs("X-Hub-Signature", "sha256="),
		"repo:refs_changed", "pr:opened", "pr_opened", "refs/pull-requests/7/from", "waiting"},
}

// payloadOf is a payload of package forge about a repository and a commit of a story.
func payloadOf(t *testing.T, forge, file, url, commit string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "..", "forge", "testdata", forge, file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(strings.NewReplacer(
		senders[forge].address, strings.TrimSuffix(url, ".git"), payloadTip, commit, payloadShort, commit[:len(payloadShort)],
	).Replace(string(body)))
}

// deliverAs delivers as a forge does.
func (d *daemon) deliverAs(forge, event, id, secret string, body []byte) (int, map[string]any) {
	d.t.Helper()
	s := senders[forge]
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, "http://"+d.address+"/hooks/"+forge, bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(s.event, event)
	req.Header.Set(s.id, id)
	header, value := s.prove(secret, body)
	req.Header.Set(header, value)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	answer := make(map[string]any)
	_ = json.Unmarshal(text, &answer)
	return res.StatusCode, answer
}

// accepted is the trigger of a delivery that must be accepted, when its outcome is known.
func (d *daemon) accepted(status int, answer map[string]any) client.Trigger {
	d.t.Helper()
	id, _ := answer["trigger"].(string)
	if status != http.StatusAccepted || id == "" {
		d.t.Fatalf("the webhook was answered %d: %v", status, answer)
	}
	t, err := d.WaitTrigger(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return t
}

// builtOnce is the one build of a trigger.
func (d *daemon) builtOnce(t client.Trigger) string {
	d.t.Helper()
	if len(t.Builds) != 1 {
		d.t.Fatalf("trigger %s (%s on %s) made %d builds (%s: %s), want one", t.ID, t.Kind, t.Ref, len(t.Builds), t.Outcome, t.Reason)
	}
	return t.Builds[0]
}

// TestEveryForgesPushesAndPullRequestsAreBuilt takes each forge through a push, its repetition, a wrong secret, a pull
// request from the repository and one from a fork.
func TestEveryForgesPushesAndPullRequestsAreBuilt(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	names := slices.Sorted(maps.Keys(senders))
	type story struct{ url, commit, head, push, request, fork string }
	stories := make(map[string]*story)
	var projects []string
	for _, name := range names {
		repo, url, commit := git.repo(name, map[string]string{"buildspec.yml": spec(`echo "$CODEBUILD_WEBHOOK_TRIGGER by $CODEBUILD_INITIATOR at $CODEBUILD_RESOLVED_SOURCE_VERSION"`)})
		s := &story{url: url, commit: commit}
		for _, args := range [][]string{{"checkout", "-q", "-b", "fast"}, {"commit", "-q", "--allow-empty", "-m", "faster"}, {"push", "-q", "origin", "fast"}} {
			if _, err := repo.Git(t.Context(), args...); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if s.head, err = repo.Git(t.Context(), "rev-parse", "fast"); err != nil {
			t.Fatal(err)
		}
		if head := senders[name].head; head != "" {
			if _, err := repo.Git(t.Context(), "push", "-q", "origin", "fast:"+head); err != nil {
				t.Fatal(err)
			}
		}
		stories[name], projects = s, append(projects, project(name, url, "cancel-superseded: false"))
	}
	d := newDaemon(t, "", projects...)
	for _, name := range names {
		by, s := senders[name], stories[name]
		body := payloadOf(t, name, "push", s.url, s.commit)
		id := rand.Text()
		pushed := d.accepted(d.deliverAs(name, by.push, id, hookSecret, body))
		s.push = d.builtOnce(pushed)
		if again := d.accepted(d.deliverAs(name, by.push, id, hookSecret, body)); again.ID != pushed.ID {
			t.Errorf("%s: delivered again, the push is trigger %s, first it was %s", name, again.ID, pushed.ID)
		}
		if status, answer := d.deliverAs(name, by.push, rand.Text(), "another secret", body); status != http.StatusUnauthorized {
			t.Errorf("%s: with a wrong secret the push is answered %d: %v", name, status, answer)
		}
		s.request = d.builtOnce(d.accepted(d.deliverAs(name, by.request, rand.Text(), hookSecret, payloadOf(t, name, by.opened, s.url, s.head))))
		forked := s.head
		if by.head == "" {
			forked = s.commit // where two requests with one head are one
		}
		fork := d.accepted(d.deliverAs(name, by.request, rand.Text(), hookSecret, payloadOf(t, name, forkFile(name), s.url, forked)))
		if fork.Outcome != by.fork || !fork.Fork || len(fork.Builds) > 0 || (by.fork == "waiting" && fork.Commit != s.head) {
			t.Errorf("%s: a fork's pull request, at %s, is %s at %s (%s), want it %s", name, s.head, fork.Outcome, fork.Commit, fork.Reason, by.fork)
		}
		if s.fork = fork.ID; by.fork == "waiting" {
			if out, errs, exit := d.runCLI(t.TempDir(), "approve", fork.ID); exit != 0 {
				t.Errorf("%s: runner approve exited %d:\n%s%s", name, exit, out, errs)
			}
		}
	}
	for _, name := range names {
		s := stories[name]
		b := d.ended(s.push, "SUCCEEDED")
		if b.Commit != s.commit || b.Ref != "refs/heads/main" || !b.Trusted || !strings.Contains(d.logs(b), "branch/main by ") {
			t.Errorf("%s: the push became a build of %s on %s, trusted %t:\n%s", name, b.Commit, b.Ref, b.Trusted, d.logs(b))
		}
		b = d.ended(s.request, "SUCCEEDED")
		if b.Commit != s.head || b.Trusted || b.Fork || !strings.Contains(d.logs(b), "pr/7 by ") {
			t.Errorf("%s: the pull request became a build of %s on %s, trusted %t, fork %t:\n%s", name, b.Commit, b.Ref, b.Trusted, b.Fork, d.logs(b))
		}
		if senders[name].fork != "waiting" {
			continue
		}
		tr, err := d.WaitTrigger(t.Context(), s.fork)
		if err != nil {
			t.Fatal(err)
		}
		if b := d.ended(d.builtOnce(tr), "SUCCEEDED"); b.Trusted || !b.Fork || b.Commit != s.head {
			t.Errorf("%s: the fork's approved pull request became a build of %s, trusted %t, fork %t", name, b.Commit, b.Trusted, b.Fork)
		}
	}
}

// forkFile is the payload of a pull request from a fork.
func forkFile(forge string) string {
	if forge == "gitlab" {
		return "mr_fork"
	}
	return "pr_fork"
}

// TestACommentOnAPullRequestBuildsIt has a stranger, then a member, ask for a build of a pull request from a fork, and the
// member for another try.
func TestACommentOnAPullRequestBuildsIt(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, url, commit := git.repo("api", map[string]string{"buildspec.yml": spec(`echo "$CODEBUILD_SOURCE_VERSION"`)})
	if _, err := repo.Git(t.Context(), "push", "-q", "origin", commit+":refs/pull/7/head"); err != nil {
		t.Fatal(err)
	}
	d := newDaemon(t, "", project("api", url))
	comment := func(association, text string) client.Trigger {
		return d.accepted(d.send(delivery{event: "issue_comment", id: rand.Text(), secret: hookSecret, payload: map[string]any{
			"action": "created", "repository": repository(url), "sender": map[string]any{"login": "ada", "id": 7},
			"issue":   map[string]any{"number": 7, "title": "a feature", "pull_request": map[string]any{"url": ""}},
			"comment": map[string]any{"body": text, "author_association": association, "user": map[string]any{"login": "ada", "id": 7}},
		}}))
	}
	early := comment("MEMBER", "/runner build")
	if early.Outcome != "waiting" || early.Commit != commit || early.Kind != "comment" {
		t.Errorf("a command before the forge told of the pull request is %s at %s (%s), want it waiting at %s", early.Outcome, early.Commit, early.Reason, commit)
	}
	fork := d.accepted(d.send(pullRequest(url, "https://example.com/stranger/api.git", commit)))
	for _, tr := range []client.Trigger{fork, comment("NONE", "/runner build"), comment("CONTRIBUTOR", "/runner retry")} {
		if tr.Outcome != "waiting" || tr.Commit != commit || !tr.Fork {
			t.Errorf("what a stranger asks for is %s at %s (%s), want it waiting", tr.Outcome, tr.Commit, tr.Reason)
		}
	}
	if none := comment("MEMBER", "/runner retry"); none.Outcome != "skipped" || !strings.Contains(none.Reason, "nothing to retry") {
		t.Errorf("a retry of nothing is %s (%s)", none.Outcome, none.Reason)
	}
	asked := comment("MEMBER", "/runner build\r\nplease")
	b := d.ended(d.builtOnce(asked), "SUCCEEDED")
	if b.Trusted || !b.Fork || b.Commit != commit || asked.ApprovedBy != "ada at github" || !strings.Contains(d.logs(b), "pr/7") {
		t.Errorf("a member's command became a build of %s, trusted %t, fork %t, approved by %q:\n%s", b.Commit, b.Trusted, b.Fork, asked.ApprovedBy, d.logs(b))
	}
	retried := d.ended(d.builtOnce(comment("OWNER", "/runner retry")), "SUCCEEDED")
	if retried.RetryOf != b.ID || retried.Trusted || !retried.Fork {
		t.Errorf("the retry is one of %q, trusted %t, fork %t; want one of %s", retried.RetryOf, retried.Trusted, retried.Fork, b.ID)
	}
}

// TestWhatAFilterAsksForIsBuilt is of events that build nothing by themselves: a release, whose tag is annotated, and a
// request that was merged.
func TestWhatAFilterAsksForIsBuilt(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, url, commit := git.repo("api", map[string]string{"buildspec.yml": spec(`echo "$CODEBUILD_WEBHOOK_EVENT of $CODEBUILD_WEBHOOK_TRIGGER"`)})
	for _, args := range [][]string{{"tag", "-a", "-m", "one", "v1.0.0"}, {"push", "-q", "origin", "v1.0.0", commit + ":refs/merge-requests/7/head"}} {
		if _, err := repo.Git(t.Context(), args...); err != nil {
			t.Fatal(err)
		}
	}
	d := newDaemon(t, "", project("api", url, `protected: ["refs/tags/v*"]`, `filters: [[{type: EVENT, pattern: "RELEASED,PULL_REQUEST_MERGED"}]]`))
	deliver := func(event, file string) client.Trigger {
		return d.accepted(d.deliverAs("gitlab", event, rand.Text(), hookSecret, payloadOf(t, "gitlab", file, url, commit)))
	}
	if tr := deliver("Push Hook", "push"); tr.Outcome != "skipped" || !strings.Contains(tr.Reason, "EVENT") {
		t.Errorf("a push that no filter asks for is %s (%s)", tr.Outcome, tr.Reason)
	}
	released := d.ended(d.builtOnce(deliver("Release Hook", "release")), "SUCCEEDED")
	if released.Commit != commit || released.Ref != "refs/tags/v1.0.0" || !released.Trusted || !strings.Contains(d.logs(released), "RELEASED of tag/v1.0.0") {
		t.Errorf("the release became a build of %s on %s, trusted %t:\n%s", released.Commit, released.Ref, released.Trusted, d.logs(released))
	}
	merged := d.ended(d.builtOnce(deliver("Merge Request Hook", "mr_merge")), "SUCCEEDED")
	if merged.Commit != commit || merged.Trusted || !strings.Contains(d.logs(merged), "PULL_REQUEST_MERGED of pr/7") {
		t.Errorf("the merge became a build of %s on %s, trusted %t:\n%s", merged.Commit, merged.Ref, merged.Trusted, d.logs(merged))
	}
}
