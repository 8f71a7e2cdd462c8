package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Secret is what the daemon tells of a secret or parameter: everything but its values.
type Secret struct {
	Name     string          `json:"name"`
	Project  string          `json:"project"`        // whose builds may have it; * for every project
	Refs     []string        `json:"refs,omitempty"` // whose untrusted builds may have it too
	Versions []SecretVersion `json:"versions"`       // newest first
	ETag     string          `json:"etag,omitempty"` // stands for all this, for changes that depend on it (If-Match)
}

// SecretVersion is one version of a secret.
type SecretVersion struct {
	ID      string    `json:"id"`
	Stage   string    `json:"stage,omitempty"` // AWSCURRENT or AWSPREVIOUS
	Created time.Time `json:"created"`
	By      string    `json:"by,omitempty"`
}

// SecretChange makes a secret, or changes it: its value, its scope, or both. What is nil stays as it is.
type SecretChange struct {
	Name    string    `json:"name"`
	Project string    `json:"project"`           // or *
	Value   *string   `json:"value,omitempty"`   // of a new version; UTF-8, at most 64 KiB
	Version string    `json:"version,omitempty"` // its id, when a buildspec pins one; else it is a number
	Refs    *[]string `json:"refs,omitempty"`
}

// SecretChanged tells what a change did.
type SecretChanged struct {
	Secret  Secret `json:"secret"`
	Created bool   `json:"created"`           // there was none before
	Same    bool   `json:"same"`              // all was so already
	KeyMade string `json:"keyMade,omitempty"` // file of the store's key on the daemon's machine, when this call made it
}

// SecretEvent is one record of the secret store's audit log.
type SecretEvent struct {
	Seq     uint64    `json:"seq"`
	At      time.Time `json:"at"`
	Action  string    `json:"action"`          // set, scope, remove, read or denied
	By      string    `json:"by,omitempty"`    // name of the token, for what people did
	Build   string    `json:"build,omitempty"` // for what builds asked
	Ref     string    `json:"ref,omitempty"`   // of that build
	Name    string    `json:"name"`
	Project string    `json:"project"`
	Version string    `json:"version,omitempty"`
	Field   string    `json:"field,omitempty"` // of the JSON object that the value is
}

const secretsPath = "/api/v1/secrets"

// Secrets lists all secrets by name; name narrows it to one, which several projects may have.
func (c *Client) Secrets(ctx context.Context, name string) ([]Secret, error) {
	query := url.Values{}
	if name != "" {
		query.Set("name", name)
	}
	return allOf[Secret](ctx, c, secretsPath, query)
}

// PutSecret makes or changes a secret. It can be repeated: what is so already is not done again.
func (c *Client) PutSecret(ctx context.Context, change SecretChange) (SecretChanged, error) {
	var out SecretChanged
	err := once(ctx, func() error {
		return c.call(ctx, request{method: http.MethodPut, path: secretsPath}, change, &out)
	})
	return out, err
}

// RemoveSecret removes a secret with all its versions; project is * for one of every project.
func (c *Client) RemoveSecret(ctx context.Context, name, project string) error {
	query := url.Values{"name": {name}, "project": {project}}
	return c.call(ctx, request{method: http.MethodDelete, path: secretsPath, query: query}, nil, nil)
}

// SecretAudit returns a page of the audit log, newest first; name narrows it to one secret.
func (c *Client) SecretAudit(ctx context.Context, name string, o ListOptions) (Page[SecretEvent], error) {
	query := url.Values{}
	for key, value := range map[string]string{"name": name, "cursor": o.Cursor} {
		if value != "" {
			query.Set(key, value)
		}
	}
	if o.Limit > 0 {
		query.Set("limit", strconv.Itoa(o.Limit))
	}
	var page Page[SecretEvent]
	err := c.get(ctx, secretsPath+"/audit", query, &page)
	return page, err
}
