package forge

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// payloadJSON returns the JSON of a body, which is sent as it is or as the field "payload" of a form.
func payloadJSON(header http.Header, body []byte) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	switch {
	case err == nil && kind == "application/json":
		return body, nil
	case err == nil && kind == "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, errors.New("the body is no well-formed form; set the webhook's content type to application/json")
		}
		return []byte(form.Get("payload")), nil
	}
	return nil, errors.New("the content type is neither application/json nor application/x-www-form-urlencoded; set the webhook's content type to application/json")
}

// read decodes a payload. What has the right type is decoded even when something else has not.
func read(forge string, text []byte, into any) error {
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the payload is not what %s sends: %w", forge, err)
	}
	return nil
}

// ignored is an event that nothing comes of.
func ignored(event Event, wanted string) Event {
	event.Kind, event.Ignore = Other, fmt.Sprintf("Runner builds nothing on %q events; it needs only %s", clip(event.Name), wanted)
	return event
}

// CodeBuild's words for what happens to a pull request.
const (
	requestCreated  = "PULL_REQUEST_CREATED"
	requestUpdated  = "PULL_REQUEST_UPDATED"
	requestReopened = "PULL_REQUEST_REOPENED"
	requestMerged   = "PULL_REQUEST_MERGED"
	requestClosed   = "PULL_REQUEST_CLOSED"
)

// maxMessage bounds a commit's message in bytes.
const maxMessage = 256 << 10

// pushed is one change of a ref.
type pushed struct {
	ref, before, after string
	title              string // of the head commit: its message
	deleted            bool
}

// event fills in the event of a branch or a tag that was pushed or deleted.
func (p pushed) event(e Event) (Event, error) {
	if err := checkRef(p.ref); err != nil {
		return e, err
	}
	e.Kind, e.Webhook = Push, "PUSH"
	e.Ref, e.HeadRef = p.ref, p.ref
	e.Title, e.Message = clip(p.title), p.title[:min(len(p.title), maxMessage)]
	what := "branch"
	switch {
	case strings.HasPrefix(p.ref, "refs/tags/"):
		e.Kind, what = Tag, "tag"
	case !strings.HasPrefix(p.ref, "refs/heads/"):
		e.Skip = "the ref is neither a branch nor a tag"
	}
	if commitID.MatchString(p.before) {
		e.Before = p.before
	}
	if p.deleted || none(p.after) {
		e.Skip = what + " deleted"
		return e, nil
	}
	if !commitID.MatchString(p.after) {
		return e, fmt.Errorf("the pushed commit %q is no full commit id", clip(p.after))
	}
	e.Commit = p.after
	return e, nil
}

// nothing is what a new ref pointed to before.
var nothing = strings.Repeat("0", 40)

// none tells whether an id is all zeros, as git writes the id of what is not there.
func none(id string) bool { return id != "" && strings.Trim(id, "0") == "" }

// noted is a commit as pushes list it.
type noted struct {
	ID      string `json:"id"`
	Message string `json:"message"`
}

// messageOf finds a commit's message in a list, which is in either order and often not whole.
func messageOf(commits []noted, id string) string {
	for _, c := range commits {
		if c.ID == id {
			return c.Message
		}
	}
	return ""
}

// request is what happened to a pull request.
type request struct {
	number        int
	ref           string // where its head can be fetched from
	head, base    string // full refs
	commit, title string
	before        string // the head before it
	from          string // "owner/name"
	fork, draft   bool
	tip           bool // the forge tells no full commit id: what ref points to is meant
	labels        []string
	action        string // the forge's word
	webhook       string // CodeBuild's word; empty for an action that nothing is built for
}

// maxLabels is how many labels of a pull request are looked at.
const maxLabels = 50

// event fills in the event of a pull request.
func (r request) event(e Event) (Event, error) {
	if r.number < 1 {
		return e, fmt.Errorf("the pull request's number is %d, which is none", r.number)
	}
	if err := errors.Join(checkRef(r.ref), checkRef(r.head), checkRef(r.base)); err != nil {
		return e, err
	}
	e.Kind, e.Webhook, e.PullRequest, e.Title = PullRequest, r.webhook, r.number, clip(r.title)
	e.Ref, e.HeadRef, e.BaseRef = r.ref, r.head, r.base
	e.Fork, e.HeadRepository, e.Draft = r.fork, clip(r.from), r.draft
	for _, l := range r.labels[:min(len(r.labels), maxLabels)] {
		e.Labels = append(e.Labels, clip(l))
	}
	if commitID.MatchString(r.before) {
		e.Before = r.before
	}
	ended := r.webhook == requestMerged || r.webhook == requestClosed
	switch {
	case commitID.MatchString(r.commit):
		e.Commit = r.commit
	case r.webhook == "" || r.tip && !ended:
	case ended:
		e.Skip = "the pull request has ended, and its head is not told"
	default:
		return e, fmt.Errorf("the pull request's head %q is no full commit id", clip(r.commit))
	}
	if r.webhook == "" {
		e.Skip = fmt.Sprintf("pull request action %q builds nothing: it brings no commits", clip(r.action))
	}
	return e, nil
}

// release is what happened to a release.
type release struct {
	tag, title string
	commit     string // empty: what the tag points to
	pre        bool   // it is marked as not ready for production
}

// event fills in the event of a release that was published. Its tag's commit is built.
func (r release) event(e Event) (Event, error) {
	ref := "refs/tags/" + r.tag
	if err := checkRef(ref); err != nil {
		return e, err
	}
	e.Kind, e.Webhook, e.Ref, e.HeadRef = Release, "RELEASED", ref, ref
	e.Release, e.Title = clip(r.title), clip(r.title)
	if r.pre {
		e.Webhook = "PRERELEASED"
	}
	if commitID.MatchString(r.commit) {
		e.Commit = r.commit
	}
	return e, nil
}

// commitID is a full object id, SHA-1 or SHA-256.
var commitID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

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
