package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// LogOptions says which part of a log is wanted.
type LogOptions struct {
	Offset  int64 // first byte, from 0
	Follow  bool  // go on until the job has ended
	Attempt int   // which attempt, from 1; 0 is the newest, and with Follow also those that come after it
}

// Headers that the daemon's answer to a request for a log bears.
const (
	LogSizeHeader     = "Runner-Log-Size"     // bytes stored when the answer began
	LogCompleteHeader = "Runner-Log-Complete" // "true" when nothing will be added: this answer's end is the log's end
	LogAttemptHeader  = "Runner-Log-Attempt"  // which attempt this is the log of
	LogAttemptsHeader = "Runner-Log-Attempts" // how many attempts there are so far
	LogJobHeader      = "Runner-Log-Job"      // which job this is the log of
)

// Log opens the log of one job, as the raw bytes that the job printed; job "" is the build's first. With Follow the
// reader goes on while the job runs: it reconnects from the byte it has reached when the daemon restarts, until ctx
// ends or it is closed, and it ends with io.EOF when the job's log is complete. A job that is tried again (Attempt
// 0) is followed into its next attempt.
func (c *Client) Log(ctx context.Context, id, job string, opts LogOptions) (io.ReadCloser, error) {
	path, err := buildPath(id, "/log")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	r := &logReader{ctx: ctx, cancel: cancel, c: c, path: path, job: job, opts: opts, pinned: opts.Attempt > 0}
	if err := r.connect(); err != nil {
		cancel(err)
		return nil, err
	}
	if !opts.Follow {
		// Without Follow there is one answer, and its own length tells whether it is whole.
		return &onceReader{r}, nil
	}
	return r, nil
}

// errClosed is what Read returns after Close.
var errClosed = errors.New("reading a log that was closed")

// logReader follows a log over as many connections as it takes. The one rule that makes it exact: an answer is the
// last one only if its header said "complete" before its first byte. After any other end, clean or not, the reader
// asks again from the byte it has reached. So a daemon that is stopped in good order, killed, or cut off by a proxy
// all look the same, and no byte is lost or doubled.
type logReader struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	c      *Client
	path   string
	job    string
	opts   LogOptions // Offset and Attempt move on as bytes are read
	pinned bool       // the caller asked for one certain attempt

	body     io.ReadCloser
	dry      bool // the last connection brought no byte, so the next one waits a little
	complete bool
	attempts int
	pace     backoff
}

// connect asks for the log from opts.Offset on.
func (r *logReader) connect() error {
	query := url.Values{"offset": {strconv.FormatInt(r.opts.Offset, 10)}, "follow": {strconv.FormatBool(r.opts.Follow)}}
	if r.job != "" {
		query.Set("job", r.job)
	}
	if r.opts.Attempt > 0 {
		query.Set("attempt", strconv.Itoa(r.opts.Attempt))
	}
	resp, err := r.c.send(r.ctx, request{method: http.MethodGet, path: r.path, query: query})
	if err != nil {
		return err
	}
	attempt, err := strconv.Atoi(resp.Header.Get(LogAttemptHeader))
	if err != nil {
		resp.Body.Close()
		return unreachable(r.c.base, false, fmt.Errorf("the answer to a request for a log has no %s header", LogAttemptHeader))
	}
	r.attempts, _ = strconv.Atoi(resp.Header.Get(LogAttemptsHeader))
	r.complete = resp.Header.Get(LogCompleteHeader) == "true"
	r.opts.Attempt = attempt // from now on this one, even when a newer one begins
	if job := resp.Header.Get(LogJobHeader); job != "" {
		r.job = job
	}
	r.body = resp.Body
	return nil
}

// Read reads the next bytes, over a new connection where the old one ended.
func (r *logReader) Read(p []byte) (int, error) {
	for {
		if r.ctx.Err() != nil {
			return 0, context.Cause(r.ctx)
		}
		if r.body == nil {
			if err := r.reconnect(); err != nil {
				return 0, err
			}
		}
		n, err := r.body.Read(p)
		r.opts.Offset += int64(n)
		if n > 0 {
			r.dry = false
			r.pace.reset()
		}
		if err != nil {
			r.body.Close()
			r.body = nil
			if errors.Is(err, io.EOF) && r.complete && !r.nextAttempt() {
				r.cancel(io.EOF) // this read and later ones say so
			}
		}
		if n > 0 || len(p) == 0 {
			return n, nil
		}
	}
}

// nextAttempt moves on to the attempt after one that is complete, and tells whether there is one.
func (r *logReader) nextAttempt() bool {
	if r.pinned || r.opts.Attempt >= r.attempts {
		return false
	}
	r.opts.Attempt++
	r.opts.Offset = 0
	r.dry = false
	return true
}

// reconnect connects again, for as long as the daemon is away.
func (r *logReader) reconnect() error {
	for {
		if r.dry {
			if err := r.pace.wait(r.ctx); err != nil {
				return err
			}
		}
		r.dry = true
		if err := r.connect(); err == nil || !transient(err) {
			return err
		}
	}
}

// Close ends the connection. A Read that waits returns. Cancelling is all it takes: the body belongs to Read, which
// may run at this moment, and the transport lets go of a connection whose context has ended.
func (r *logReader) Close() error {
	r.cancel(errClosed)
	return nil
}

// onceReader reads one answer and never reconnects.
type onceReader struct{ r *logReader }

func (o *onceReader) Read(p []byte) (int, error) { return o.r.body.Read(p) }

func (o *onceReader) Close() error { return o.r.Close() }
