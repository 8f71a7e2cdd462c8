// Package forge turns what a git forge sends into events of ours. Each forge is one type that implements Forge;
// payloads are parsed by go-scm, and nothing of go-scm shows outside of this package.
//
// Whoever receives a webhook takes these steps, in this order:
//
//  1. Parse the body. What it says is not believed yet: the event serves to find out which repository is meant.
//  2. Find the projects whose repository has one of the event's addresses, compared as RepositoryKey gives them.
//  3. Verify the signature with each of their secrets. Those whose secret verifies take part.
//  4. Only then act on the event, or answer with what was wrong in the body.
//
// API is the other direction: what we ask of a forge and tell it, through go-scm's clients. Where go-scm has no request, or
// one that puts a secret into an address, the request is our own.
package forge

import "net/http"

// Forge is one kind of git host. Implementations are safe for use by several goroutines and keep no state.
type Forge interface {
	// Name is the forge's short name, part of the webhook's path and of every delivery id: "github".
	Name() string

	// Parse reads one delivery. With an error the event still bears Repository as far as it could be read, so
	// that a sender who proves to know the secret can be told what was wrong.
	Parse(header http.Header, body []byte) (Event, error)

	// Verify tells whether the delivery was signed with the secret, over the raw bytes of its body. It takes the
	// same time whatever is wrong. An empty secret never verifies.
	Verify(header http.Header, body, secret []byte) bool

	// Delivery returns the id that the forge gave this delivery, the same when it is delivered again, or "".
	Delivery(header http.Header) string
}

// Kind says what happened.
type Kind string

// The kinds of event. Anything that builds nothing and is not worth a record is Other.
const (
	Push        Kind = "push"
	Tag         Kind = "tag"
	PullRequest Kind = "pull_request"
	Ping        Kind = "ping" // the forge tries out whether we are there
	Other       Kind = "other"
)

// Event is one delivery in our words.
type Event struct {
	Kind       Kind
	Name       string     // the forge's own word for the event: "push", "issue_comment"
	Repository Repository // that was pushed to, or that the pull request asks to pull into

	Ref         string // refs/heads/…, refs/tags/…, refs/pull/N/head
	HeadRef     string // of a pull request: the branch it comes from, refs/heads/…; else as Ref
	Commit      string // full id to build; empty for a deletion
	Before      string // what Ref pointed to before the push; all zeros for a new ref
	BaseRef     string // of a pull request: refs/heads/… it asks to be pulled into
	PullRequest int
	Fork        bool   // the commit comes from another repository, or that cannot be told
	Webhook     string // CodeBuild's word for it: PUSH, PULL_REQUEST_CREATED, …

	Title   string // first line of the head commit's message, or the pull request's title
	Actor   string // who did it, by the forge's login name
	ActorID string

	Skip   string // why this builds nothing though it is worth a record: "branch deleted"
	Ignore string // of Other: why it is not recorded
}

// Repository is the repository that an event is about, under every address that it is known by.
type Repository struct {
	Name string   // "owner/name"
	URLs []string // to clone over HTTP, to clone over SSH, to read in a browser
}
