package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
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

// commitID is a full object id, SHA-1 or SHA-256.
var commitID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

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
	if err := checkRef(hook.Ref); err != nil {
		return event, err
	}
	event.Kind, event.Webhook = Push, "PUSH"
	event.Ref, event.HeadRef = hook.Ref, hook.Ref
	event.Title = clip(hook.Commit.Message)
	what := "branch"
	switch {
	case strings.HasPrefix(hook.Ref, "refs/tags/"):
		event.Kind, what = Tag, "tag"
	case !strings.HasPrefix(hook.Ref, "refs/heads/"):
		event.Skip = "the ref is neither a branch nor a tag"
	}
	if commitID.MatchString(hook.Before) {
		event.Before = hook.Before
	}
	if p.Deleted || (hook.After != "" && strings.Trim(hook.After, "0") == "") {
		event.Skip = what + " deleted"
		return event, nil
	}
	if !commitID.MatchString(hook.After) {
		return event, fmt.Errorf("the pushed commit %q is no full commit id", clip(hook.After))
	}
	event.Commit = hook.After
	return event, nil
}

// pullRequestEvents are the actions that ask for a build, with CodeBuild's words for them.
var pullRequestEvents = map[string]string{
	"opened":      "PULL_REQUEST_CREATED",
	"synchronize": "PULL_REQUEST_UPDATED",
	"reopened":    "PULL_REQUEST_REOPENED",
}

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
	if pr.Number < 1 {
		return event, fmt.Errorf("the pull request's number is %d, which is none", pr.Number)
	}
	if !commitID.MatchString(pr.Sha) {
		return event, fmt.Errorf("the pull request's head %q is no full commit id", clip(pr.Sha))
	}
	event.Kind, event.Webhook = PullRequest, pullRequestEvents[p.Action]
	event.Ref = fmt.Sprintf("refs/pull/%d/head", pr.Number)
	// Not go-scm's expanded paths: they take a branch that a stranger named "refs/heads/main" for the branch main.
	event.HeadRef, event.BaseRef = "refs/heads/"+pr.Head.Name, "refs/heads/"+pr.Base.Name
	if err := errors.Join(checkRef(event.HeadRef), checkRef(event.BaseRef)); err != nil {
		return event, err
	}
	event.Commit, event.PullRequest, event.Title = pr.Sha, pr.Number, clip(pr.Title)
	// A fork that was deleted since is null in the payload; what cannot be told is taken for a fork.
	event.Fork = pr.Fork == "" || !strings.EqualFold(pr.Fork, p.Repo.FullName)
	if event.Webhook == "" {
		event.Skip = fmt.Sprintf("pull request action %q builds nothing; opened, synchronize and reopened do", clip(p.Action))
	}
	return event, nil
}

// checkRef refuses what cannot be a full ref's name, so that nothing else comes near git or a terminal.
func checkRef(ref string) error {
	bad := func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r) }
	switch {
	case !strings.HasPrefix(ref, "refs/") || len(ref) > 1024 || strings.HasSuffix(ref, "/"),
		strings.Contains(ref, ".."), strings.Contains(ref, "//"), strings.ContainsFunc(ref, bad):
		return fmt.Errorf("the ref %q is no full name of a ref, like refs/heads/main", clip(ref))
	}
	return nil
}
