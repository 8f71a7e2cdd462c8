package client

import (
	"context"
	"io"
	"net/http"
)

// Backup opens a backup of the daemon, taken now, as a tar. A break in the middle is an error of Read, never a short
// archive; what was read should be verified all the same, as runner backup does.
func (c *Client) Backup(ctx context.Context) (io.ReadCloser, error) {
	resp, err := c.send(ctx, request{method: http.MethodGet, path: "/api/v1/daemon/backup"})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}
