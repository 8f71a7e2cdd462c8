package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"mime"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// taggedKinds are the kinds of answers that are written in one piece, and so can be given an ETag on their way out. Streams
// are none of them.
var taggedKinds = map[string]bool{
	"application/json": true, "application/openapi+json": true, "application/atom+xml": true, "image/svg+xml": true,
}

// tagging gives the answers of GET an ETag, and answers 304 where it is the one that the client has. The tag stands for the
// bytes, so that whatever shows in them counts.
type tagging struct {
	http.ResponseWriter
	r       *http.Request
	waits   bool // the status 200 waits for the first bytes, which are all
	decided bool
	same    bool // nothing of the body is sent
}

// Unwrap lets http.ResponseController reach the connection.
func (w *tagging) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *tagging) WriteHeader(status int) {
	kind, _, _ := mime.ParseMediaType(w.Header().Get("Content-Type"))
	if status == http.StatusOK && !w.decided && taggedKinds[kind] {
		w.waits = true
		return
	}
	w.decided = w.decided || status >= 200
	w.ResponseWriter.WriteHeader(status)
}

func (w *tagging) Write(p []byte) (int, error) {
	if !w.decided && !w.waits {
		w.WriteHeader(http.StatusOK)
	}
	if w.waits {
		w.waits, w.decided = false, true
		tag := tagOf(p)
		w.Header().Set("ETag", tag)
		if w.same = matches(w.r.Header.Values("If-None-Match"), tag); w.same {
			w.Header().Del("Content-Type")
			w.ResponseWriter.WriteHeader(http.StatusNotModified)
		} else {
			w.ResponseWriter.WriteHeader(http.StatusOK)
		}
	}
	if w.same {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// tagOf is the ETag of an answer: half of its SHA-256, since nobody gains by two answers of one tag.
func tagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// tagOfJSON is the ETag that a GET would give a value.
func tagOfJSON(v any) (string, error) {
	var body bytes.Buffer
	if err := huma.DefaultJSONFormat.Marshal(&body, v); err != nil {
		return "", err
	}
	return tagOf(body.Bytes()), nil
}

// matches tells whether a header lists a tag, or * for any. Proxies that compress make tags weak, so weak ones count.
func matches(header []string, tag string) bool {
	for _, values := range header {
		for one := range strings.SplitSeq(values, ",") {
			if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
				return true
			}
		}
	}
	return false
}

// MatchInput makes a change depend on what is there.
type MatchInput struct {
	IfMatch     []string `header:"If-Match" doc:"only if what is there has one of these ETags, or is there at all for *" nullable:"false"`
	IfNoneMatch string   `header:"If-None-Match" enum:"*" doc:"*: only if there is nothing yet"`
}

// asks tells whether the change depends on anything.
func (in *MatchInput) asks() bool { return len(in.IfMatch) > 0 || in.IfNoneMatch != "" }

// check tells whether a change may be made to what there is; nil is nothing. what names it, for people.
func (in *MatchInput) check(what string, there any) error {
	if there == nil {
		return in.checkTag(what, "")
	}
	tag, err := tagOfJSON(there)
	if err != nil {
		return err
	}
	return in.checkTag(what, tag)
}

// checkTag is check where the ETag is known; it is empty where there is nothing.
func (in *MatchInput) checkTag(what, tag string) error {
	switch {
	case in.IfNoneMatch != "" && tag != "":
		return problem(http.StatusPreconditionFailed, what+" is there already, and If-None-Match asks for a new one", "leave the header out to replace it")
	case len(in.IfMatch) > 0 && (tag == "" || !matches(in.IfMatch, tag)):
		return problem(http.StatusPreconditionFailed, what+" was changed or removed meanwhile: it is not what If-Match names", "read it again, and make the change to what there is now")
	}
	return nil
}
