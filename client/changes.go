package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Change tells that something changed, of all that the caller may see. It has an id and a status and no more: whoever shows more asks
// for it.
type Change struct {
	Build   string `json:"build,omitempty"`
	Project string `json:"project,omitempty"` // of Build
	Status  string `json:"status,omitempty"`  // of Build, when it was told
	Trigger string `json:"trigger,omitempty"`
	Daemon  bool   `json:"daemon,omitempty"` // projects, settings or whether it drains
	// Reset tells that changes may have been missed, as after a restart of the daemon: what is shown has to be asked for again.
	Reset bool `json:"-"`
}

// Names of the events of GET /api/v1/events.
const (
	eventChange = "change"
	eventReset  = "reset"
)

// Changes calls wait after each change of a build, a trigger or the daemon, until wait says that it wants no more. The first is a
// reset, so that whoever looks then misses nothing. A daemon that restarts is waited for until ctx ends; one that cannot be
// reached to begin with is an *UnreachableError at once.
func (c *Client) Changes(ctx context.Context, wait func(Change) (more bool)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var pace backoff
	last := "" // id of the newest event; the daemon tells what came after it
	return keepReading(ctx, &pace, func() (goOn bool, err error) {
		err = c.changesOnce(ctx, last, func(id string, ch Change) (more bool) {
			pace.reset()
			last = id
			return ch == (Change{}) || wait(ch)
		})
		return last != "" || lost(err), err
	})
}

// changesOnce reads one stream of changes. A change that is empty stands for one of a kind that a newer daemon sends.
func (c *Client) changesOnce(ctx context.Context, last string, next func(id string, ch Change) (more bool)) error {
	header := http.Header{"Accept": {"text/event-stream"}}
	if last != "" {
		header.Set("Last-Event-ID", last)
	}
	resp, err := c.send(ctx, request{method: http.MethodGet, path: "/api/v1/events", header: header})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	err = eachEvent(resp.Body, func(e event) error {
		var ch Change
		if err := json.Unmarshal([]byte(e.data), &ch); err != nil && (e.name == eventChange || e.name == eventReset) {
			return fmt.Errorf("reading the daemon's event: %w", err)
		}
		ch.Reset = e.name == eventReset
		if !next(e.id, ch) {
			return errEnough
		}
		return nil
	})
	if err == nil {
		err = io.ErrUnexpectedEOF // this stream has no end
	}
	if errors.Is(err, errEnough) || ctx.Err() != nil {
		return err
	}
	return unreachable(c.base, true, fmt.Errorf("the stream of changes broke off: %w", err))
}
