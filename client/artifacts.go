package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
)

// Artifacts lists the files that the jobs of a build left, a set per job that left any.
func (c *Client) Artifacts(ctx context.Context, id string) ([]ArtifactSet, error) {
	path, err := buildPath(id, "/artifacts")
	if err != nil {
		return nil, err
	}
	parts, err := all[ArtifactSet](ctx, c, path)
	if err != nil {
		return nil, err
	}
	var sets []ArtifactSet
	for _, part := range parts { // a large set comes in several, on pages of their own
		if last := len(sets) - 1; last >= 0 && sets[last].Job == part.Job {
			sets[last].Files = append(sets[last].Files, part.Files...)
		} else {
			sets = append(sets, part)
		}
	}
	return sets, nil
}

// ArtifactFile opens one file of a job's set. The path is as Artifacts lists it. Reading fails with
// io.ErrUnexpectedEOF when the connection breaks before the file is whole.
func (c *Client) ArtifactFile(ctx context.Context, id, job, path string) (io.ReadCloser, error) {
	return c.download(ctx, id, "/artifacts/file", url.Values{"job": {job}, "path": {path}})
}

// Archive opens an archive of one job's files, or with job "" of all jobs' files, each below a folder named by its
// job's id. The format is "zip" or "tar.zst". A break in the middle is an error of Read, never a short archive.
func (c *Client) Archive(ctx context.Context, id, job, format string) (io.ReadCloser, error) {
	query := url.Values{"format": {format}}
	if job != "" {
		query.Set("job", job)
	}
	return c.download(ctx, id, "/artifacts/archive", query)
}

func (c *Client) download(ctx context.Context, id, rest string, query url.Values) (io.ReadCloser, error) {
	path, err := buildPath(id, rest)
	if err != nil {
		return nil, err
	}
	resp, err := c.send(ctx, request{method: http.MethodGet, path: path, query: query})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}
