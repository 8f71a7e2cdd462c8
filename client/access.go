package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Grant is a scope (feed, read, submit or admin) within some projects; * among them stands for all, and for the daemon itself.
type Grant struct {
	Scope    string   `json:"scope"`
	Projects []string `json:"projects"`
}

// Identity is who a token or session belongs to, and what may be done with it.
type Identity struct {
	Name    string    `json:"name"` // of a token, or user:NAME
	Grants  []Grant   `json:"grants"`
	Expires time.Time `json:"expires,omitzero"`
}

// Token is what the daemon tells of a token: everything but the token.
type Token struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Scope    string    `json:"scope"`
	Projects []string  `json:"projects"` // or *
	Created  time.Time `json:"created"`
	By       string    `json:"by"`
	Expires  time.Time `json:"expires,omitzero"` // zero: never
	Used     time.Time `json:"used,omitzero"`    // to the minute; zero: not yet
}

// TokenRequest asks for a token.
type TokenRequest struct {
	Name     string     `json:"name"`
	Scope    string     `json:"scope"`             // feed, read, submit or admin
	Projects []string   `json:"projects"`          // or *
	Expires  *time.Time `json:"expires,omitempty"` // nil: never
}

// NewToken is a token with its secret, which is never shown again.
type NewToken struct {
	Token  Token  `json:"token"`
	Secret string `json:"secret"`
}

// AuditEvent is one record of the audit log. One without a result is one of a daemon that ended while it did it.
type AuditEvent struct {
	Seq     uint64    `json:"seq"`
	At      time.Time `json:"at"`
	Who     string    `json:"who,omitempty"`
	Address string    `json:"address,omitempty"`
	Action  string    `json:"action"` // id of the operation
	Object  string    `json:"object,omitempty"`
	Project string    `json:"project,omitempty"`
	Result  int       `json:"result,omitempty"` // HTTP status
	Count   int       `json:"count,omitempty"`  // of refusals: how often
}

// AuditOptions narrow the audit log; what is empty narrows nothing.
type AuditOptions struct {
	ListOptions
	Who, Action, Project string
	Since                time.Time
}

const tokensPath = "/api/v1/tokens"

// Whoami tells who the client's token belongs to.
func (c *Client) Whoami(ctx context.Context) (Identity, error) {
	var out Identity
	err := c.get(ctx, "/api/v1/whoami", nil, &out)
	return out, err
}

// Tokens lists all tokens by name.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) {
	return allOf[Token](ctx, c, tokensPath, url.Values{})
}

// CreateToken makes a token. A daemon that ended before its answer arrived has perhaps made it, and cannot tell its secret
// again: the *Error has status 409 then, and the token is to be revoked.
func (c *Client) CreateToken(ctx context.Context, r TokenRequest) (NewToken, error) {
	var out NewToken
	err := c.postOnce(ctx, request{path: tokensPath}, r, &out)
	return out, err
}

// RemoveToken revokes a token.
func (c *Client) RemoveToken(ctx context.Context, name string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: tokensPath + "/" + url.PathEscape(name)}, nil, nil)
}

// Audit returns a page of the audit log, newest first.
func (c *Client) Audit(ctx context.Context, o AuditOptions) (Page[AuditEvent], error) {
	query := url.Values{}
	for key, value := range map[string]string{"who": o.Who, "action": o.Action, "project": o.Project, "cursor": o.Cursor} {
		if value != "" {
			query.Set(key, value)
		}
	}
	if o.Limit > 0 {
		query.Set("limit", strconv.Itoa(o.Limit))
	}
	if !o.Since.IsZero() {
		query.Set("since", o.Since.UTC().Format(time.RFC3339))
	}
	var page Page[AuditEvent]
	err := c.get(ctx, "/api/v1/audit", query, &page)
	return page, err
}
