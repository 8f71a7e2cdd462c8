package forge

import (
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// shortTip is newTip as Bitbucket Cloud writes it of pull requests.
const shortTip = "199eddf46df5"

// eventHeaders name the header in which each forge says what a delivery is.
var eventHeaders = map[string]string{
	"github": "X-GitHub-Event", "gitlab": "X-Gitlab-Event", "gitea": "X-Gitea-Event", "forgejo": "X-Forgejo-Event",
	"gogs": "X-Gogs-Event", "bitbucket": bitbucketEvent, "bitbucket-server": bitbucketEvent,
}

func byName(t testing.TB, name string) Forge {
	t.Helper()
	for _, f := range All() {
		if f.Name() == name {
			return f
		}
	}
	t.Fatalf("no forge is called %q", name)
	return nil
}

// sent parses a payload of testdata as its forge would send it.
func sent(t testing.TB, file, event string) (Event, error) {
	t.Helper()
	name, _, _ := strings.Cut(file, "/")
	header := http.Header{"Content-Type": {"application/json"}}
	header.Set(eventHeaders[name], event)
	header.Set("X-Hook-Uuid", "h-1")
	return byName(t, name).Parse(header, payload(t, file))
}

func push(ref, commit, before string) Event {
	e := Event{Kind: Push, Ref: ref, HeadRef: ref, Commit: commit, Before: before, Webhook: "PUSH", Title: "Serve the index faster"}
	what := "branch"
	if strings.HasPrefix(ref, "refs/tags/") {
		e.Kind, what = Tag, "tag"
	}
	if commit == "" {
		e.Skip, e.Title = what+" deleted", ""
	}
	return e
}

// requested is the event of pull request 7, which asks to pull fast into main.
func requested(webhook, ref string) Event {
	return Event{
		Kind: PullRequest, Webhook: webhook, Ref: ref, HeadRef: "refs/heads/fast", BaseRef: "refs/heads/main", Commit: newTip, PullRequest: 7,
		Title: "Serve the index faster", HeadRepository: "team/api", Labels: []string{"speed"},
	}
}

func with(e Event, change func(*Event)) Event {
	change(&e)
	return e
}

func untitled(e Event) Event { return with(e, func(e *Event) { e.Title = "" }) }

func unlabelled(e Event) Event { return with(e, func(e *Event) { e.Labels = nil }) }

func fork(from string) func(*Event) {
	return func(e *Event) { e.Fork, e.HeadRepository = true, from }
}

func published(webhook, commit string) Event {
	return Event{Kind: Release, Webhook: webhook, Ref: "refs/tags/v1.0.0", HeadRef: "refs/tags/v1.0.0", Commit: commit, Title: "Version 1", Release: "Version 1"}
}

func command(word string, change func(*Event)) Event {
	return with(Event{Kind: Comment, Webhook: requestUpdated, PullRequest: 7, Command: word, Title: "Serve the index faster"}, change)
}

func ignoring(why string) Event { return Event{Kind: Other, Ignore: why} }

type sentCase struct {
	file, event string
	want        Event
}

// check compares what became of payloads, beside what is the same for all of a forge.
func check(t *testing.T, repo Repository, cases []sentCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.file, func(t *testing.T) {
			got, err := sent(t, c.file, c.event)
			if err != nil {
				t.Fatal(err)
			}
			if got.ActorID == "" && got.Kind != Ping && got.Kind != Release && got.Kind != Other {
				t.Error("nobody did it")
			}
			want := c.want
			want.Name, want.Repository = c.event, repo
			want.Actor, want.ActorID, want.Message = got.Actor, got.ActorID, messageFor(want)
			for i := range want.More {
				want.More[i].Name, want.More[i].Repository, want.More[i].Actor, want.More[i].ActorID = c.event, repo, got.Actor, got.ActorID
				want.More[i].Message = messageFor(want.More[i])
			}
			got.Message = strings.TrimSpace(got.Message)
			for i := range got.More {
				got.More[i].Message = strings.TrimSpace(got.More[i].Message)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("\n got %+v\nwant %+v", got, want)
			}
		})
	}
}

// messageFor is the message of the commit that all pushes are of which tell one.
func messageFor(e Event) string {
	if (e.Kind != Push && e.Kind != Tag) || e.Title == "" {
		return ""
	}
	return "Serve the index faster\n\nIt was slow."
}

