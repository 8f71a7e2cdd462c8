package client

import (
	"context"
	"net/http"
	"net/url"
)

func projectPath(name, rest string) string { return "/api/v1/projects/" + url.PathEscape(name) + rest }

// Projects lists all projects by name.
func (c *Client) Projects(ctx context.Context) ([]Project, error) {
	return all[Project](ctx, c, "/api/v1/projects")
}

// all reads every page of a list.
func all[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	return allOf[T](ctx, c, path, url.Values{})
}

// allOf is all for a list that a query narrows.
func allOf[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	var items []T
	for {
		var page Page[T]
		if err := c.get(ctx, path, query, &page); err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if page.Next == "" {
			return items, nil
		}
		query.Set("cursor", page.Next)
	}
}

// Project returns one project.
func (c *Client) Project(ctx context.Context, name string) (Project, error) {
	var out Project
	err := c.get(ctx, projectPath(name, ""), nil, &out)
	return out, err
}

// ProjectTag is Project with its ETag, which PutProjectIf takes.
func (c *Client) ProjectTag(ctx context.Context, name string) (p Project, tag string, err error) {
	header := http.Header{}
	err = c.call(ctx, request{method: http.MethodGet, path: projectPath(name, ""), answered: &header}, nil, &p)
	return p, header.Get("ETag"), err
}

// PutProjectIf is PutProject for settings that were read with ProjectTag: where somebody changed them meanwhile, nothing is
// done, and the *Error has status 412.
func (c *Client) PutProjectIf(ctx context.Context, p Project, tag string) error {
	p.Managed = ""
	return c.call(ctx, request{method: http.MethodPut, path: projectPath(p.Name, ""), header: http.Header{"If-Match": {tag}}}, p, nil)
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
