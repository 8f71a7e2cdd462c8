package forge

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// githubPayload is the part of a payload that is needed. The list of commits, which makes up nearly all of a large
// push, is passed over.
type githubPayload struct {
	Ref, Before, After string
	Head               noted // commit
	Action             string
	PullRequest        githubAsked
	Repo               githubRepo
	Deleted            bool
	Sender             githubSender
}

type githubSender struct {
	Login string      `json:"login"`
	ID    json.Number `json:"id,omitempty"`
}

type githubRepo struct {
	FullName string `json:"full_name"`
	CloneURL string `json:"clone_url"`
	SSHURL   string `json:"ssh_url"`
	HTMLURL  string `json:"html_url"`
}

// githubAsked is a pull request.
type githubAsked struct {
	Number int        `json:"number"`
	Title  string     `json:"title"`
	Draft  bool       `json:"draft"`
	Merged bool       `json:"merged"`
	Head   githubEnd  `json:"head"`
	Base   githubEnd  `json:"base"`
	Labels githubList `json:"labels"`
}

type githubList = list[struct {
	Name string `json:"name"`
}]

// githubEnd is one of the two branches of a pull request.
type githubEnd struct {
	Ref  string     `json:"ref"`
	SHA  string     `json:"sha"`
	Repo githubRepo `json:"repo"` // null of a fork that was deleted
}

// readGitHub reads what is needed of a payload, and leaves all else as it is. The repository is read even when something
// else has a wrong type.
func readGitHub(text []byte) (githubPayload, error) {
	var p githubPayload
	parts := [...]struct {
		name string
		into any
		text json.RawMessage
	}{
		{name: "ref", into: &p.Ref}, {name: "before", into: &p.Before}, {name: "after", into: &p.After}, {name: "head_commit", into: &p.Head},
		{name: "action", into: &p.Action}, {name: "pull_request", into: &p.PullRequest}, {name: "deleted", into: &p.Deleted},
		{name: "sender", into: &p.Sender}, {name: "repository", into: &p.Repo},
	}
	fields := make(map[string]*json.RawMessage, len(parts))
	for i := range parts {
		fields[parts[i].name] = &parts[i].text
	}
	err := outline(text, fields)
	for i := range parts {
		if len(parts[i].text) > 0 {
			err = errors.Join(err, json.Unmarshal(parts[i].text, parts[i].into))
		}
	}
	if err != nil {
		return p, fmt.Errorf("the payload is not what GitHub sends: %w", err)
	}
	return p, nil
}

func (p *githubPayload) repository() Repository {
	return Repository{Name: clip(p.Repo.FullName), URLs: []string{p.Repo.CloneURL, p.Repo.SSHURL, p.Repo.HTMLURL}}
}

// push fills in the event of a branch or a tag that was pushed or deleted.
func (p *githubPayload) push(event Event) (Event, error) {
	after := p.After
	if strings.HasPrefix(p.Ref, "refs/tags/") && p.Head.ID != "" && !none(after) {
		after = p.Head.ID // of an annotated tag, after is the tag itself
	}
	return pushed{ref: p.Ref, before: p.Before, after: after, title: p.Head.Message, deleted: p.Deleted}.event(event)
}

// githubActions are the actions on a pull request that may ask for a build, with CodeBuild's words for them.
var githubActions = map[string]string{"opened": requestCreated, "synchronize": requestUpdated, "reopened": requestReopened, "closed": requestClosed}

// pullRequest fills in the event of a pull request. What is built is its head, never the merge.
func (p *githubPayload) pullRequest(event Event) (Event, error) {
	pr := &p.PullRequest
	from := pr.Head.Repo.FullName
	r := request{
		number: pr.Number, commit: pr.Head.SHA, title: pr.Title, draft: pr.Draft, action: p.Action, webhook: githubActions[p.Action],
		ref: fmt.Sprintf("refs/pull/%d/head", pr.Number),
		// A branch that a stranger named "refs/heads/main" is not the branch main.
		head: "refs/heads/" + pr.Head.Ref, base: "refs/heads/" + pr.Base.Ref,
		// What cannot be told is taken for a fork.
		from: from, fork: from == "" || !strings.EqualFold(from, p.Repo.FullName),
	}
	if p.Action == "closed" && pr.Merged {
		r.webhook = requestMerged
	}
	for _, l := range pr.Labels {
		r.labels = append(r.labels, l.Name)
	}
	return r.event(event)
}
