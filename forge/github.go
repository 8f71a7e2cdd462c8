package forge

import (
	"fmt"
	"net/http"
	"strings"
)

// GitHub is github.com and GitHub Enterprise Server.
type GitHub struct{}

var _ Forge = GitHub{}

// The headers of a delivery.
const (
	githubEvent     = "X-GitHub-Event"
	githubDelivery  = "X-GitHub-Delivery"
	githubHook      = "X-GitHub-Hook-ID"
	githubSignature = "X-Hub-Signature-256"
)

// Name returns "github".
func (GitHub) Name() string { return "github" }

// Delivery returns GitHub's id of the delivery, and before it the id of the webhook where GitHub sends one: the
// event that two webhooks of one repository report bears one and the same delivery id.
func (GitHub) Delivery(header http.Header) string {
	id := header.Get(githubDelivery)
	if hook := header.Get(githubHook); hook != "" && id != "" {
		return hook + "/" + id
	}
	return id
}

// Verify checks X-Hub-Signature-256. The older X-Hub-Signature, made with SHA-1, is not accepted in its place.
func (GitHub) Verify(header http.Header, body, secret []byte) bool {
	return signed(header.Get(githubSignature), "sha256=", body, secret)
}

// Parse reads a push, a pull request, a release, a comment or a ping. Other events come back as Other, without an error.
func (g GitHub) Parse(header http.Header, body []byte) (Event, error) {
	event := Event{Kind: Other, Name: header.Get(githubEvent)}
	text, err := payloadJSON(header, body)
	if err != nil {
		return event, err
	}
	p, err := readGitHub(text)
	event.Repository = p.repository()
	if err != nil {
		return event, err
	}
	event.Actor, event.ActorID = clip(p.Sender.Login), p.Sender.ID.String()
	switch event.Name {
	case "ping":
		event.Kind = Ping
		return event, nil
	case "push":
		return p.push(event)
	case "pull_request":
		return p.pullRequest(event)
	case "release":
		return githubRelease(event, text)
	case "issue_comment":
		return githubComment(event, text)
	case "":
		return event, fmt.Errorf("the delivery has no %s header", githubEvent)
	}
	event.Ignore = fmt.Sprintf("Runner builds nothing on %q events; it needs only push and pull_request, and knows release and issue_comment", clip(event.Name))
	return event, nil
}

// maxText bounds titles and names in bytes; they are for people to read.
const maxText = 300

// clip cuts text to its first line and to maxText bytes, at a rune's edge.
func clip(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	s = strings.TrimRight(strings.ToValidUTF8(s, "�"), "\r\t ")
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "")
}