func TestGitLabPayloadsBecomeEvents(t *testing.T) {
	mr := func(webhook string) Event { return requested(webhook, "refs/merge-requests/7/head") }
	check(t, Repository{Name: "team/api", URLs: []string{"https://gitlab.example.com/team/api.git", "git@gitlab.example.com:team/api.git", "https://gitlab.example.com/team/api"}}, []sentCase{
		{"gitlab/push", "Push Hook", push("refs/heads/main", newTip, oldTip)},
		{"gitlab/push_new", "System Hook", push("refs/heads/fast", newTip, zeros)},
		{"gitlab/push_deleted", "Push Hook", push("refs/heads/fast", "", oldTip)},
		// An annotated tag: "after" is the tag object, the commit is checked out.
		{"gitlab/tag", "Tag Push Hook", push("refs/tags/v1.0.0", newTip, zeros)},
		{"gitlab/tag_deleted", "Tag Push Hook", with(push("refs/tags/v1.0.0", "", "5b0c4bd3f9f2d8d0c1b2b5f7c6f2d6a3e1a7c9d2"), func(*Event) {})},
		{"gitlab/mr_open", "Merge Request Hook", mr(requestCreated)},
		{"gitlab/mr_update", "Merge Request Hook", with(mr(requestUpdated), func(e *Event) { e.Before, e.Draft = oldTip, true })},
		{"gitlab/mr_label", "Merge Request Hook", with(mr(""), func(e *Event) { e.Skip = `pull request action "update" builds nothing: it brings no commits` })},
		{"gitlab/mr_reopen", "Merge Request Hook", mr(requestReopened)},
		{"gitlab/mr_merge", "Merge Request Hook", mr(requestMerged)},
		{"gitlab/mr_close", "Merge Request Hook", mr(requestClosed)},
		// Its namespace bears the same display name.
		{"gitlab/mr_fork", "Merge Request Hook", with(mr(requestCreated), fork("mallory/api"))},
		{"gitlab/mr_ghost", "Merge Request Hook", with(mr(requestCreated), fork(""))},
		{"gitlab/note", "Note Hook", with(mr(requestUpdated), func(e *Event) { e.Kind, e.Command = Comment, CommandBuild })},
		{"gitlab/note_issue", "Note Hook", ignoring("only a new comment on a merge request can give a command")},
		{"gitlab/release", "Release Hook", published("RELEASED", newTip)},
		{"gitlab/release_update", "Release Hook", ignoring(`release action "update" builds nothing; create does`)},
		{"gitlab/job", "Job Hook", ignoring(`Runner builds nothing on "Job Hook" events; it needs only push, tag push and merge request events, and knows releases and comments`)},
	})
}

func TestGiteaPayloadsBecomeEvents(t *testing.T) {
	pr := func(webhook string) Event { return requested(webhook, "refs/pull/7/head") }
	check(t, Repository{Name: "team/api", URLs: []string{"https://gitea.example.com/team/api.git", "git@gitea.example.com:team/api.git", "https://gitea.example.com/team/api"}}, []sentCase{
		{"gitea/push", "push", push("refs/heads/main", newTip, oldTip)},
		{"gitea/push_test", "push", Event{Kind: Ping}},
		{"gitea/push_new", "push", push("refs/heads/fast", newTip, zeros)},
		{"gitea/branch_created", "create", ignoring("a push tells of the branch, too")},
		{"gitea/branch_deleted", "delete", push("refs/heads/fast", "", "")},
		{"gitea/tag", "push", push("refs/tags/v1.0.0", newTip, zeros)},
		{"gitea/tag_created", "create", ignoring("a push tells of the tag, too")},
		{"gitea/tag_deleted", "push", push("refs/tags/v1.0.0", "", oldTip)},
		{"gitea/pr_opened", "pull_request", pr(requestCreated)},
		{"gitea/pr_synchronized", "pull_request", with(pr(requestUpdated), func(e *Event) { e.Draft, e.Title = true, "[WIP] Serve the index faster" })},
		{"gitea/pr_reopened", "pull_request", pr(requestReopened)},
		{"gitea/pr_merged", "pull_request", pr(requestMerged)},
		{"gitea/pr_closed", "pull_request", pr(requestClosed)},
		{"gitea/pr_labeled", "pull_request", with(pr(""), func(e *Event) {
			e.Skip = `pull request action "label_updated" builds nothing: it brings no commits`
		})},
		{"gitea/pr_fork", "pull_request", with(pr(requestCreated), fork("mallory/api"))},
		{"gitea/pr_ghost", "pull_request", with(with(pr(requestCreated), fork("")), func(e *Event) { e.HeadRef = e.Ref })},
		// Who may only read can make it, and it says that it comes from the repository itself.
		{"gitea/pr_agit", "pull_request", with(with(pr(requestCreated), fork("")), func(e *Event) { e.HeadRef = e.Ref })},
		{"gitea/comment", "issue_comment", command(CommandBuild, func(e *Event) { e.Fork, e.Ref = true, "refs/pull/7/head" })},
		{"gitea/comment_head", "issue_comment", with(pr(requestUpdated), func(e *Event) { e.Kind, e.Command = Comment, CommandBuild })},
		{"gitea/comment_owner", "issue_comment", command(CommandRetry, func(e *Event) { e.Fork, e.Member, e.Ref = true, true, "refs/pull/7/head" })},
		{"gitea/comment_issue", "issue_comment", ignoring("only a new comment on a pull request can give a command")},
		{"gitea/release", "release", published("RELEASED", "")},
		{"gitea/release_pre", "release", published("PRERELEASED", "")},
	})
	check(t, Repository{Name: "team/api", URLs: []string{"https://forgejo.example.com/team/api.git", "git@forgejo.example.com:team/api.git", "https://forgejo.example.com/team/api"}}, []sentCase{
		{"forgejo/push", "push", push("refs/heads/main", newTip, oldTip)},
		{"forgejo/push_test", "push", Event{Kind: Ping}},
		{"forgejo/tag", "push", push("refs/tags/v1.0.0", newTip, zeros)},
		{"forgejo/pr_opened", "pull_request", pr(requestCreated)},
		{"forgejo/pr_fork", "pull_request", with(pr(requestCreated), fork("mallory/api"))},
	})
}

