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
	SHA256  string    `json:"sha256,omitempty"` // of the tar
	Created time.Time `json:"created"`
	Used    time.Time `json:"used"`             // when it was last given to a job or, until then, made
	Hits    int64     `json:"hits"`             // how often it was given to a job
	Layers  int       `json:"layers,omitempty"` // how many it has that is mounted; none is a tar
	Earned  Earnings  `json:"earned"`
}

// Earnings is what the caches of a scope and of paths are worth, whatever their keys: medians of the last jobs that
// succeeded. SavedSeconds and SecondsPerGiB are those of the one cache that this stands with, and 0 until there were jobs
// with and without it.
type Earnings struct {
	Hits           int     `json:"hits"`   // jobs with a cache that were looked at
	Misses         int     `json:"misses"` // and without
	RestoreSeconds float64 `json:"restoreSeconds"`
	SaveSeconds    float64 `json:"saveSeconds"`
	SavedSeconds   float64 `json:"savedSeconds"` // by all its hits, restoring and saving subtracted; may be negative
	SecondsPerGiB  float64 `json:"secondsPerGiB"`
	Off            bool    `json:"off,omitempty"` // it cost more than it saved; removing it turns it on again
}

// Caches lists all caches, in no order that says anything.
func (c *Client) Caches(ctx context.Context) ([]Cache, error) {
	return all[Cache](ctx, c, "/api/v1/caches")
}

// RemoveCache removes a cache. Removing one that is gone is no error.
func (c *Client) RemoveCache(ctx context.Context, id string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: "/api/v1/caches/" + url.PathEscape(id)}, nil, nil)
}
