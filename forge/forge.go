// Package forge turns what a git forge sends into events of ours. Each forge is one type that implements Forge.
//
// A payload is read before anybody knows who sent it: so each forge has the few fields that are needed as types of its
// own, and of each list no more is read than a bounded number of elements. The parsers that go-scm has are not used: they
// panic on a push without commits (Gogs) or a body without a repository (Bitbucket), make hundreds of megabytes of a
// pull request of four (GitHub), take the first of several changes for all of them, compare a fork by a group's display
// name (GitLab), and leave out the commit, the sender's id or both.
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
	// that a sender who proves to know the secret can be told what was wrong. Where a delivery tells of several
	// changes, the first bears the others in More.
	Parse(header http.Header, body []byte) (Event, error)

	// Verify tells whether the delivery was signed with the secret, over the raw bytes of its body, or, where the
	// forge signs nothing, whether it bears the secret. It takes the same time whatever is wrong. An empty secret
	// never verifies.
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
	Release     Kind = "release" // of a tag that is there
	Comment     Kind = "comment" // on a pull request, with a command in it
	Ping        Kind = "ping"    // the forge tries out whether we are there
	Other       Kind = "other"
)

// Event is one delivery in our words.
type Event struct {
	Kind       Kind
	Name       string     // the forge's own word for the event: "push", "issue_comment"
	Repository Repository // that was pushed to, or that the pull request asks to pull into

	Ref         string // refs/heads/…, refs/tags/…, refs/pull/N/head or what the forge has in its place
	HeadRef     string // of a pull request: the branch it comes from, refs/heads/…; else as Ref
	Commit      string // full id to build; empty for a deletion, and where the forge tells none: then the tip of Ref is meant
	Before      string // what Ref pointed to before the push; all zeros for a new ref
	BaseRef     string // of a pull request: refs/heads/… it asks to be pulled into
	PullRequest int
	Fork        bool   // the commit comes from another repository, or that cannot be told
	Webhook     string // CodeBuild's word for it: PUSH, PULL_REQUEST_CREATED, RELEASED, …

	HeadRepository string // of a pull request: "owner/name" that it comes from; empty where that is not told
	Draft          bool   // of a pull request
	Labels         []string

	Release string // of a release: its name

	Title   string // first line of the head commit's message, or the pull request's title
	Message string // of a push: the head commit's, as a whole; empty where the forge sends none
	Actor   string // who did it, by the forge's login name
	ActorID string

	Command string // of a comment: CommandBuild, CommandRetry
	Meant   string // of a command: the first digits of the commit that its author looked at; empty where it says none
	Member  bool   // of a comment: the forge tells that who wrote it belongs to the repository

	Skip   string // why this builds nothing though it is worth a record: "branch deleted"
	Ignore string // of Other: why it is not recorded

	// Part tells the event from the others of its delivery; empty for the only one.
	Part string
	// Same stands in place of the delivery's id where the forge delivers one and the same state again and again
	// under ids that differ.
	Same string
	More []Event // what else the delivery tells of; none of these has More
}

// Repository is the repository that an event is about, under every address that it is known by.
type Repository struct {
	Name string   // "owner/name"
	URLs []string // to clone over HTTP, to clone over SSH, to read in a browser

	// Path is the end that all addresses of the repository have, in lower case, for a forge that does not tell its
	// own address. It counts only where URLs are empty.
	Path string
}

// All returns every forge.
func All() []Forge {
	return []Forge{GitHub{}, GitLab{}, Gitea, Forgejo, Gogs, Bitbucket{}, BitbucketServer{}}
}