func TestGogsPayloadsBecomeEvents(t *testing.T) {
	// It tells no commit.
	pr := func(webhook string) Event {
		return unlabelled(with(requested(webhook, "refs/pull/7/head"), func(e *Event) { e.Commit = "" }))
	}
	ended := func(e *Event) { e.Skip = "the pull request has ended, and its head is not told" }
	check(t, Repository{Name: "team/api", URLs: []string{"https://gogs.example.com/team/api.git", "git@gogs.example.com:team/api.git", "https://gogs.example.com/team/api"}}, []sentCase{
		{"gogs/push", "push", push("refs/heads/main", newTip, oldTip)},
		{"gogs/push_test", "push", Event{Kind: Ping}},
		{"gogs/push_new", "push", untitled(push("refs/heads/fast", newTip, zeros))},
		{"gogs/branch_created", "create", ignoring("a push tells of the branch, too")},
		{"gogs/branch_deleted", "delete", push("refs/heads/fast", "", "")},
		{"gogs/tag", "create", untitled(push("refs/tags/v1.0.0", newTip, zeros))},
		{"gogs/tag_deleted", "delete", push("refs/tags/v1.0.0", "", "")},
		{"gogs/pr_opened", "pull_request", pr(requestCreated)},
		{"gogs/pr_synchronized", "pull_request", with(pr(requestUpdated), func(e *Event) { e.Draft, e.Title = true, "[WIP] Serve the index faster" })},
		{"gogs/pr_reopened", "pull_request", pr(requestReopened)},
		{"gogs/pr_merged", "pull_request", with(pr(requestMerged), ended)},
		{"gogs/pr_closed", "pull_request", with(pr(requestClosed), ended)},
		{"gogs/pr_labeled", "pull_request", with(pr(""), func(e *Event) {
			e.Skip = `pull request action "label_updated" builds nothing: it brings no commits`
		})},
		{"gogs/pr_fork", "pull_request", with(pr(requestCreated), fork("mallory/api"))},
		{"gogs/pr_ghost", "pull_request", with(pr(requestCreated), fork(""))},
		{"gogs/comment", "issue_comment", command(CommandBuild, func(e *Event) { e.Fork, e.Ref = true, "refs/pull/7/head" })},
		{"gogs/release", "release", published("RELEASED", "")},
		{"gogs/release_pre", "release", published("PRERELEASED", "")},
	})
}

