package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

const (
	// heartbeat is how often a stream of events says something, for proxies that cut silent connections.
	heartbeat = 15 * time.Second
	// eventPause is the least time between two events: a build of forty shards changes far more often than
	// anyone can read.
	eventPause = 100 * time.Millisecond
	// briefPause is that between two events without jobs, of which pages make others.
	briefPause = time.Second
)

// eventsIn names the build whose events are asked for, and the last one that is known.
type eventsIn struct {
	BuildInput
	Jobs bool   `query:"jobs" default:"true" doc:"whether events have the build's jobs"`
	Last string `header:"Last-Event-ID" maxLength:"100" doc:"id of the last event that came; browsers send it by themselves when they connect again"`
}

// lastOfAll is the id of the event in which a build has ended. Who knows it and asks again gets 204, which tells a browser to
// ask no more.
const lastOfAll = "end"

func (a *api) routeEvents() {
	op := huma.Operation{
		OperationID: "watch-build", Method: http.MethodGet, Path: buildPath + "/events", Tags: []string{"builds"},
		Summary: "One build's state now and after each change, as server-sent events",
		Description: "Each event is named build, its data is the build with its jobs, or without them for jobs=false, which costs far " +
			"less where many watch; then at most one a second comes until it ends. Changes that follow each other closely become one event. A comment comes every 15 s. The stream ends after the state in which the build has ended, whose id is end; " +
			"with that as Last-Event-ID there is nothing more to come, and the answer is 204.",
		Responses: streamed("text/event-stream"),
	}
	op.Responses["204"] = &huma.Response{Description: "The build has ended, and its last event is known"}
	add(a, op, func(ctx context.Context, in *eventsIn) (*huma.StreamResponse, error) {
		// The watch comes first: what changes after the first look is then not missed.
		changed := a.Scheduler.Watch(ctx, in.id())
		look := a.wholeBuild
		if !in.Jobs {
			look = a.buildAlone
		}
		first, err := look(ctx, in.id())
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(hctx huma.Context) {
			if in.Last == lastOfAll && ended(first) {
				hctx.SetStatus(http.StatusNoContent)
				return
			}
			hctx.SetHeader("Content-Type", "text/event-stream")
			hctx.SetHeader("X-Accel-Buffering", "no")
			known, _ := strconv.Atoi(in.Last)
			a.sendEvents(ctx, newStream(hctx), max(known, 0), first, look, changed)
		}}, nil
	})
}

// lookAtBuild reads a build as its watchers are to see it.
type lookAtBuild func(ctx context.Context, id string) (client.Build, error)

// sendEvents writes states until the build has ended or the client or daemon has gone. They are numbered from known on.
func (a *api) sendEvents(ctx context.Context, s *stream, known int, b client.Build, look lookAtBuild, changed <-chan struct{}) {
	if s.start(http.StatusOK) != nil {
		return
	}
	for n := known + 1; ; n++ {
		if err := sendEvent(s, n, b); err != nil || ended(b) {
			return
		}
		seen, on := a.pauseEvents(ctx, b, changed)
		if !on || !seen && !a.untilChange(ctx, s, changed) {
			return
		}
		var err error
		if b, err = look(ctx, b.ID); err != nil {
			a.Logger.Error("reading a build for its watchers", "build", b.ID, "error", err)
			return
		}
	}
}

// pauseEvents lets the least time between two events of a build pass, unless the build ends: that is what most watchers
// wait for. It tells whether there was a change, and whether to go on.
func (a *api) pauseEvents(ctx context.Context, b client.Build, changed <-chan struct{}) (seen, on bool) {
	timer := time.NewTimer(pauseFor(b.Jobs))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return seen, ctx.Err() == nil
		case <-changed:
			seen = true
			if ctx.Err() != nil || a.Scheduler.HasEnded(b.ID) {
				return true, ctx.Err() == nil
			}
		}
	}
}

// pauseFor is the least time between two events of a build with these jobs. That of a large batch is megabytes long, and some job of it
// changes all the time.
func pauseFor(jobs []client.Job) time.Duration {
	if jobs == nil {
		return briefPause
	}
	const small = 200
	return eventPause * time.Duration(1+len(jobs)/small)
}

// untilChange waits for a change and keeps the connection alive meanwhile. It returns now and then without one, too:
// durations grow, and a log's size is no change of its build.
func (a *api) untilChange(ctx context.Context, s *stream, changed <-chan struct{}) bool {
	timer := time.NewTimer(heartbeat)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-changed:
		return ctx.Err() == nil
	case <-timer.C:
		_, err := s.Write([]byte(": still here\n\n"))
		return err == nil
	}
}

func sendEvent(s *stream, n int, b client.Build) error {
	text, err := json.Marshal(b) // one line: JSON escapes line ends
	if err != nil {
		return err
	}
	id := strconv.Itoa(n)
	if ended(b) {
		id = lastOfAll
	}
	_, err = fmt.Fprintf(s, "id: %s\nevent: build\ndata: %s\n\n", id, text)
	return err
}

func ended(b client.Build) bool { return scheduler.Status(b.Status).Ended() }
