package client

import (
	"context"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"net/http"
	"time"
)

// backoff paces reconnects: fast at first, because a daemon restarts in less than a second, then slower, so that a
// daemon that stays away is not hammered.
type backoff struct{ next time.Duration }

const (
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 5 * time.Second
)

// wait sleeps one step, or fails with the context's cause.
func (b *backoff) wait(ctx context.Context) error {
	b.next = min(max(b.next*2, backoffFirst), backoffMost)
	// Up to a quarter more, so that a hundred clients of one daemon do not come back in the same millisecond.
	timer := time.NewTimer(b.next + mathrand.N(b.next/4))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// reset starts over, after something succeeded.
func (b *backoff) reset() { b.next = 0 }

// newKey returns an idempotency key: the daemon takes a second request with the same key for the first one.
func newKey() string { return rand.Text() }

// once repeats a call that bears an idempotency key when its answer was lost: the connection stood, so the daemon may
// have done the work. A daemon that could not be dialled at all is reported at once.
func once(ctx context.Context, call func() error) error {
	var pace backoff
	for try := 1; ; try++ {
		err := call()
		if err == nil || try == 3 || !lost(err) {
			return err
		}
		if waitErr := pace.wait(ctx); waitErr != nil {
			return waitErr
		}
	}
}

// lost tells that a daemon was there and went away before its answer was whole.
func lost(err error) bool {
	var gone *UnreachableError
	return errors.As(err, &gone) && gone.connected
}

// postOnce sends a POST with a key, and repeats it when its answer was lost.
func (c *Client) postOnce(ctx context.Context, r request, in, out any) error {
	r.method = http.MethodPost
	r.header = withHeader(r.header, idempotencyHeader, newKey())
	return once(ctx, func() error { return c.call(ctx, r, in, out) })
}
