package client

import (
	"context"
	"net/http"
	"net/url"
)

// outcomePending is the outcome of a trigger whose builds are still being made.
const outcomePending = "pending"

// Start asks for a manual build. The build is made from the trigger that is returned; see WaitTrigger.
func (c *Client) Start(ctx context.Context, start Start) (Trigger, error) {
	var out Trigger
	key := newKey()
	err := once(ctx, func() error {
		return c.call(ctx, request{
			method: http.MethodPost, path: "/api/v1/triggers",
			header: http.Header{idempotencyHeader: {key}},
		}, start, &out)
	})
	return out, err
}

// Trigger returns one trigger.
func (c *Client) Trigger(ctx context.Context, id string) (Trigger, error) {
	var out Trigger
	err := c.get(ctx, "/api/v1/triggers/"+url.PathEscape(id), nil, &out)
	return out, err
}

// Triggers lists triggers, newest first.
func (c *Client) Triggers(ctx context.Context, opts ListOptions) (Page[Trigger], error) {
	var out Page[Trigger]
	only := ListOptions{Outcome: opts.Outcome, Cursor: opts.Cursor, Limit: opts.Limit} // triggers have nothing else
	err := c.get(ctx, "/api/v1/triggers", only.query(), &out)
	return out, err
}

// Approve lets the commit of a pull request that waits be built. With a commit, the trigger must be for that one.
func (c *Client) Approve(ctx context.Context, id, commit string) (Trigger, error) {
	var out Trigger
	query := url.Values{}
	if commit != "" {
		query.Set("commit", commit)
	}
	err := c.call(ctx, request{method: http.MethodPost, path: "/api/v1/triggers/" + url.PathEscape(id) + "/approve", query: query}, nil, &out)
	return out, err
}

// WaitTrigger returns the trigger once its outcome is decided. It reconnects when the daemon restarts meanwhile, and
// fails when ctx ends.
func (c *Client) WaitTrigger(ctx context.Context, id string) (Trigger, error) {
	var pace backoff
	there := false // the daemon was, so that it is worth waiting for
	for {
		var out Trigger
		// The daemon holds the answer back for up to this many seconds while there is nothing new to tell.
		err := c.get(ctx, "/api/v1/triggers/"+url.PathEscape(id), url.Values{"wait": {"25"}}, &out)
		there = there || err == nil || lost(err)
		switch {
		case err == nil && out.Outcome != outcomePending:
			return out, nil
		case err == nil:
			pace.reset()
			if ctx.Err() != nil {
				return out, context.Cause(ctx)
			}
		case !there || !transient(err):
			return out, err
		default:
			if waitErr := pace.wait(ctx); waitErr != nil {
				return out, waitErr
			}
		}
	}
}
