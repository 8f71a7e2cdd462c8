package forge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Webhook is a webhook of a repository, as its forge has it.
type Webhook struct {
	ID     string
	Target string // the address that is told
	Active bool
	Events []string // in the forge's words
}

// ErrNoTest is what TestWebhook returns for a forge whose API cannot send a test.
var ErrNoTest = errors.New("its API has no way to send a test delivery")

// webhookAPI is how one forge's webhooks are written. Paths begin at the API's base, and hold the repository already.
type webhookAPI struct {
	events []string // that we want
	list   string   // path, with %s for the repository
	query  string   // of the list, for the largest page
	update string   // method that replaces one
	test   string   // path below one that has it send a test, "" where there is none
	// keepsSecret says that an update leaves the secret as it was, so that a webhook is made anew instead.
	keepsSecret bool
	// body is a webhook as it is created.
	body func(target, secret string, events []string) map[string]any
	// read takes the list apart.
	read func(text json.RawMessage) ([]Webhook, error)
}

var giteaEvents = []string{"push", "delete", "pull_request", "release", "issue_comment"}

// webhookAPIs are written from each forge's public documentation. The secret stands in the body alone, never in an address.
var webhookAPIs = map[string]webhookAPI{
	NameGitHub: {
		events: []string{"push", "pull_request", "release", "issue_comment"}, list: "repos/%s/hooks", query: "per_page=100", update: http.MethodPatch, test: "pings",
		body: func(target, secret string, events []string) map[string]any {
			return map[string]any{"name": "web", "active": true, "events": events, "config": configOf(target, secret, "insecure_ssl", "0")}
		},
		read: readConfigured,
	},
	NameGitea: {
		events: giteaEvents, list: "api/v1/repos/%s/hooks", query: "limit=50", update: http.MethodPatch, test: "tests", keepsSecret: true,
		body: func(target, secret string, events []string) map[string]any {
			return map[string]any{"type": "gitea", "active": true, "events": events, "config": configOf(target, secret)}
		},
		read: readConfigured,
	},
	NameGogs: {
		events: append([]string{"create"}, giteaEvents...), list: "api/v1/repos/%s/hooks", update: http.MethodPatch, keepsSecret: true,
		body: func(target, secret string, events []string) map[string]any {
			return map[string]any{"type": "gogs", "active": true, "events": events, "config": configOf(target, secret)}
		},
		read: readConfigured,
	},
	NameGitLab: {
		events: []string{"push_events", "tag_push_events", "merge_requests_events", "note_events", "releases_events"},
		list:   "api/v4/projects/%s/hooks", query: "per_page=100", update: http.MethodPut, test: "test/push_events",
		body: func(target, secret string, events []string) map[string]any {
			out := map[string]any{"url": target, "token": secret, "enable_ssl_verification": true}
			for _, e := range events {
				out[e] = true
			}
			return out
		},
		read: readGitLabHooks,
	},
	NameBitbucket: {
		events: []string{"repo:push", "pullrequest:created", "pullrequest:updated", "pullrequest:fulfilled", "pullrequest:rejected", "pullrequest:comment_created"},
		list:   "2.0/repositories/%s/hooks", query: "pagelen=100", update: http.MethodPut,
		body: func(target, secret string, events []string) map[string]any {
			return map[string]any{"description": "Runner", "url": target, "active": true, "secret": secret, "events": events}
		},
		read: readListed,
	},
	NameBitbucketServer: {
		events: []string{"repo:refs_changed", "pr:opened", "pr:from_ref_updated", "pr:merged", "pr:declined", "pr:deleted", "pr:comment:added"},
		list:   "rest/api/1.0/projects/%s/webhooks", query: "limit=100", update: http.MethodPut, test: "test",
		body: func(target, secret string, events []string) map[string]any {
			return map[string]any{"name": "Runner", "url": target, "active": true, "events": events, "configuration": map[string]any{"secret": secret}}
		},
		read: readListed,
	},
}

