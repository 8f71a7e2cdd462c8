// Package registry turns what a registry of container images sends into pushes of images. Like package forge above it, it
// knows payloads and proofs of origin, and nothing of projects or builds.
//
// Nothing of a payload serves to find out who may have sent it, so whoever receives one verifies it with each secret first,
// and parses it only then.
package registry

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/runner-ci/runner/forge"
)

// Kind is one kind of registry.
type Kind struct {
	Name  string // part of the path of its notifications: "distribution"
	Proof Proof
	parse func(header http.Header, body []byte) ([]Push, error)
}

// Proof is how a notification proves where it comes from.
type Proof string

// The proofs.
const (
	ByHeader    Proof = "header"    // Authorization bears the secret
	ByPath      Proof = "path"      // the URL ends with it: the registry sends nothing else that a stranger does not know
	BySignature Proof = "signature" // as GitHub signs its webhooks
)

// Kinds are the registries whose notifications are understood.
var Kinds = []Kind{
	{"distribution", ByHeader, parseDistribution},
	{"dockerhub", ByPath, parseDockerHub},
	{"harbor", ByHeader, parseHarbor},
	{"quay", ByPath, parseQuay},
	{"ghcr", BySignature, parseGitHub},
}

// Notification is one request of a registry.
type Notification struct {
	Header http.Header
	Body   []byte
	Secret string // that its path ends with
}

// Push is one tag of an image that was pushed.
type Push struct {
	Host       string // of the registry, as images name it; empty where the notification does not say
	Repository string // "team/app"
	Tag        string
	Digest     string // of the manifest or index; empty where the registry does not tell
	Pusher     string // account that pushed it, where the registry tells
	Moment     string // without a digest, what tells this push from the next one of the same tag, where the registry tells
}

// Image is the image's name without its tag.
func (p Push) Image() string {
	if p.Host == "" {
		return p.Repository
	}
	return p.Host + "/" + p.Repository
}

// Verify tells whether a notification was sent by somebody who knows the secret. It takes the same time whatever is wrong. An
// empty secret never verifies.
func (k Kind) Verify(n Notification, secret []byte) bool {
	switch k.Proof {
	case ByPath:
		return same([]byte(n.Secret), secret)
	case BySignature:
		return forge.GitHub{}.Verify(n.Header, n.Body, secret)
	}
	// The secret may be the whole of the header, and is mostly a token.
	sent := n.Header.Get("Authorization")
	_, token, _ := strings.Cut(sent, " ")
	whole, bare := same([]byte(sent), secret), same([]byte(token), secret)
	return whole || bare
}

// same compares in constant time, and takes nothing for nothing.
func same(a, b []byte) bool {
	x, y := sha256.Sum256(a), sha256.Sum256(b)
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1 && len(b) > 0
}

// maxPushes bounds what one notification may tell of.
const maxPushes = 100

// Parse returns the tags that a notification says were pushed, each once. Pulls, mounts, deletions, layers, signatures, and
// manifests without a tag, like those of an index's platforms, are none.
func (k Kind) Parse(header http.Header, body []byte) ([]Push, error) {
	pushes, err := k.parse(header, body)
	if err != nil {
		return nil, fmt.Errorf("this is no notification of %s: %w", k.Name, err)
	}
	var out []Push
	for _, p := range pushes {
		if p.Tag == "" || attachment.MatchString(p.Tag) || slices.Contains(out, p) {
			continue
		}
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("this is no notification of %s: %w", k.Name, err)
		}
		if out = append(out, p); len(out) > maxPushes {
			return nil, fmt.Errorf("the notification tells of more than %d pushes", maxPushes)
		}
	}
	return out, nil
}

// attachment is the tag of what is attached to an image, a signature for one, by the image's digest.
var attachment = regexp.MustCompile(`^sha(256|512)-[0-9a-f]{64,128}(\.[a-z0-9]+)?$`)

// What the parts of an image's name look like. They become variables of jobs, so nothing else gets through. How long they may be is
// not said here: every process of ours compiles these as it starts, and a class of characters counted to 200 takes 8 ms.
var (
	hostForm       = regexp.MustCompile(`^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?$`)
	repositoryForm = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagForm        = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	digestForm     = regexp.MustCompile(`^[a-z0-9]+([+._-][a-z0-9]+)*:[0-9a-fA-F]{32,128}$`)
	pusherForm     = regexp.MustCompile(`^[\p{L}\p{N}\p{P}\p{S} ]*$`)
)

func (p Push) check() error {
	for _, part := range []struct {
		what, text string
		form       *regexp.Regexp
		needed     bool
		most       int
	}{
		{"registry's address", p.Host, hostForm, false, 255}, {"repository", p.Repository, repositoryForm, true, 255},
		{"tag", p.Tag, tagForm, true, 128}, {"digest", p.Digest, digestForm, false, 256},
		{"pusher", p.Pusher, pusherForm, false, 200}, {"moment", p.Moment, pusherForm, false, 200},
	} {
		if len(part.text) > part.most || (part.text != "" || part.needed) && !part.form.MatchString(part.text) {
			return fmt.Errorf("%.60q is no %s", part.text, part.what)
		}
	}
	return nil
}
