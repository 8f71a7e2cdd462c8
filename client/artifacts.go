package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
)

// Artifacts lists the files that the jobs of a build left, a set for each artifact. Report files are left out.
func (c *Client) Artifacts(ctx context.Context, id string) ([]ArtifactSet, error) {
	return c.sets(ctx, id, "/artifacts")
}

// Reports lists the report files that the jobs of a build left, a set per job that left any.
func (c *Client) Reports(ctx context.Context, id string) ([]ArtifactSet, error) {
	return c.sets(ctx, id, "/reports")
}

// ArtifactSums lists the sets of Artifacts, or of Reports with reports, without their files, the first 200 at most.
func (c *Client) ArtifactSums(ctx context.Context, id string, reports bool) ([]ArtifactSet, error) {
	var page Page[ArtifactSet]
	rest := "/artifacts"
	if reports {
		rest = "/reports"
	}
	path, err := buildPath(id, rest)
	if err == nil {
		err = c.get(ctx, path, url.Values{"brief": {"true"}, "limit": {"200"}}, &page)
	}
	return page.Items, err
}

func (c *Client) sets(ctx context.Context, id, rest string) ([]ArtifactSet, error) {
	path, err := buildPath(id, rest)
	if err != nil {
		return nil, err
	}
	parts, err := all[ArtifactSet](ctx, c, path)
	if err != nil {
		return nil, err
	}
	var sets []ArtifactSet
	for _, part := range parts { // a large set comes in several, on pages of their own
		if last := len(sets) - 1; last >= 0 && sets[last].Job == part.Job && sets[last].Artifact == part.Artifact {
			sets[last].Files = append(sets[last].Files, part.Files...)
		} else {
			sets = append(sets, part)
		}
	}
	return sets, nil
}

// ArtifactFile opens one file of a job's artifacts. The path is as Artifacts lists it. Reading fails with
// io.ErrUnexpectedEOF when the connection breaks before the file is whole.
func (c *Client) ArtifactFile(ctx context.Context, id, job, path string) (io.ReadCloser, error) {
	return c.FileOf(ctx, id, Choice{Job: job}, path)
}

// FileOf opens one file of what is chosen, as ArtifactFile does.
func (c *Client) FileOf(ctx context.Context, id string, of Choice, path string) (io.ReadCloser, error) {
	query := of.query()
	query.Set("path", path)
	return c.download(ctx, id, "/artifacts/file", query)
}

// Archive opens an archive of one job's files, or with job "" of all jobs' files. The format is "zip" or "tar.zst". See
// ArchiveOf.
func (c *Client) Archive(ctx context.Context, id, job, format string) (io.ReadCloser, error) {
	return c.ArchiveOf(ctx, id, Choice{Job: job}, format)
}

// ArchiveOf opens an archive of what is chosen. The one set of one job lies in it as it is; otherwise each lies below a
// folder named by its job's id, or for a secondary artifact by job and artifact, "linux_symbols". A break in the middle
// is an error of Read, never a short archive.
func (c *Client) ArchiveOf(ctx context.Context, id string, of Choice, format string) (io.ReadCloser, error) {
	query := of.query()
	query.Set("format", format)
	return c.download(ctx, id, "/artifacts/archive", query)
}

func (of Choice) query() url.Values {
	query := url.Values{}
	if of.Job != "" {
		query.Set("job", of.Job)
	}
	if of.Artifact != "" {
		query.Set("artifact", of.Artifact)
	}
	if of.Reports {
		query.Set("reports", "true")
	}
	return query
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
