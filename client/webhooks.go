package client

import (
	"context"
	"net/http"
	"time"
)

// Webhook is a project's webhook at its forge, and what was done about it.
type Webhook struct {
	State       string    `json:"state"` // registered, by-hand, no-forge, unreachable, failed, none
	Forge       string    `json:"forge,omitempty"`
	Repository  string    `json:"repository,omitempty"` // as the forge calls it
	Target      string    `json:"target,omitempty"`     // the address that the forge is to tell
	Events      []string  `json:"events,omitempty"`     // that it is to tell of, in its words
	ContentType string    `json:"contentType,omitempty"`
	Secret      string    `json:"secret,omitempty"` // to be entered by hand; it is in this answer and in no other
	Steps       []string  `json:"steps,omitempty"`  // what was done, in this order
	Problem     string    `json:"problem,omitempty"`
	Hint        string    `json:"hint,omitempty"`
	At          time.Time `json:"at,omitzero"` // when that was so
	Arrived     *Delivery `json:"arrived,omitempty"`
}

// Webhook tells what is known of a project's webhook.
func (c *Client) Webhook(ctx context.Context, project string) (Webhook, error) {
	var out Webhook
	err := c.get(ctx, projectPath(project, "/webhook"), nil, &out)
	return out, err
}

// ConnectWebhook has the daemon register a project's webhook at its forge, where it keeps it, or bring it up to date; has the
// forge send a test; and waits for that to arrive.
func (c *Client) ConnectWebhook(ctx context.Context, project string) (Webhook, error) {
	var out Webhook
	err := c.call(ctx, request{method: http.MethodPost, path: projectPath(project, "/webhook")}, nil, &out)
	return out, err
}

// RemoveWebhook has the daemon remove the webhook that it registered for a project.
func (c *Client) RemoveWebhook(ctx context.Context, project string) (Webhook, error) {
	var out Webhook
	err := c.call(ctx, request{method: http.MethodDelete, path: projectPath(project, "/webhook")}, nil, &out)
	return out, err
}