func TestBitbucketPayloadsBecomeEvents(t *testing.T) {
	// It has no ref for the head, and tells a part of the commit.
	pr := func(webhook string) Event {
		return unlabelled(with(requested(webhook, "refs/heads/fast"), func(e *Event) { e.Commit, e.Same = "", "h-1/pr/7/"+shortTip }))
	}
	ended := func(e *Event) { e.Same, e.Skip = "", "the pull request has ended, and its head is not told" }
	away := func(e *Event) {
		e.Skip = "the pull request comes from a fork, and Bitbucket Cloud has no ref for it in this repository; push its branch here to have it built"
	}
	parts := push("refs/heads/main", newTip, oldTip)
	parts.Part = parts.Ref
	for _, e := range []Event{push("refs/tags/v1.0.0", newTip, zeros), push("refs/heads/fast", "", oldTip)} {
		e.Part = e.Ref
		parts.More = append(parts.More, e)
	}
	check(t, Repository{Name: "team/api", URLs: []string{"https://bitbucket.org/team/api"}}, []sentCase{
		{"bitbucket/push", "repo:push", push("refs/heads/main", newTip, oldTip)},
		{"bitbucket/push_new", "repo:push", push("refs/heads/fast", newTip, zeros)},
		{"bitbucket/push_deleted", "repo:push", push("refs/heads/fast", "", oldTip)},
		{"bitbucket/tag", "repo:push", push("refs/tags/v1.0.0", newTip, zeros)},
		{"bitbucket/tag_deleted", "repo:push", push("refs/tags/v1.0.0", "", oldTip)},
		{"bitbucket/push_several", "repo:push", parts},
		{"bitbucket/pr_created", "pullrequest:created", pr(requestCreated)},
		{"bitbucket/pr_created", "pullrequest:updated", pr(requestUpdated)},
		{"bitbucket/pr_fulfilled", "pullrequest:fulfilled", with(pr(requestMerged), ended)},
		{"bitbucket/pr_rejected", "pullrequest:rejected", with(pr(requestClosed), ended)},
		{"bitbucket/pr_fork", "pullrequest:created", with(with(with(pr(requestCreated), fork("mallory/api")), away), func(e *Event) { e.HeadRef, e.Ref = "refs/heads/main", "refs/heads/main" })},
		{"bitbucket/pr_ghost", "pullrequest:created", with(with(pr(requestCreated), fork("")), away)},
		{"bitbucket/comment", "pullrequest:comment_created", with(pr(requestUpdated), func(e *Event) { e.Kind, e.Command, e.Same = Comment, CommandBuild, "" })},
		{"bitbucket/push", "repo:fork", ignoring(`Runner builds nothing on "repo:fork" events; it needs only repo:push and those of pull requests that create, update, merge or decline them`)},
	})
}

func TestBitbucketServerPayloadsBecomeEvents(t *testing.T) {
	pr := func(webhook string) Event {
		return unlabelled(with(requested(webhook, "refs/pull-requests/7/from"), func(e *Event) { e.HeadRepository = "TEAM/api" }))
	}
	parts := untitled(push("refs/heads/main", newTip, oldTip))
	parts.Part = parts.Ref
	for _, e := range []Event{untitled(push("refs/tags/v1.0.0", newTip, zeros)), push("refs/heads/fast", "", oldTip)} {
		e.Part = e.Ref
		parts.More = append(parts.More, e)
	}
	repo := Repository{Name: "TEAM/api", Path: "team/api"}
	check(t, repo, []sentCase{{"bitbucket-server/push_old", "repo:refs_changed", untitled(push("refs/heads/main", newTip, oldTip))}})
	repo.URLs = []string{"https://bitbucket.example.com/scm/team/api.git", "ssh://git@bitbucket.example.com:7999/team/api.git"}
	check(t, repo, []sentCase{
		{"bitbucket-server/push", "repo:refs_changed", push("refs/heads/main", newTip, oldTip)},
		{"bitbucket-server/push_new", "repo:refs_changed", untitled(push("refs/heads/fast", newTip, zeros))},
		{"bitbucket-server/push_deleted", "repo:refs_changed", push("refs/heads/fast", "", oldTip)},
		{"bitbucket-server/tag", "repo:refs_changed", untitled(push("refs/tags/v1.0.0", newTip, zeros))},
		{"bitbucket-server/push_several", "repo:refs_changed", parts},
		{"bitbucket-server/pr_opened", "pr:opened", pr(requestCreated)},
		{"bitbucket-server/pr_updated", "pr:from_ref_updated", with(pr(requestUpdated), func(e *Event) { e.Before = oldTip })},
		{"bitbucket-server/pr_modified", "pr:modified", with(pr(""), func(e *Event) { e.Skip = `pull request action "pr:modified" builds nothing: it brings no commits` })},
		{"bitbucket-server/pr_merged", "pr:merged", pr(requestMerged)},
		{"bitbucket-server/pr_declined", "pr:declined", pr(requestClosed)},
		{"bitbucket-server/pr_fork", "pr:opened", with(pr(requestCreated), fork("~MALLORY/api"))},
		{"bitbucket-server/pr_ghost", "pr:opened", with(pr(requestCreated), fork(""))},
		{"bitbucket-server/comment", "pr:comment:added", with(pr(requestUpdated), func(e *Event) { e.Kind, e.Command = Comment, CommandBuild })},
	})
	check(t, Repository{}, []sentCase{{"bitbucket-server/ping", "diagnostics:ping", Event{Kind: Ping}}})
}

