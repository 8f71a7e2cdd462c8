package forge

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// gogsLike is Gogs, or one of those that came from it: their payloads are alike, their headers begin differently.
type gogsLike struct {
	name     string
	prefixes []string // of the headers, the first that is there counts
}

// Gitea, Forgejo and Gogs.
var (
	Gitea   Forge = gogsLike{"gitea", []string{"X-Gitea-"}}
	Forgejo Forge = gogsLike{"forgejo", []string{"X-Forgejo-", "X-Gitea-"}}
	Gogs    Forge = gogsLike{"gogs", []string{"X-Gogs-"}}
)

// Name returns "gitea", "forgejo" or "gogs".
func (g gogsLike) Name() string { return g.name }

// header returns the value of one of the forge's own headers.
func (g gogsLike) header(header http.Header, name string) string {
	for _, prefix := range g.prefixes {
		if value := header.Get(prefix + name); value != "" {
			return value
		}
	}
	return ""
}

// Delivery returns the forge's id of the delivery.
func (g gogsLike) Delivery(header http.Header) string { return g.header(header, "Delivery") }

// Verify checks the forge's own signature, or X-Hub-Signature-256 where that stands in its place. Of a form they are
// made over the payload in it, not over the body.
func (g gogsLike) Verify(header http.Header, body, secret []byte) bool {
	if text, err := payloadJSON(header, body); err == nil {
		body = text
	}
	if value := g.header(header, "Signature"); value != "" {
		return signed(value, "", body, secret)
	}
	return signed(header.Get("X-Hub-Signature-256"), "sha256=", body, secret)
}

// gogsPayload is what payloads have in common.
type gogsPayload struct {
	Action     string
	Repository gogsRepo
	Sender     gogsUser
}

type gogsRepo struct {
	ID       json.Number `json:"id"`
	FullName string      `json:"full_name"`
	CloneURL string      `json:"clone_url"`
	SSHURL   string      `json:"ssh_url"`
	HTMLURL  string      `json:"html_url"`
	Owner    gogsUser    `json:"owner"`
}

type gogsUser struct {
	ID       json.Number `json:"id"`
	Login    string      `json:"login"`
	Username string      `json:"username"`
}

// Parse reads a push, a pull request, a release or a comment; of Gogs, which reports tags in no other way, also what
// was created or deleted.
func (g gogsLike) Parse(header http.Header, body []byte) (Event, error) {
	event := Event{Kind: Other, Name: g.header(header, "Event")}
	text, err := payloadJSON(header, body)
	if err != nil {
		return event, err
	}
	var p gogsPayload
	err = read(g.name, text, &p)
	r := p.Repository
	event.Repository = Repository{Name: clip(r.FullName), URLs: []string{r.CloneURL, r.SSHURL, r.HTMLURL}}
	if err != nil {
		return event, err
	}
	event.Actor, event.ActorID = clip(cmp.Or(p.Sender.Login, p.Sender.Username)), clip(p.Sender.ID.String())
	switch event.Name {
	case "push":
		return g.push(event, text)
	case "create", "delete":
		return g.ref(event, text)
	case "pull_request":
		return g.pullRequest(event, text, p)
	case "release":
		return g.release(event, text, p)
	case "issue_comment":
		return g.comment(event, text, p)
	case "":
		return event, fmt.Errorf("the delivery has no %sEvent header; deliver it to the path of the forge that sent it", g.prefixes[0])
	}
	return ignored(event, "push, create, delete and pull_request, and knows release and issue_comment"), nil
}

func (g gogsLike) push(event Event, text []byte) (Event, error) {
	var p struct {
		Ref, Before, After string
		Head               noted       `json:"head_commit"`
		Commits            list[noted] `json:"commits"`
	}
	if err := read(g.name, text, &p); err != nil {
		return event, err
	}
	if p.Before == p.After && p.Before != "" {
		event.Kind = Ping // "Test delivery" is a push of nothing
		return event, nil
	}
	title := messageOf(append(p.Commits, p.Head), p.After)
	return pushed{ref: p.Ref, before: p.Before, after: p.After, title: title}.event(event)
}

// ref reads that a branch or a tag was created or deleted. Where a push tells of it, too, that is what counts: of
// branches that were created always, of tags everywhere but at Gogs.
func (g gogsLike) ref(event Event, text []byte) (Event, error) {
	var p struct {
		Ref     string
		RefType string `json:"ref_type"`
		SHA     string `json:"sha"`
	}
	if err := read(g.name, text, &p); err != nil {
		return event, err
	}
	change := pushed{before: nothing, after: p.SHA}
	if event.Name == "delete" {
		change = pushed{deleted: true}
	}
	switch {
	case p.RefType == "branch" && change.deleted:
		change.ref = "refs/heads/" + p.Ref
	case p.RefType == "tag" && g.name == "gogs":
		change.ref = "refs/tags/" + p.Ref
	default:
		event.Ignore = fmt.Sprintf("a push tells of the %s, too", clip(p.RefType))
		return event, nil
	}
	return change.event(event)
}

