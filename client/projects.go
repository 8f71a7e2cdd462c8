package client

import (
	"context"
	"net/http"
	"net/url"
)

func projectPath(name, rest string) string { return "/api/v1/projects/" + url.PathEscape(name) + rest }

// Projects lists all projects by name.
func (c *Client) Projects(ctx context.Context) ([]Project, error) {
	var out Page[Project]
	var all []Project
	query := url.Values{}
	for {
		out = Page[Project]{}
		if err := c.get(ctx, "/api/v1/projects", query, &out); err != nil {
			return nil, err
		}
		all = append(all, out.Items...)
		if out.Next == "" {
			return all, nil
		}
		query.Set("cursor", out.Next)
	}
}

// Project returns one project.
func (c *Client) Project(ctx context.Context, name string) (Project, error) {
	var out Project
	err := c.get(ctx, projectPath(name, ""), nil, &out)
	return out, err
}

// PutProject makes the project p.Name, or replaces its settings. A project of the daemon's configuration file cannot
// be changed here: the *Error has status 409.
func (c *Client) PutProject(ctx context.Context, p Project) error {
	p.Managed = "" // the daemon's to say
	return c.call(ctx, request{method: http.MethodPut, path: projectPath(p.Name, "")}, p, nil)
}

// RemoveProject forgets a project. Its builds, logs and artifacts stay until their time is over.
func (c *Client) RemoveProject(ctx context.Context, name string) error {
	return c.call(ctx, request{method: http.MethodDelete, path: projectPath(name, "")}, nil, nil)
}
