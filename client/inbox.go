package client

import (
	"context"
	"net/url"
	"time"
)

// Delivery is a webhook that came, and what became of it.
type Delivery struct {
	At         time.Time `json:"at"`
	Forge      string    `json:"forge"`
	Event      string    `json:"event,omitempty"`
	Delivery   string    `json:"delivery,omitempty"` // the forge's id
	Repository string    `json:"repository,omitempty"`
	Ref        string    `json:"ref,omitempty"`
	Projects   []string  `json:"projects,omitempty"` // whose secret it is signed with; none: it was refused
	Status     int       `json:"status"`             // of the answer
	Outcome    string    `json:"outcome"`            // pong, ignored, pending, built, skipped, waiting, refused
	Reason     string    `json:"reason,omitempty"`
	Trigger    string    `json:"trigger,omitempty"`
	Remote     string    `json:"remote"` // address that it came from
}

// InboxOptions narrow the inbox.
type InboxOptions struct {
	ListOptions
	Refused bool // only what no project's secret fitted
}

// Inbox lists deliveries of webhooks, newest first.
func (c *Client) Inbox(ctx context.Context, opts InboxOptions) (Page[Delivery], error) {
	var out Page[Delivery]
	opts.Status, opts.Outcome = "", ""
	query := opts.query()
	if query == nil {
		query = url.Values{}
	}
	if opts.Refused {
		query.Set("refused", "true")
	}
	err := c.get(ctx, "/api/v1/inbox", query, &out)
	return out, err
}
