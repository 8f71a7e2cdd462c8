package push

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// silence is how long a registry may neither take nor say anything. To store a large layer takes one minutes.
const silence = 5 * time.Minute

// silentError tells that a registry fell silent. It is a passing one, as a timeout of the network is.
type silentError struct {
	host string
	wait time.Duration
}

func (e *silentError) Error() string {
	return fmt.Sprintf("%s took nothing and said nothing for %s", e.host, e.wait)
}
func (e *silentError) Timeout() bool   { return true }
func (e *silentError) Temporary() bool { return true }

// heard ends requests at which nothing goes on for too long.
type heard struct {
	http.RoundTripper
	wait time.Duration
}

func (h heard) RoundTrip(r *http.Request) (*http.Response, error) {
	silent := &silentError{r.URL.Host, h.wait}
	ctx, cancel := context.WithCancelCause(r.Context())
	timer := time.AfterFunc(h.wait, func() { cancel(silent) })
	end := func() { timer.Stop(); cancel(nil) }
	r = r.Clone(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &heardBody{ReadCloser: r.Body, ctx: ctx, heard: func() { timer.Reset(h.wait) }}
	}
	res, err := h.RoundTripper.RoundTrip(r)
	if err != nil {
		err = because(ctx, err)
		end()
		return nil, err
	}
	timer.Reset(h.wait)
	res.Body = &heardBody{ReadCloser: res.Body, ctx: ctx, heard: func() { timer.Reset(h.wait) }, end: end}
	return res, nil
}

// because is what ended a request where it was we who did.
func because(ctx context.Context, err error) error {
	var silent *silentError
	if errors.As(context.Cause(ctx), &silent) {
		return silent
	}
	return err
}

// heardBody tells of each piece that is read.
type heardBody struct {
	io.ReadCloser
	ctx        context.Context
	heard, end func()
}

func (b *heardBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.heard()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = because(b.ctx, err)
	}
	return n, err
}

func (b *heardBody) Close() error {
	if b.end != nil {
		defer b.end()
	}
	return b.ReadCloser.Close()
}
