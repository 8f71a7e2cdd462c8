package client

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// Overview is what somebody wants to know who comes back: what broke, what runs, what waits and why, and how each project stands.
type Overview struct {
	Moment    string         `json:"moment"` // GET /api/v1/events goes on after it
	Running   []Active       `json:"running"`
	Waiting   []Active       `json:"waiting"`
	Approvals []Trigger      `json:"approvals,omitempty"` // pull requests that wait for a person
	Broken    []Broken       `json:"broken"`              // protected refs first, then the newest
	Projects  []ProjectState `json:"projects"`            // by name
	Matching  int            `json:"matching"`            // projects that were asked for; Projects may be fewer, those that were built last
	All       int            `json:"all"`                 // projects that the caller may see
	Passing   int            `json:"passing"`             // of them, those whose default branch is green
}

// Active is a build that has not ended.
type Active struct {
	Build    string    `json:"build"`
	Project  string    `json:"project"`
	Ref      string    `json:"ref,omitempty"`
	Title    string    `json:"title,omitempty"`
	Author   string    `json:"author,omitempty"`
	Created  time.Time `json:"created"`
	Started  time.Time `json:"started,omitzero"` // when its first job began
	Seconds  float64   `json:"seconds"`          // since created
	Typical  float64   `json:"typicalSeconds,omitempty"`
	Jobs     []Job     `json:"jobs,omitempty"` // that hold a slot
	Queued   int       `json:"queued,omitempty"`
	Blocked  int       `json:"blocked,omitempty"` // that wait for other jobs
	Why      string    `json:"why,omitempty"`     // of a build that waits
	Place    int       `json:"place,omitempty"`   // in line, from 1
	Starts   time.Time `json:"starts,omitzero"`   // likely
	LeftSec  float64   `json:"leftSeconds,omitempty"`
	Failures int       `json:"failures,omitempty"` // tests that failed so far
}

// Broken is a branch, tag or pull request whose newest build failed.
type Broken struct {
	Project   string `json:"project"`
	Ref       string `json:"ref"`
	Protected bool   `json:"protected"`
	Newest    Recent `json:"newest"`
	First     Recent `json:"first"`            // that failed since the last success
	Unsure    bool   `json:"unsure,omitempty"` // there may be earlier ones
}

// Recent is a build of late.
type Recent struct {
	Build   string    `json:"build"`
	Status  string    `json:"status"`
	Ref     string    `json:"ref,omitempty"`
	Commit  string    `json:"commit,omitempty"`
	Title   string    `json:"title,omitempty"`
	Author  string    `json:"author,omitempty"`
	Message string    `json:"message,omitempty"`
	Created time.Time `json:"created"`
	Ended   time.Time `json:"ended,omitzero"`
	Seconds float64   `json:"seconds"`
}

// ProjectState is how a project stands.
type ProjectState struct {
	Name    string   `json:"name"`
	Default *Recent  `json:"default,omitempty"` // the newest build of the default branch that has ended
	Running bool     `json:"running,omitempty"`
	Recent  []Recent `json:"recent"` // the newest first, at most 30
	Typical float64  `json:"typicalSeconds,omitempty"`
}

// OverviewOptions say which projects an overview is to have.
type OverviewOptions struct {
	Match string // part of their names
	Limit int    // of projects; 0 leaves it to the daemon
}

// Overview tells what broke, runs and waits, and how projects stand.
func (c *Client) Overview(ctx context.Context, o OverviewOptions) (Overview, error) {
	query := url.Values{}
	if o.Match != "" {
		query.Set("match", o.Match)
	}
	if o.Limit > 0 {
		query.Set("limit", strconv.Itoa(o.Limit))
	}
	var out Overview
	err := c.get(ctx, "/api/v1/overview", query, &out)
	return out, err
}

// Queue is who holds the slots, and who gets them next.
type Queue struct {
	Moment   string    `json:"moment"` // GET /api/v1/events goes on after it
	Slots    int       `json:"slots"`
	Used     int       `json:"used"`
	Queued   int       `json:"queued"` // jobs that wait for a slot
	Draining bool      `json:"draining,omitempty"`
	Held     []Turn    `json:"held"`
	Waiting  []Turn    `json:"waiting"` // in the order in which they will likely start, as far as it is foreseen
	Blocked  []Turn    `json:"blocked"` // that wait for other jobs, or for their build's place in a concurrency group
	Planning []string  `json:"planning"`
	Approval []Trigger `json:"approvals"`
}

// Turn is a job that holds a slot, or waits.
type Turn struct {
	Build   string    `json:"build"`
	Project string    `json:"project"`
	Job     Job       `json:"job"`
	Since   time.Time `json:"since,omitzero"`
	Place   int       `json:"place,omitempty"` // in line, from 1, all projects counted
	Starts  time.Time `json:"starts,omitzero"` // likely
	Ends    time.Time `json:"ends,omitzero"`   // likely
}

// Queue tells who holds the slots and what waits.
func (c *Client) Queue(ctx context.Context) (Queue, error) {
	var out Queue
	err := c.get(ctx, "/api/v1/queue", nil, &out)
	return out, err
}
