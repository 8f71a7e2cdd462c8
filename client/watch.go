package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// statusInProgress is the status of a build that has not ended.
const statusInProgress = "IN_PROGRESS"

// Watch calls wait with the build's state now and after each change, until wait says that it wants no more or the
// build has ended. States may be skipped, never repeated out of order. A daemon that restarts is waited for until
// ctx ends; one that cannot be reached to begin with is an *UnreachableError at once.
func (c *Client) Watch(ctx context.Context, id string, wait func(Build) (more bool)) error {
	path, err := buildPath(id, "/events")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var pace backoff
	there := false // the daemon was, so that it is worth waiting for
	return keepReading(ctx, &pace, func() (goOn bool, err error) {
		err = c.watchOnce(ctx, path, func(b Build) (more bool) {
			there = true
			pace.reset()
			return wait(b) && b.Status == statusInProgress
		})
		there = there || lost(err)
		return there, err
	})
}

// keepReading reads a stream again after each time that it broke off, until its reader has had enough, ctx ends, or the failure is
// one that does not pass. once reads it as far as it goes, and says whether the daemon is worth waiting for.
func keepReading(ctx context.Context, pace *backoff, once func() (goOn bool, err error)) error {
	for {
		goOn, err := once()
		switch {
		case errors.Is(err, errEnough):
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !goOn || !transient(err):
			return err
		}
		if err := pace.wait(ctx); err != nil {
			return err
		}
	}
}

// errEnough ends a stream because its reader has seen what it waited for.
var errEnough = errors.New("enough")

// watchOnce reads one event stream. It returns errEnough, or a transient error when the stream broke off.
func (c *Client) watchOnce(ctx context.Context, path string, next func(Build) bool) error {
	resp, err := c.send(ctx, request{method: http.MethodGet, path: path, header: http.Header{"Accept": {"text/event-stream"}}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	err = readEvents(resp.Body, func(event, data string) error {
		if event != "build" {
			return nil // a kind that a newer daemon sends
		}
		var b Build
		if err := json.Unmarshal([]byte(data), &b); err != nil {
			return fmt.Errorf("reading the daemon's event: %w", err)
		}
		if !next(b) {
			return errEnough
		}
		return nil
	})
	if err == nil {
		err = io.ErrUnexpectedEOF // the build goes on, so the stream should have
	}
	if errors.Is(err, errEnough) || ctx.Err() != nil {
		return err
	}
	return unreachable(c.base, true, fmt.Errorf("the stream of events broke off: %w", err))
}

// maxEvent bounds the bytes of one line of an event stream.
const maxEvent = 16 << 20

// event is one server-sent event. Its id is the newest that was sent, which may be that of an event before it.
type event struct{ id, name, data string }

// readEvents is eachEvent for streams whose events need no id.
func readEvents(r io.Reader, each func(event, data string) error) error {
	return eachEvent(r, func(e event) error { return each(e.name, e.data) })
}

// eachEvent parses a stream of server-sent events and calls each for every one that is whole. Comments, which the
// daemon sends to keep the connection alive, are skipped. It returns nil at the stream's end.
func eachEvent(r io.Reader, each func(event) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), maxEvent)
	var e event
	var data []string
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			if len(data) > 0 {
				e.data = strings.Join(data, "\n")
				if err := each(e); err != nil {
					return err
				}
			}
			e.name, data = "", nil
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			data = append(data, value)
		}
	}
	return lines.Err()
}
