package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// OpenAPI returns the daemon's description of its API, an OpenAPI 3.1 document in JSON.
func (c *Client) OpenAPI(ctx context.Context) ([]byte, error) {
	resp, err := c.send(ctx, request{method: http.MethodGet, path: "/openapi.json", header: http.Header{"Accept": {"application/openapi+json, application/problem+json"}}})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxJSON))
	if err != nil {
		return nil, unreachable(c.base, true, fmt.Errorf("the answer broke off: %w", err))
	}
	return text, nil
}