// gogsAsked is a pull request. Gogs writes its branches beside one another, the others in head and base.
type gogsAsked struct {
	Number     int
	Title      string
	Draft      bool
	Merged     bool
	Labels     list[struct{ Name string }]
	Head, Base gogsBranch
	HeadBranch string   `json:"head_branch"`
	BaseBranch string   `json:"base_branch"`
	HeadRepo   gogsRepo `json:"head_repo"`
}

type gogsBranch struct {
	Label string
	Ref   string
	SHA   string `json:"sha"`
	Repo  gogsRepo
}

func (g gogsLike) request(a *gogsAsked, into gogsRepo) request {
	from, head, base := a.Head.Repo, a.Head.Ref, a.Base.Ref
	if g.name == "gogs" {
		from, head, base = a.HeadRepo, a.HeadBranch, a.BaseBranch
	}
	title := strings.ToUpper(strings.TrimLeft(a.Title, " ["))
	r := request{
		number: a.Number, ref: fmt.Sprintf("refs/pull/%d/head", a.Number), commit: a.Head.SHA, title: a.Title,
		head: "refs/heads/" + head, base: "refs/heads/" + base, from: from.FullName, tip: g.name == "gogs",
		fork:  from.ID == "" || from.ID == "0" || from.ID != into.ID,
		draft: a.Draft || strings.HasPrefix(title, "WIP:") || strings.HasPrefix(title, "WIP]"),
	}
	if strings.HasPrefix(head, "refs/") || (g.name != "gogs" && a.Head.Label == "") {
		// Nobody needs the right to write for a pull request without a branch (AGit): it says that it comes from
		// this very repository. One whose branch is gone looks the same.
		r.fork, r.head, r.from = true, r.ref, ""
	}
	for _, l := range a.Labels {
		r.labels = append(r.labels, l.Name)
	}
	return r
}

// gogsActions are the actions on a pull request that may ask for a build, with CodeBuild's words for them.
var gogsActions = map[string]string{"opened": requestCreated, "synchronized": requestUpdated, "reopened": requestReopened, "closed": requestClosed}

func (g gogsLike) pullRequest(event Event, text []byte, common gogsPayload) (Event, error) {
	var p struct {
		PullRequest gogsAsked `json:"pull_request"`
	}
	if err := read(g.name, text, &p); err != nil {
		return event, err
	}
	r := g.request(&p.PullRequest, common.Repository)
	r.action, r.webhook = common.Action, gogsActions[common.Action]
	if r.action == "closed" && p.PullRequest.Merged {
		r.webhook = requestMerged
	}
	return r.event(event)
}

func (g gogsLike) release(event Event, text []byte, common gogsPayload) (Event, error) {
	var p struct {
		Release struct {
			TagName    string `json:"tag_name"`
			Name       string
			Draft      bool
			Prerelease bool
		}
	}
	if err := read(g.name, text, &p); err != nil {
		return event, err
	}
	if common.Action != "published" || p.Release.Draft {
		event.Ignore = fmt.Sprintf("release action %q builds nothing; published does", clip(common.Action))
		return event, nil
	}
	return release{tag: p.Release.TagName, title: p.Release.Name, pre: p.Release.Prerelease}.event(event)
}

// comment reads a comment. Of its author no more is told than who it is: so only a repository's owner is known to
// belong to it. Newer servers tell the pull request's head.
func (g gogsLike) comment(event Event, text []byte, common gogsPayload) (Event, error) {
	var p struct {
		Issue struct {
			Number      int
			Title       string
			PullRequest *struct{} `json:"pull_request"`
		}
		PullRequest *gogsAsked `json:"pull_request"`
		Comment     struct {
			Body string
			User gogsUser
		}
	}
	if err := read(g.name, text, &p); err != nil {
		return event, err
	}
	if common.Action != "created" || p.Issue.PullRequest == nil {
		event.Ignore = "only a new comment on a pull request can give a command"
		return event, nil
	}
	event.Title = clip(p.Issue.Title)
	author, owner := p.Comment.User.ID, common.Repository.Owner.ID
	r := remark{
		number: p.Issue.Number, ref: fmt.Sprintf("refs/pull/%d/head", p.Issue.Number), text: p.Comment.Body,
		member: author != "" && author != "0" && author == owner,
	}
	if p.PullRequest != nil && p.PullRequest.Head.SHA != "" {
		asked := g.request(p.PullRequest, common.Repository)
		r.asked = &asked
	}
	return r.event(event)
}
