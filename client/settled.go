package client

import (
	"context"
	"time"
)

// settleWait bounds how long Settled waits, settleEvery is how often it asks.
const (
	settleWait  = 30 * time.Second
	settleEvery = 100 * time.Millisecond
)

// Settled returns a build that has ended once the reports of its jobs have been read, which happens after its end. It
// waits no longer than half a minute: large reports of many builds are read one after the other.
func (c *Client) Settled(ctx context.Context, b Build) (Build, error) {
	end := time.Now().Add(settleWait)
	for b.Tests != nil && b.Tests.Pending && time.Now().Before(end) {
		select {
		case <-ctx.Done():
			return b, context.Cause(ctx)
		case <-time.After(settleEvery):
		}
		next, err := c.Build(ctx, b.ID)
		if err != nil {
			return b, err
		}
		b = next
	}
	return b, nil
}
