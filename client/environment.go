package client

import (
	"context"
	"net/url"
)

// Environment is what a job of a build was given: images, variables, and what it was told to do.
type Environment struct {
	Build      string                `json:"build"`
	Job        string                `json:"job"`
	Attempt    int                   `json:"attempt"` // number of the newest one; 0 before the first
	Image      EnvironmentImage      `json:"image"`
	Services   []EnvironmentImage    `json:"services,omitempty"`
	Engine     string                `json:"engine,omitempty"` // id of the engine that the newest attempt ran on
	Warm       bool                  `json:"warm,omitempty"`   // its sandbox was made before there was a job for it
	Variables  []EnvironmentVariable `json:"variables"`        // by name
	Plan       []string              `json:"plan"`             // what the job does, as its buildspec says, a line each: "BUILD: make test"
	PlanCut    bool                  `json:"planCut,omitempty"`
	Incomplete bool                  `json:"incomplete,omitempty"` // an older daemon planned it, and did not note the project's variables
}

// EnvironmentImage is an image as it was named, and which one that was.
type EnvironmentImage struct {
	Name   string `json:"name"`
	ID     string `json:"id,omitempty"`     // what the engine started
	Digest string `json:"digest,omitempty"` // the registry's, of images that come from one
}

// EnvironmentVariable is one variable. The value of a secret is never told, nor one that looks like a secret, nor, to those
// who may not submit, what somebody set for that build by hand.
type EnvironmentVariable struct {
	Name   string `json:"name"`
	Value  string `json:"value,omitempty"`
	From   string `json:"from"`             // runner, buildspec, project, batch, parameter, trigger
	Secret string `json:"secret,omitempty"` // name of the parameter or secret of the daemon's store that has the value
	Hidden bool   `json:"hidden,omitempty"`
	// Mark stands for a value that is hidden or too long to be told. While the daemon runs, equal values of a name have equal
	// marks within a project.
	Mark string `json:"mark,omitempty"`
}

// Environment returns what a job of a build was given; job "" is the build's first.
func (c *Client) Environment(ctx context.Context, id, job string) (Environment, error) {
	var out Environment
	path, err := buildPath(id, "/environment")
	if err == nil {
		query := url.Values{}
		if job != "" {
			query.Set("job", job)
		}
		err = c.get(ctx, path, query, &out)
	}
	return out, err
}
