package client

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// Stats is what became of a project's builds lately, day by day.
type Stats struct {
	Project string    `json:"project"`
	Ref     string    `json:"ref,omitempty"` // only of this one
	Whole   time.Time `json:"whole"`         // days before were too full to be counted to their end
	All     Day       `json:"all"`
	Days    []Day     `json:"days"` // the oldest first, without gaps
}

// Day is what became of the builds that were made on one day, in UTC. Seconds are of those that succeeded, from when they were
// asked for to their end.
type Day struct {
	Day           string  `json:"day"` // YYYY-MM-DD; of Stats.All the first
	Succeeded     int     `json:"succeeded"`
	Failed        int     `json:"failed"` // by their commands, or in their time
	Faults        int     `json:"faults"` // by the machine
	Stopped       int     `json:"stopped"`
	Running       int     `json:"running"`
	MedianSeconds float64 `json:"medianSeconds"` // half took less
	SlowSeconds   float64 `json:"slowSeconds"`   // nine of ten took less
}

// Ended is how many builds came to a verdict: those that were stopped have none.
func (d Day) Ended() int { return d.Succeeded + d.Failed + d.Faults }

// Branch is a branch of a project with its newest build.
type Branch struct {
	Ref     string `json:"ref"`
	Default bool   `json:"default,omitempty"`
	Build   Build  `json:"build"`
}

// StatsOptions narrow what is counted. The zero value is all builds of 30 days.
type StatsOptions struct {
	Days int
	Ref  string // branch, or a full ref
}

// Stats counts what became of a project's builds, day by day.
func (c *Client) Stats(ctx context.Context, project string, o StatsOptions) (Stats, error) {
	var out Stats
	q := ListOptions{Ref: o.Ref}.query()
	if o.Days > 0 {
		q.Set("days", strconv.Itoa(o.Days))
	}
	err := c.get(ctx, projectPath(project, "/stats"), q, &out)
	return out, err
}

// Branches returns a page of a project's branches, that with the newest build first.
func (c *Client) Branches(ctx context.Context, project, cursor string, limit int) (Page[Branch], error) {
	var out Page[Branch]
	err := c.get(ctx, projectPath(project, "/branches"), ListOptions{Cursor: cursor, Limit: limit}.query(), &out)
	return out, err
}

// ProjectCaches lists the caches that a project's jobs left, in no order that says anything.
func (c *Client) ProjectCaches(ctx context.Context, project string) ([]Cache, error) {
	return all[Cache](ctx, c, projectPath(project, "/caches"))
}

// RemoveProjectCache removes a cache of a project. The *Error has status 404 when it is of another.
func (c *Client) RemoveProjectCache(ctx context.Context, project, id string) error {
	return c.call(ctx, request{method: "DELETE", path: projectPath(project, "/caches/") + url.PathEscape(id)}, nil, nil)
}
