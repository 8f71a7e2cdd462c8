package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// PackType is the content type of the git pack that Submit sends.
const PackType = "application/x-git-packed-objects"

// EnvHeader carries Submission.Env as base64 of a JSON object. A header and not the query, because proxies write
// queries to their logs.
const EnvHeader = "Runner-Env"

// commitIDs is the body of a request for known commits, and of its answer.
type commitIDs struct {
	Commits []string `json:"commits"`
}

// Known tells which of these commits the project's mirror has, in the order of ids, so that Submit sends only what
// is missing.
func (c *Client) Known(ctx context.Context, project string, ids []string) ([]string, error) {
	var out commitIDs
	err := c.call(ctx, request{method: http.MethodPost, path: projectPath(project, "/known")}, commitIDs{ids}, &out)
	return out.Commits, err
}

// Submit sends a pack with the commit that was made of a working tree, and asks for a build of it. The pack may be
// thin: it may leave out what Known says is there. A nil pack says that nothing is missing.
func (c *Client) Submit(ctx context.Context, project string, s Submission, pack io.Reader) (Trigger, error) {
	var out Trigger
	query := url.Values{"commit": {s.Commit}}
	for name, value := range map[string]string{"title": s.Title, "image": s.Image, "buildspec": s.Buildspec} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if s.Debug {
		query.Set("debug", "true")
	}
	if s.Shards > 0 {
		query.Set("shards", strconv.Itoa(s.Shards))
	}
	if len(s.Only) > 0 {
		query["only"] = s.Only
	}
	header := http.Header{"Content-Type": {PackType}, idempotencyHeader: {newKey()}}
	if len(s.Env) > 0 {
		text, err := json.Marshal(s.Env)
		if err != nil {
			return out, fmt.Errorf("encoding the environment: %w", err)
		}
		header.Set(EnvHeader, base64.StdEncoding.EncodeToString(text))
	}
	r := request{method: http.MethodPost, path: projectPath(project, "/submit"), query: query, header: header}
	if pack != nil {
		r.body, r.length = pack, s.PackBytes
		if r.length <= 0 {
			r.length = -1 // zero would mean "no body" to net/http
		}
		// A refusal (wrong token, unknown project) then comes before a large pack is sent, not after.
		header.Set("Expect", "100-continue")
	}
	err := c.call(ctx, r, nil, &out)
	return out, err
}

// Submitting is one submit to a project, for whoever makes the pack: it is told what the project has, and hands over the rest.
type Submitting struct {
	Made Trigger // what came of it

	client  *Client
	project string
	as      Submission
}

// Submitting begins a submit. The commit and the pack come with Submit.
func (c *Client) Submitting(project string, as Submission) *Submitting {
	return &Submitting{client: c, project: project, as: as}
}

// Known tells which of these commits the project's mirror has, as far as this token may know.
func (s *Submitting) Known(ctx context.Context, commits []string) ([]string, error) {
	return s.client.Known(ctx, s.project, commits)
}

// Submit sends a commit with the pack of what is not known.
func (s *Submitting) Submit(ctx context.Context, commit string, pack io.Reader) (err error) {
	as := s.as
	as.Commit, as.PackBytes = commit, -1
	s.Made, err = s.client.Submit(ctx, s.project, as, pack)
	return err
}