func TestGitHubReleasesAndComments(t *testing.T) {
	chat := "the comment's first line is no command: /runner build, /runner retry"
	check(t, Repository{Name: "example/api", URLs: []string{"https://github.com/example/api.git", "git@github.com:example/api.git", "https://github.com/example/api"}}, []sentCase{
		{"github/release", "release", published("RELEASED", "")},
		{"github/prerelease", "release", published("PRERELEASED", "")},
		{"github/release_published", "release", ignoring(`release action "published" builds nothing; released and prereleased do`)},
		{"github/comment", "issue_comment", command(CommandBuild, func(e *Event) { e.Fork, e.Member, e.Ref = true, true, "refs/pull/7/head" })},
		{"github/comment_stranger", "issue_comment", command(CommandBuild, func(e *Event) { e.Fork, e.Ref = true, "refs/pull/7/head" })},
		{"github/comment_chat", "issue_comment", with(ignoring(chat), func(e *Event) { e.Title = "Serve the index faster" })},
		{"github/comment_edited", "issue_comment", ignoring("only a new comment on a pull request can give a command")},
		{"github/comment_issue", "issue_comment", ignoring("only a new comment on a pull request can give a command")},
	})
}

// seeds are all payloads of testdata, each with a header of every forge that says what it is.
func seeds(f *testing.F, name string, add func(event string, body []byte)) {
	f.Helper()
	files, err := filepath.Glob("testdata/" + name + "/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	events := map[string][]string{
		"gitlab": {"Push Hook"}, "gogs": {"push", "create", "pull_request", "release", "issue_comment"},
		"bitbucket":        {"repo:push", "pullrequest:updated", "pullrequest:comment_created"},
		"bitbucket-server": {"repo:refs_changed", "pr:opened", "pr:comment:added", "diagnostics:ping"},
	}
	events["gitea"], events["github"] = events["gogs"], []string{"release", "issue_comment"}
	for _, file := range files {
		for _, event := range events[name] {
			add(event, payload(f, strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".json")))
		}
	}
}

func fuzzParse(f *testing.F, name string) {
	seeds(f, name, func(event string, body []byte) { f.Add(event, body) })
	forge := byName(f, name)
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		header := jsonHeader("")
		header[http.CanonicalHeaderKey(eventHeaders[name])] = []string{event}
		e, err := forge.Parse(header, body)
		e.Repository.Keys()
		if err != nil {
			return
		}
		for _, e := range append([]Event{e}, e.More...) {
			sound(t, e)
		}
	})
}

// sound checks what holds of every event that was read without an error.
func sound(t *testing.T, e Event) {
	t.Helper()
	switch e.Kind {
	case Push, Tag:
		if e.Skip == "" && e.Commit == "" {
			t.Errorf("a %s to build has no commit: %+v", e.Kind, e)
		}
	case PullRequest, Comment:
		if e.PullRequest < 1 {
			t.Errorf("a pull request without a number: %+v", e)
		}
	case Other:
		if e.Ignore == "" {
			t.Errorf("an ignored event has no reason: %+v", e)
		}
		return
	case Ping:
		return
	}
	if checkRef(e.Ref) != nil || (e.Commit != "" && !commitID.MatchString(e.Commit)) {
		t.Errorf("ref %q or commit %q got through", e.Ref, e.Commit)
	}
	for _, text := range append([]string{e.Title, e.Actor, e.ActorID, e.HeadRepository, e.Release, e.Repository.Name}, e.Labels...) {
		if len(text) > maxText || strings.Contains(text, "\n") {
			t.Errorf("%d bytes of text got through: %.40q", len(text), text)
		}
	}
}

func FuzzGitHubMoreParse(f *testing.F)      { fuzzParse(f, "github") }
func FuzzGitLabParse(f *testing.F)          { fuzzParse(f, "gitlab") }
func FuzzGiteaParse(f *testing.F)           { fuzzParse(f, "gitea") }
func FuzzGogsParse(f *testing.F)            { fuzzParse(f, "gogs") }
func FuzzBitbucketParse(f *testing.F)       { fuzzParse(f, "bitbucket") }
func FuzzBitbucketServerParse(f *testing.F) { fuzzParse(f, "bitbucket-server") }
