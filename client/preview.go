package client

import (
	"context"
	"net/http"
	"time"
)

// Preview is where a browser finds the files of one artifact, as what they are and not as downloads: below Path, which needs no token
// but is a secret itself. They are shown as pages of no origin, so that scripts in them reach nothing.
type Preview struct {
	Path    string    `json:"path"` // ends with a slash; the path of a file follows
	Expires time.Time `json:"expires"`
}

// Preview opens the files of one job's artifact, or of its reports, to a browser for a while.
func (c *Client) Preview(ctx context.Context, id string, of Choice) (Preview, error) {
	var out Preview
	path, err := buildPath(id, "/artifacts/preview")
	if err == nil {
		err = c.call(ctx, request{method: http.MethodGet, path: path, query: of.query()}, nil, &out)
	}
	return out, err
}
