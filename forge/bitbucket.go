package forge

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
)

// Bitbucket is Bitbucket Cloud.
type Bitbucket struct{}

var _ Forge = Bitbucket{}

// The headers of a delivery, of which Bitbucket Server has two under the same name.
const (
	bitbucketEvent     = "X-Event-Key"
	bitbucketSignature = "X-Hub-Signature"
)

// Name returns "bitbucket".
func (Bitbucket) Name() string { return "bitbucket" }

// Delivery returns Bitbucket's id of the delivery, which another attempt at it shares, and before it the webhook's.
func (Bitbucket) Delivery(header http.Header) string {
	id := header.Get("X-Request-UUID")
	if hook := header.Get("X-Hook-UUID"); hook != "" && id != "" {
		return hook + "/" + id
	}
	return id
}

// Verify checks X-Hub-Signature, which is made with SHA-256 here.
func (Bitbucket) Verify(header http.Header, body, secret []byte) bool {
	return signed(header.Get(bitbucketSignature), "sha256=", body, secret)
}

// bitbucketPayload is what is needed of all payloads.
type bitbucketPayload struct {
	Actor       bitbucketUser
	Repository  bitbucketRepo
	Push        struct{ Changes list[bitbucketChange] }
	PullRequest bitbucketAsked `json:"pullrequest"`
	Comment     struct{ Content struct{ Raw string } }
}

type bitbucketUser struct {
	AccountID string `json:"account_id"`
	UUID      string `json:"uuid"`
	Nickname  string `json:"nickname"`
	Name      string `json:"display_name"`
}

type bitbucketRepo struct {
	FullName string `json:"full_name"`
	UUID     string `json:"uuid"`
	Links    struct{ HTML struct{ Href string } }
}

// bitbucketChange is one ref of a push. Old is null of a new one, New of a deleted one.
type bitbucketChange struct {
	Old, New *struct {
		Type   string // branch, tag, annotated_tag
		Name   string
		Target struct{ Hash, Message string }
	}
}

type bitbucketAsked struct {
	ID          int `json:"id"`
	Title       string
	Draft       bool
	Source      bitbucketEnd
	Destination bitbucketEnd
}

type bitbucketEnd struct {
	Branch     struct{ Name string }
	Commit     struct{ Hash string } // its first twelve digits
	Repository bitbucketRepo
}

// Parse reads a push, a pull request or a comment.
func (b Bitbucket) Parse(header http.Header, body []byte) (Event, error) {
	event := Event{Kind: Other, Name: header.Get(bitbucketEvent)}
	text, err := payloadJSON(header, body)
	if err != nil {
		return event, err
	}
	var p bitbucketPayload
	err = read("Bitbucket", text, &p)
	event.Repository = Repository{Name: clip(p.Repository.FullName), URLs: []string{p.Repository.Links.HTML.Href}}
	if err != nil {
		return event, err
	}
	event.Actor, event.ActorID = clip(cmp.Or(p.Actor.Nickname, p.Actor.Name)), clip(cmp.Or(p.Actor.AccountID, p.Actor.UUID))
	switch event.Name {
	case "repo:push":
		return p.push(event)
	case "pullrequest:created", "pullrequest:updated", "pullrequest:fulfilled", "pullrequest:rejected":
		return p.pullRequest(event, header.Get("X-Hook-UUID"))
	case "pullrequest:comment_created":
		asked := p.request()
		e, err := remark{number: asked.number, ref: asked.ref, text: p.Comment.Content.Raw, asked: &asked}.event(event)
		return unreachable(e), err
	case "":
		return event, fmt.Errorf("the delivery has no %s header", bitbucketEvent)
	}
	return ignored(event, "repo:push and those of pull requests that create, update, merge or decline them"), nil
}

// maxChanges is how many refs one push may change. Who pushes more, pushes a repository as a whole.
const maxChanges = 100

// several makes one event of each change of a push.
func several(e Event, changes []pushed) (Event, error) {
	if len(changes) == 0 || len(changes) > maxChanges {
		return e, fmt.Errorf("the push changes %d refs; between 1 and %d are taken", len(changes), maxChanges)
	}
	var all []Event
	for _, c := range changes {
		one, err := c.event(e)
		if err != nil {
			return e, err
		}
		if len(changes) > 1 {
			one.Part = one.Ref
		}
		all = append(all, one)
	}
	if len(all) > 1 {
		all[0].More = all[1:]
	}
	return all[0], nil
}

func (p *bitbucketPayload) push(event Event) (Event, error) {
	changes := make([]pushed, 0, min(len(p.Push.Changes), maxChanges+1))
	for _, c := range p.Push.Changes {
		at := cmp.Or(c.New, c.Old)
		if at == nil {
			return event, fmt.Errorf("a change of the push names neither what was nor what is")
		}
		change := pushed{ref: "refs/heads/" + at.Name, before: nothing, deleted: c.New == nil}
		if strings.HasSuffix(at.Type, "tag") {
			change.ref = "refs/tags/" + at.Name
		}
		if c.Old != nil {
			change.before = c.Old.Target.Hash
		}
		if c.New != nil {
			change.after, change.title = c.New.Target.Hash, c.New.Target.Message
		}
		changes = append(changes, change)
		if len(changes) > maxChanges {
			break
		}
	}
	return several(event, changes)
}

// request reads the pull request. Bitbucket Cloud has no ref for the head of one, and tells the first digits of its
// commit alone: what is built is the tip of its branch.
func (p *bitbucketPayload) request() request {
	a := p.PullRequest
	from, into := a.Source.Repository, cmp.Or(a.Destination.Repository.UUID, p.Repository.UUID)
	branch := "refs/heads/" + a.Source.Branch.Name
	return request{
		number: a.ID, ref: branch, commit: a.Source.Commit.Hash, tip: true, title: a.Title, draft: a.Draft,
		head: branch, base: "refs/heads/" + a.Destination.Branch.Name,
		from: from.FullName, fork: from.UUID == "" || from.UUID != into || into != p.Repository.UUID,
	}
}

// bitbucketActions are the events of a pull request, with CodeBuild's words for them.
var bitbucketActions = map[string]string{
	"pullrequest:created": requestCreated, "pullrequest:updated": requestUpdated,
	"pullrequest:fulfilled": requestMerged, "pullrequest:rejected": requestClosed,
}

// pullRequest fills in the event of a pull request. An update may be one of its title: so updates with one head count
// as one delivery, as does the creation.
func (p *bitbucketPayload) pullRequest(event Event, hook string) (Event, error) {
	r := p.request()
	r.action, r.webhook = event.Name, bitbucketActions[event.Name]
	e, err := r.event(event)
	head := p.PullRequest.Source.Commit.Hash
	if err == nil && e.Skip == "" && shortID(head) {
		e.Same = strings.Trim(fmt.Sprintf("%s/pr/%d/%s", clip(hook), r.number, head), "/")
	}
	return unreachable(e), err
}

// shortID tells whether these are the first digits of a commit's id.
func shortID(s string) bool {
	return len(s) >= 7 && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// unreachable marks an event whose commit lies in a fork, which no ref of the repository leads to.
func unreachable(e Event) Event {
	if (e.Kind == PullRequest || e.Kind == Comment) && e.Fork && e.Skip == "" {
		e.Skip = "the pull request comes from a fork, and Bitbucket Cloud has no ref for it in this repository; push its branch here to have it built"
	}
	return e
}
