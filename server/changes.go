package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

const (
	// changePause is the least time between two groups of changes: five a second are more than a person sees.
	changePause = 200 * time.Millisecond
	// maxChanges bounds the events of one group. Whoever sees more change at once does better to look at everything.
	maxChanges = 200
)

type changesIn struct {
	After string `query:"after" maxLength:"60" doc:"moment of an overview, or id of an event: what changed since comes first"`
	Last  string `header:"Last-Event-ID" maxLength:"60" doc:"the same, as browsers send it when they come back"`
}

func (a *api) routeChanges() {
	add(a, huma.Operation{
		OperationID: "watch-all", Method: http.MethodGet, Path: "/api/v1/events", Tags: []string{"builds"},
		Summary: "What changes of all that the caller may see, as server-sent events",
		Description: "An event named change has the id and status of one build, or the id of one trigger, or daemon: true. One named " +
			"reset says that changes may have been missed, so that everything has to be asked for again; a stream begins with one " +
			"unless it is told after which event it goes on, and that is still remembered. At most five groups come a second; what " +
			"changed more than once meanwhile comes once. A comment comes every 15 s. The stream has no end.",
		Responses: streamed("text/event-stream"),
	}, func(ctx context.Context, in *changesIn) (*huma.StreamResponse, error) {
		after := in.Last
		if after == "" {
			after = in.After
		}
		return &huma.StreamResponse{Body: func(hctx huma.Context) {
			hctx.SetHeader("Content-Type", "text/event-stream")
			hctx.SetHeader("X-Accel-Buffering", "no")
			a.sendChanges(ctx, newStream(hctx), scheduler.ParseMoment(after))
		}}, nil
	})
}

// sendChanges writes what changes until the client or the daemon has gone. A client that is slow is told later, of less: nothing is
// kept for it but the moment up to which it was told.
func (a *api) sendChanges(ctx context.Context, s *stream, at scheduler.Moment) {
	changed := a.Scheduler.WatchAll(ctx)
	if s.start(http.StatusOK) != nil {
		return
	}
	for beat := time.Now(); ; {
		now := a.Scheduler.ChangedSince(at)
		at = now.Now
		text, err := a.changeEvents(ctx, now)
		if err != nil {
			a.Logger.Error("reading what changed for those who watch", "error", err)
			return
		}
		if len(text) == 0 && time.Since(beat) >= heartbeat {
			text = fmt.Appendf(nil, ": still here\nid: %s\n\n", at)
		}
		if len(text) > 0 {
			if _, err := s.Write(text); err != nil {
				return
			}
			beat = time.Now()
		}
		if !wait(ctx, nil, changePause) || !wait(ctx, changed, heartbeat) {
			return
		}
	}
}

// changeEvents are the events of a group of changes, of those that the caller may see.
func (a *api) changeEvents(ctx context.Context, now scheduler.Changed) ([]byte, error) {
	seen := sees(ctx)
	if caller(ctx).nobody {
		seen = a.isPublic // now: this stream may last for longer than that
	}
	var out []client.Change
	if !now.Missed {
		var err error
		if out, err = a.changesFor(ctx, now, seen); err != nil {
			return nil, err
		}
	}
	if now.Missed || len(out) > maxChanges {
		return fmt.Appendf(nil, "id: %s\nevent: reset\ndata: {}\n\n", now.Now), nil
	}
	var text bytes.Buffer
	for i, ch := range out {
		line, err := json.Marshal(ch)
		if err != nil {
			return nil, err
		}
		if i == len(out)-1 {
			fmt.Fprintf(&text, "id: %s\n", now.Now) // the last one's: a client that lost some of the group gets all of it again
		}
		fmt.Fprintf(&text, "event: change\ndata: %s\n\n", line)
	}
	return text.Bytes(), nil
}

func (a *api) changesFor(ctx context.Context, now scheduler.Changed, seen func(string) bool) (out []client.Change, err error) {
	var builds []string
	for _, id := range now.Builds {
		if project, _, err := scheduler.ParseBuildID(id); err == nil && seen(project) {
			builds = append(builds, id)
		}
	}
	if len(builds) > maxChanges {
		return make([]client.Change, len(builds)), nil // too many to be told
	}
	status, err := a.Scheduler.StatusOf(builds)
	if err != nil {
		return nil, err
	}
	for _, id := range builds {
		project, _, _ := scheduler.ParseBuildID(id)
		if s := status[id]; s != "" {
			out = append(out, client.Change{Build: id, Project: project, Status: string(s)})
		}
	}
	who := caller(ctx)
	if who.nobody {
		return out, nil // strangers see builds alone
	}
	for _, id := range now.Triggers {
		if len(out) > maxChanges {
			return out, nil
		}
		if a.permitTrigger(who, access.Read, id) == nil {
			out = append(out, client.Change{Trigger: id})
		}
	}
	if now.Daemon {
		out = append(out, client.Change{Daemon: true})
	}
	return out, nil
}
