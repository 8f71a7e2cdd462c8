package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/drone/go-scm/scm"
	"github.com/drone/go-scm/scm/driver/github"
)

// githubPayload is the part of a payload that go-scm leaves out, and the raw parts that it reads. The list of
// commits is left behind here: it makes up nearly all of a large push, which may have 25 MB while go-scm reads 10,
// and nothing of it is needed.
type githubPayload struct {
	Ref         json.RawMessage `json:"ref,omitempty"`
	BaseRef     json.RawMessage `json:"base_ref,omitempty"`
	Before      json.RawMessage `json:"before,omitempty"`
	After       json.RawMessage `json:"after,omitempty"`
	HeadCommit  json.RawMessage `json:"head_commit,omitempty"`
	Action      string          `json:"action,omitempty"`
	Number      json.RawMessage `json:"number,omitempty"`
	PullRequest json.RawMessage `json:"pull_request,omitempty"`
	Repository  json.RawMessage `json:"repository,omitempty"`

	Deleted bool         `json:"deleted,omitempty"`
	Sender  githubSender `json:"sender"`
	Repo    githubRepo   `json:"-"`
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

// readGitHub reads a payload's outline. The repository is read even when something else in it has a wrong type.
func readGitHub(text []byte) (githubPayload, error) {
	var p githubPayload
	var action, deleted, sender json.RawMessage
	err := outline(text, map[string]*json.RawMessage{
		"ref": &p.Ref, "base_ref": &p.BaseRef, "before": &p.Before, "after": &p.After, "head_commit": &p.HeadCommit,
		"number": &p.Number, "pull_request": &p.PullRequest, "repository": &p.Repository,
		"action": &action, "deleted": &deleted, "sender": &sender,
	})
	for _, part := range []struct {
		text json.RawMessage
		into any
	}{{action, &p.Action}, {deleted, &p.Deleted}, {sender, &p.Sender}} {
		if len(part.text) > 0 {
			err = errors.Join(err, json.Unmarshal(part.text, part.into))
		}
	}
	if len(p.Repository) > 0 {
		err = errors.Join(err, json.Unmarshal(p.Repository, &p.Repo))
	}
	if err != nil {
		return p, fmt.Errorf("the payload is not what GitHub sends: %w", err)
	}
	return p, nil
}

func (p *githubPayload) repository() Repository {
	return Repository{Name: clip(p.Repo.FullName), URLs: []string{p.Repo.CloneURL, p.Repo.SSHURL, p.Repo.HTMLURL}}
}

// parse hands the payload to go-scm. The signature is the caller's to verify, over the bytes as they came.
func (p *githubPayload) parse(event string) (scm.Webhook, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "/", io.NopCloser(bytes.NewReader(text)))
	if err != nil {
		return nil, err
	}
	req.Header.Set(githubEvent, event)
	hook, err := github.NewDefault().Webhooks.Parse(req, func(scm.Webhook) (string, error) { return "", nil })
	if err != nil {
		return nil, fmt.Errorf("the payload is not what GitHub sends: %w", err)
	}
	return hook, nil
}

// push fills in the event of a branch or a tag that was pushed or deleted.
func (p *githubPayload) push(event Event) (Event, error) {
	p.Repository = nil // it has been read, and is most of a small push
	parsed, err := p.parse("push")
	if err != nil {
		return event, err
	}
	hook, ok := parsed.(*scm.PushHook)
	if !ok {
		return event, fmt.Errorf("the payload was read as %T, not as a push", parsed)
	}
	return pushed{
		ref: hook.Ref, before: hook.Before, after: hook.After, title: hook.Commit.Message, deleted: p.Deleted,
	}.event(event)
}

// githubActions are the actions on a pull request that may ask for a build, with CodeBuild's words for them.
var githubActions = map[string]string{"opened": requestCreated, "synchronize": requestUpdated, "reopened": requestReopened, "closed": requestClosed}

// pullRequest fills in the event of a pull request. What is built is its head, never the merge.
func (p *githubPayload) pullRequest(event Event) (Event, error) {
	parsed, err := p.parse("pull_request")
	if err != nil {
		return event, err
	}
	hook, ok := parsed.(*scm.PullRequestHook)
	if !ok {
		return event, fmt.Errorf("the payload was read as %T, not as a pull request", parsed)
	}
	pr := hook.PullRequest
	r := request{
		number: pr.Number, commit: pr.Sha, title: pr.Title, draft: pr.Draft, action: p.Action, webhook: githubActions[p.Action],
		ref: fmt.Sprintf("refs/pull/%d/head", pr.Number),
		// Not go-scm's expanded paths: they take a branch that a stranger named "refs/heads/main" for the branch main.
		head: "refs/heads/" + pr.Head.Name, base: "refs/heads/" + pr.Base.Name,
		// A fork that was deleted since is null in the payload; what cannot be told is taken for a fork.
		from: pr.Fork, fork: pr.Fork == "" || !strings.EqualFold(pr.Fork, p.Repo.FullName),
	}
	if p.Action == "closed" && pr.Merged {
		r.webhook = requestMerged
	}
	for _, l := range pr.Labels {
		r.labels = append(r.labels, l.Name)
	}
	return r.event(event)
}
