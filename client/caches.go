package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Cache is what a job left to later ones.
type Cache struct {
	ID      string    `json:"id"`
	Scope   string    `json:"scope"`         // whose jobs may read it: "api/protected", "api/ref/refs/pull/7/head"
	Key     string    `json:"key,omitempty"` // none: the next job that leaves one replaces it
	Paths   string    `json:"paths"`         // digest of the paths that were packed
	Bytes   int64     `json:"bytes"`
	SHA256  string    `json:"sha256"` // of the tar
	Created time.Time `json:"created"`
	Used    time.Time `json:"used"` // when it was last given to a job or, until then, made
	Hits    int64     `json:"hits"` // how often it was given to a job
}

// Caches lists all caches, in no order that says anything.
func (c *Client) Caches(ctx context.Context) ([]Cache, error) {
	return all[Cache](ctx, c, "/api/v1/caches")
}

// RemoveCache removes a cache. Removing one that is gone is no error.
func (c *Client) RemoveCache(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: "/api/v1/caches/" + url.PathEscape(id)}, nil, nil)
}
