package forge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// BitbucketServer is Bitbucket Server, which is called Data Center now.
type BitbucketServer struct{}

var _ Forge = BitbucketServer{}

// Name returns "bitbucket-server".
func (BitbucketServer) Name() string { return "bitbucket-server" }

// Delivery returns the id of the request that the server sent.
func (BitbucketServer) Delivery(header http.Header) string { return header.Get("X-Request-Id") }

// Verify checks X-Hub-Signature, which is made with SHA-256 here.
func (BitbucketServer) Verify(header http.Header, body, secret []byte) bool {
	return signed(header.Get(bitbucketSignature), "sha256=", body, secret)
}

// stashPayload is what is needed of all payloads.
type stashPayload struct {
	Actor            stashUser
	Repository       stashRepo
	Changes          list[stashChange]
	ToCommit         noted      `json:"toCommit"` // of a push of one ref, by newer servers
	PullRequest      stashAsked `json:"pullRequest"`
	PreviousFromHash string     `json:"previousFromHash"`
	Comment          struct{ Text string }
}

type stashChange struct {
	RefID    string `json:"refId"`
	FromHash string `json:"fromHash"`
	ToHash   string `json:"toHash"`
	Type     string // ADD, UPDATE, DELETE
}

type stashUser struct {
	ID   json.Number `json:"id"`
	Name string
}

// stashRepo is a repository. Older servers leave its addresses out of what they send.
type stashRepo struct {
	ID      json.Number `json:"id"`
	Slug    string
	Project struct{ Key string }
	Links   struct{ Clone list[struct{ Href string }] }
}

type stashAsked struct {
	ID             int `json:"id"`
	Title          string
	Draft          bool
	FromRef, ToRef stashRef
}

type stashRef struct {
	ID           string `json:"id"`
	LatestCommit string
	Repository   stashRepo
}

// maxLinks is how many addresses of a repository are looked at.
const maxLinks = 10

func (r *stashRepo) path() string {
	if r.Project.Key == "" || r.Slug == "" {
		return ""
	}
	return r.Project.Key + "/" + r.Slug
}

func (r *stashRepo) repository() Repository {
	out := Repository{Name: clip(r.path()), Path: strings.ToLower(r.path())}
	for _, l := range r.Links.Clone[:min(len(r.Links.Clone), maxLinks)] {
		out.URLs = append(out.URLs, l.Href)
	}
	return out
}

// stashActions are the events of a pull request, with CodeBuild's words for them.
var stashActions = map[string]string{
	"pr:opened": requestCreated, "pr:from_ref_updated": requestUpdated, "pr:merged": requestMerged, "pr:declined": requestClosed, "pr:deleted": requestClosed,
}

// Parse reads a push, a pull request, a comment or a test of the connection.
func (BitbucketServer) Parse(header http.Header, body []byte) (Event, error) {
	event := Event{Kind: Other, Name: header.Get(bitbucketEvent)}
	text, err := payloadJSON(header, body)
	if err != nil {
		return event, err
	}
	var p stashPayload
	err = read("Bitbucket Server", text, &p)
	repo := p.Repository
	if repo.path() == "" {
		repo = p.PullRequest.ToRef.Repository
	}
	event.Repository = repo.repository()
	if err != nil {
		return event, err
	}
	event.Actor, event.ActorID = clip(p.Actor.Name), clip(p.Actor.ID.String())
	switch event.Name {
	case "diagnostics:ping":
		event.Kind = Ping
		return event, nil
	case "repo:refs_changed":
		return p.push(event)
	case "pr:opened", "pr:from_ref_updated", "pr:modified", "pr:merged", "pr:declined", "pr:deleted":
		r := p.request()
		r.action, r.webhook, r.before = event.Name, stashActions[event.Name], p.PreviousFromHash
		return r.event(event)
	case "pr:comment:added":
		asked := p.request()
		return remark{number: asked.number, ref: asked.ref, text: p.Comment.Text, asked: &asked}.event(event)
	case "":
		return event, fmt.Errorf("the delivery has no %s header", bitbucketEvent)
	}
	return ignored(event, "repo:refs_changed, pr:opened, pr:from_ref_updated, pr:merged and pr:declined, and knows pr:comment:added"), nil
}

func (p *stashPayload) push(event Event) (Event, error) {
	changes := make([]pushed, 0, len(p.Changes))
	for _, c := range p.Changes {
		change := pushed{ref: c.RefID, before: c.FromHash, after: c.ToHash, deleted: c.Type == "DELETE"}
		if p.ToCommit.ID == c.ToHash {
			change.title = p.ToCommit.Message
		}
		changes = append(changes, change)
	}
	return several(event, changes)
}

func (p *stashPayload) request() request {
	a := p.PullRequest
	from, into := a.FromRef.Repository, a.ToRef.Repository
	return request{
		number: a.ID, ref: fmt.Sprintf("refs/pull-requests/%d/from", a.ID), commit: a.FromRef.LatestCommit, title: a.Title, draft: a.Draft,
		head: a.FromRef.ID, base: a.ToRef.ID, from: from.path(), fork: from.ID == "" || from.ID != into.ID,
	}
}
