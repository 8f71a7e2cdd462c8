package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// ListOptions narrows a list and says where it goes on. The zero value is the first page of everything.
type ListOptions struct {
	Project string    // only of this project (builds, schedules)
	Status  string    // only with this status, like FAILED (builds)
	Ref     string    // only of this branch, or full ref (builds)
	Kind    string    // only by this kind of trigger, like pull_request (builds)
	Author  string    // only by authors whose name has this (builds)
	Text    string    // only with this in the title, this number, or a commit that begins so (builds)
	Since   time.Time // only made then or later (builds)
	Until   time.Time // only made before (builds)
	Outcome string    // only with this outcome, like waiting (triggers)
	Cursor  string    // Page.Next of the page before
	Limit   int       // items a page; 0 leaves it to the daemon
}

func (o ListOptions) query() url.Values {
	q := url.Values{}
	set := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	set("project", o.Project)
	set("status", o.Status)
	set("ref", o.Ref)
	set("trigger", o.Kind)
	set("author", o.Author)
	set("q", o.Text)
	for name, at := range map[string]time.Time{"since": o.Since, "until": o.Until} {
		if !at.IsZero() {
			q.Set(name, at.UTC().Format(time.RFC3339))
		}
	}
	set("outcome", o.Outcome)
	set("cursor", o.Cursor)
	if o.Limit > 0 {
		q.Set("limit", strconv.Itoa(o.Limit))
	}
	return q
}

// Daemon asks the daemon about itself.
func (c *Client) Daemon(ctx context.Context) (Daemon, error) {
	var out Daemon
	err := c.get(ctx, "/api/v1/daemon", nil, &out)
	return out, err
}

// Drain tells the daemon to start no new job (true) or to start jobs again (false). Jobs that run go on.
func (c *Client) Drain(ctx context.Context, on bool) (Daemon, error) {
	var out Daemon
	body := struct {
		On bool `json:"on"`
	}{on}
	err := c.call(ctx, request{method: http.MethodPut, path: "/api/v1/daemon/drain"}, body, &out)
	return out, err
}

// Builds lists builds, newest first, without their jobs.
func (c *Client) Builds(ctx context.Context, opts ListOptions) (Page[Build], error) {
	var out Page[Build]
	opts.Outcome = "" // builds have none
	err := c.get(ctx, "/api/v1/builds", opts.query(), &out)
	return out, err
}

// Build returns one build with its jobs. The id is like "api#142".
func (c *Client) Build(ctx context.Context, id string) (Build, error) {
	var out Build
	path, err := buildPath(id, "")
	if err == nil {
		err = c.get(ctx, path, nil, &out)
	}
	return out, err
}

// Stop ends a build as STOPPED. Stopping one that has ended changes nothing and is no error.
func (c *Client) Stop(ctx context.Context, id string) (Build, error) {
	var out Build
	path, err := buildPath(id, "/stop")
	if err == nil {
		err = c.call(ctx, request{method: http.MethodPost, path: path}, nil, &out)
	}
	return out, err
}

// Resume lets the jobs of a build go on that wait at a breakpoint: one of them, or with job "" all. It returns the ids
// of those that were told.
func (c *Client) Resume(ctx context.Context, id, job string) ([]string, error) {
	var out struct {
		Jobs []string `json:"jobs"`
	}
	path, err := buildPath(id, "/resume")
	if err == nil {
		query := url.Values{}
		if job != "" {
			query.Set("job", job)
		}
		err = c.call(ctx, request{method: http.MethodPost, path: path, query: query}, nil, &out)
	}
	return out.Jobs, err
}

// Retry asks for a new build of the same commit and plan. With failedOnly it takes over the results of the jobs that
// succeeded. The build is made from the trigger that is returned; see WaitTrigger.
func (c *Client) Retry(ctx context.Context, id string, failedOnly bool) (Trigger, error) {
	var out Trigger
	path, err := buildPath(id, "/retry")
	if err != nil {
		return out, err
	}
	key := newKey()
	err = once(ctx, func() error {
		return c.call(ctx, request{
			method: http.MethodPost, path: path,
			query:  url.Values{"failed": {strconv.FormatBool(failedOnly)}},
			header: http.Header{idempotencyHeader: {key}},
		}, nil, &out)
	})
	return out, err
}

// idempotencyHeader carries a key of the client's choice with requests that make something. A second request with the
// same key gets the first one's answer.
const idempotencyHeader = "Idempotency-Key"
