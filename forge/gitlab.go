package forge

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
)

// GitLab is gitlab.com and any GitLab server.
type GitLab struct{}

var _ Forge = GitLab{}

// Name returns "gitlab".
func (GitLab) Name() string { return "gitlab" }

// Delivery returns GitLab's id of the delivery, the same when it is sent again, and before it the id of the webhook.
func (GitLab) Delivery(header http.Header) string {
	id := cmp.Or(header.Get("Idempotency-Key"), header.Get("X-Gitlab-Event-UUID"))
	if hook := header.Get("X-Gitlab-Webhook-UUID"); hook != "" && id != "" {
		return hook + "/" + id
	}
	return id
}

// Verify checks X-Gitlab-Token, which is the secret itself: GitLab signs nothing with it.
func (GitLab) Verify(header http.Header, _, secret []byte) bool {
	return bears(header.Get("X-Gitlab-Token"), secret)
}

// gitlabPayload is what payloads have in common.
type gitlabPayload struct {
	Kind    string        `json:"object_kind"`
	User    gitlabUser    `json:"user"`
	Project gitlabProject `json:"project"`

	// Of a push, which has no user.
	UserID   json.Number `json:"user_id"`
	Username string      `json:"user_username"`
}

type gitlabUser struct {
	ID       json.Number `json:"id"`
	Username string      `json:"username"`
}

type gitlabProject struct {
	Path string `json:"path_with_namespace"`
	HTTP string `json:"git_http_url"`
	SSH  string `json:"git_ssh_url"`
	Web  string `json:"web_url"`
}

func (p *gitlabProject) repository() Repository {
	return Repository{Name: clip(p.Path), URLs: []string{p.HTTP, p.SSH, p.Web}}
}

// Parse reads a push, a merge request, a release or a note. What it is stands in the body, which is the same whether
// a project's or a group's webhook sends it or the server's system hook.
func (GitLab) Parse(header http.Header, body []byte) (Event, error) {
	event := Event{Kind: Other, Name: header.Get("X-Gitlab-Event")}
	text, err := payloadJSON(header, body)
	if err != nil {
		return event, err
	}
	var p gitlabPayload
	err = read("GitLab", text, &p)
	event.Repository = p.Project.repository()
	if err != nil {
		return event, err
	}
	event.Actor, event.ActorID = clip(cmp.Or(p.User.Username, p.Username)), clip(cmp.Or(p.User.ID, p.UserID).String())
	switch p.Kind {
	case "push", "tag_push":
		return gitlabPush(event, text)
	case "merge_request":
		return gitlabRequest(event, text)
	case "note":
		return gitlabNote(event, text)
	case "release":
		return gitlabRelease(event, text)
	}
	return ignored(event, "push, tag push and merge request events, and knows releases and comments"), nil
}

func gitlabPush(event Event, text []byte) (Event, error) {
	var p struct {
		Ref, Before, After string
		Checkout           string      `json:"checkout_sha"`
		Commits            list[noted] `json:"commits"`
	}
	if err := read("GitLab", text, &p); err != nil {
		return event, err
	}
	after := p.After
	if commitID.MatchString(p.Checkout) && !none(after) {
		after = p.Checkout // of an annotated tag, after is the tag itself
	}
	return pushed{ref: p.Ref, before: p.Before, after: after, title: messageOf(p.Commits, after)}.event(event)
}

// gitlabAsked is a merge request, as its own events and those of its comments bear it.
type gitlabAsked struct {
	Number       int               `json:"iid"`
	Title        string            `json:"title"`
	SourceBranch string            `json:"source_branch"`
	TargetBranch string            `json:"target_branch"`
	SourceID     json.Number       `json:"source_project_id"`
	TargetID     json.Number       `json:"target_project_id"`
	Source       gitlabProject     `json:"source"`
	LastCommit   noted             `json:"last_commit"`
	Draft        bool              `json:"draft"`
	WorkOngoing  bool              `json:"work_in_progress"`
	Labels       list[gitlabLabel] `json:"labels"`
}

type gitlabLabel struct {
	Title string `json:"title"`
}

func (a *gitlabAsked) request() request {
	r := request{
		number: a.Number, ref: fmt.Sprintf("refs/merge-requests/%d/head", a.Number), commit: a.LastCommit.ID, title: a.Title,
		head: "refs/heads/" + a.SourceBranch, base: "refs/heads/" + a.TargetBranch, from: a.Source.Path,
		// The ids are GitLab's own and never change; where one is missing, nobody can tell.
		fork:  a.SourceID == "" || a.SourceID == "0" || a.SourceID != a.TargetID,
		draft: a.Draft || a.WorkOngoing,
	}
	for _, l := range a.Labels {
		r.labels = append(r.labels, l.Title)
	}
	return r
}

// gitlabActions are the actions on a merge request that may ask for a build, with CodeBuild's words for them.
var gitlabActions = map[string]string{"open": requestCreated, "reopen": requestReopened, "merge": requestMerged, "close": requestClosed}

func gitlabRequest(event Event, text []byte) (Event, error) {
	var p struct {
		Attributes struct {
			gitlabAsked
			Action string `json:"action"`
			OldRev string `json:"oldrev"` // of an update: the head before it, where that changed
		} `json:"object_attributes"`
		Labels list[gitlabLabel] `json:"labels"`
	}
	if err := read("GitLab", text, &p); err != nil {
		return event, err
	}
	if len(p.Attributes.Labels) == 0 {
		p.Attributes.Labels = p.Labels
	}
	r := p.Attributes.request()
	r.action, r.webhook, r.before = p.Attributes.Action, gitlabActions[p.Attributes.Action], p.Attributes.OldRev
	if r.action == "update" && r.before != "" {
		r.webhook = requestUpdated
	}
	return r.event(event)
}

// gitlabNote reads a comment. GitLab does not tell how its author belongs to the project.
func gitlabNote(event Event, text []byte) (Event, error) {
	var p struct {
		Attributes struct {
			Note   string `json:"note"`
			On     string `json:"noteable_type"`
			Action string `json:"action"` // older servers leave it out, and report new notes alone
		} `json:"object_attributes"`
		Request gitlabAsked `json:"merge_request"`
	}
	if err := read("GitLab", text, &p); err != nil {
		return event, err
	}
	if p.Attributes.On != "MergeRequest" || (p.Attributes.Action != "" && p.Attributes.Action != "create") {
		event.Ignore = "only a new comment on a merge request can give a command"
		return event, nil
	}
	asked := p.Request.request()
	return remark{number: asked.number, ref: asked.ref, text: p.Attributes.Note, asked: &asked}.event(event)
}

func gitlabRelease(event Event, text []byte) (Event, error) {
	var p struct {
		Action, Tag, Name string
		Commit            noted `json:"commit"`
	}
	if err := read("GitLab", text, &p); err != nil {
		return event, err
	}
	if p.Action != "create" {
		event.Ignore = fmt.Sprintf("release action %q builds nothing; create does", clip(p.Action))
		return event, nil
	}
	return release{tag: p.Tag, title: p.Name, commit: p.Commit.ID}.event(event)
}