func configOf(target, secret string, more ...string) map[string]any {
	out := map[string]any{"url": target, "content_type": "json", "secret": secret}
	for i := 0; i+1 < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

func webhooksOf(forge string) (webhookAPI, error) {
	if forge == NameForgejo {
		forge = NameGitea
	}
	w, ok := webhookAPIs[forge]
	if !ok {
		return webhookAPI{}, fmt.Errorf("%q is no forge", clip(forge))
	}
	return w, nil
}

// WebhookEvents are the events that a webhook for us needs, in the forge's words.
func WebhookEvents(forge string) []string {
	w, _ := webhooksOf(forge)
	return slices.Clone(w.events)
}

// path is where a repository's webhooks are.
func (a *API) path(w webhookAPI, repository string) string {
	parts := strings.Split(repository, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	name := strings.Join(parts, "/")
	switch a.Forge {
	case NameGitLab:
		name = strings.ReplaceAll(name, "/", "%2F")
	case NameBitbucketServer:
		name = strings.Replace(name, "/", "/repos/", 1)
	}
	return fmt.Sprintf(w.list, name)
}

// Webhooks lists the webhooks of a repository, a page of the largest size.
func (a *API) Webhooks(ctx context.Context, repository string) ([]Webhook, error) {
	w, err := webhooksOf(a.Forge)
	if err != nil {
		return nil, err
	}
	path := a.path(w, repository)
	if w.query != "" {
		path += "?" + w.query
	}
	var text json.RawMessage
	if err := a.ask(ctx, "listing the webhooks of "+clip(repository), http.MethodGet, path, nil, &text); err != nil {
		return nil, err
	}
	hooks, err := w.read(text)
	if err != nil {
		return nil, fmt.Errorf("listing the webhooks of %s at %s: what answered is no list of webhooks", clip(repository), hostOf(a.Base))
	}
	return hooks, nil
}

// PutWebhook makes the webhook that tells a target, signed with the secret, or brings the one that is there up to date: there
// is one afterwards, however often it is called. Of a forge that lets no secret be changed, the one that is there goes first.
func (a *API) PutWebhook(ctx context.Context, repository, target, secret string) (hook Webhook, created bool, err error) {
	w, err := webhooksOf(a.Forge)
	if err != nil {
		return Webhook{}, false, err
	}
	found, err := a.find(ctx, repository, target)
	if err != nil {
		return Webhook{}, false, err
	}
	body, path := w.body(target, secret, w.events), a.path(w, repository)
	created = found == nil
	if found != nil && w.keepsSecret {
		if _, err := a.RemoveWebhook(ctx, repository, target); err != nil {
			return Webhook{}, false, err
		}
	} else if found != nil {
		err := hiding(secret, a.ask(ctx, "updating the webhook of "+clip(repository), w.update, path+"/"+url.PathEscape(found.ID), body, nil))
		return Webhook{ID: found.ID, Target: target, Active: true, Events: w.events}, false, err
	}
	if err := hiding(secret, a.ask(ctx, "creating a webhook of "+clip(repository), http.MethodPost, path, body, nil)); err != nil {
		return Webhook{}, false, err
	}
	if found, err = a.find(ctx, repository, target); err != nil {
		return Webhook{}, created, err
	}
	if found == nil {
		return Webhook{}, created, fmt.Errorf("creating a webhook of %s at %s: it was accepted, and is not in the list of webhooks", clip(repository), hostOf(a.Base))
	}
	return *found, created, nil
}

// hiding takes a secret that was sent out of what a forge answered, which stays an *APIError.
func hiding(secret string, err error) error {
	var answered *APIError
	if secret != "" && errors.As(err, &answered) {
		answered.Message = strings.ReplaceAll(answered.Message, secret, "***")
	}
	return err
}

// RightWebhook tells whether the webhook that tells a target is there, active, and told of all that we need. Its secret no
// forge tells.
func (a *API) RightWebhook(ctx context.Context, repository, target string) (bool, error) {
	found, err := a.find(ctx, repository, target)
	if err != nil || found == nil || !found.Active {
		return false, err
	}
	for _, e := range WebhookEvents(a.Forge) {
		if !slices.Contains(found.Events, e) {
			return false, nil
		}
	}
	return true, nil
}

// RemoveWebhook removes the webhook that tells a target, and tells whether there was one.
func (a *API) RemoveWebhook(ctx context.Context, repository, target string) (removed bool, err error) {
	w, err := webhooksOf(a.Forge)
	if err != nil {
		return false, err
	}
	found, err := a.find(ctx, repository, target)
	if err != nil || found == nil {
		return false, err
	}
	err = a.ask(ctx, "removing the webhook of "+clip(repository), http.MethodDelete, a.path(w, repository)+"/"+url.PathEscape(found.ID), nil, nil)
	return err == nil, err
}

// TestWebhook has the forge deliver something to a webhook. The error is ErrNoTest where its API cannot.
func (a *API) TestWebhook(ctx context.Context, repository string, hook Webhook) error {
	w, err := webhooksOf(a.Forge)
	if err != nil {
		return err
	}
	if w.test == "" {
		return ErrNoTest
	}
	path := a.path(w, repository) + "/" + url.PathEscape(hook.ID) + "/" + w.test
	if a.Forge == NameBitbucketServer {
		path = a.path(w, repository) + "/test?" + url.Values{"webhookId": {hook.ID}, "url": {hook.Target}}.Encode()
	}
	return a.ask(ctx, "testing the webhook of "+clip(repository), http.MethodPost, path, nil, nil)
}

// FindWebhook returns the webhook that tells a target, nil where there is none.
func (a *API) FindWebhook(ctx context.Context, repository, target string) (*Webhook, error) {
	return a.find(ctx, repository, target)
}

func (a *API) find(ctx context.Context, repository, target string) (*Webhook, error) {
	all, err := a.Webhooks(ctx, repository)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Target == target {
			return &all[i], nil
		}
	}
	return nil, nil
}

// readConfigured reads a list of GitHub's form, which Gitea and Gogs have too.
func readConfigured(text json.RawMessage) ([]Webhook, error) {
	var rows []struct {
		ID     json.Number `json:"id"`
		Active bool        `json:"active"`
		Events []string    `json:"events"`
		Config struct {
			URL string `json:"url"`
		} `json:"config"`
	}
	err := json.Unmarshal(text, &rows)
	var out []Webhook
	for _, r := range rows {
		out = append(out, Webhook{r.ID.String(), r.Config.URL, r.Active, r.Events})
	}
	return out, err
}

// readGitLabHooks reads GitLab's list, in which each event is a field.
func readGitLabHooks(text json.RawMessage) ([]Webhook, error) {
	var rows []map[string]any
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, err
	}
	var out []Webhook
	for _, r := range rows {
		id, _ := r["id"].(float64)
		target, _ := r["url"].(string)
		status, _ := r["alert_status"].(string)
		hook := Webhook{ID: fmt.Sprintf("%.0f", id), Target: target, Active: status == "" || status == "executable"}
		for name, on := range r {
			if on == true && strings.HasSuffix(name, "_events") {
				hook.Events = append(hook.Events, name)
			}
		}
		slices.Sort(hook.Events)
		out = append(out, hook)
	}
	return out, nil
}

// readListed reads a page of Bitbucket's, Cloud and Server.
func readListed(text json.RawMessage) ([]Webhook, error) {
	var page struct {
		Values []struct {
			ID     json.Number `json:"id"`
			UUID   string      `json:"uuid"`
			URL    string      `json:"url"`
			Active bool        `json:"active"`
			Events []string    `json:"events"`
		} `json:"values"`
	}
	err := json.Unmarshal(text, &page)
	var out []Webhook
	for _, r := range page.Values {
		id := r.UUID
		if id == "" {
			id = r.ID.String()
		}
		out = append(out, Webhook{id, r.URL, r.Active, r.Events})
	}
	return out, err
}
