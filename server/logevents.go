package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/client"
)

type logEventsIn struct {
	LogInput
	Offset int64  `query:"offset" minimum:"0" doc:"byte of the log from which on lines are wanted: next of what was read before"`
	Last   string `header:"Last-Event-ID" maxLength:"20" doc:"id of the last event that was had; it goes before offset"`
}

// from is the byte from which on events are wanted.
func (in *logEventsIn) from() (int64, error) {
	if in.Last == "" {
		return in.Offset, nil
	}
	offset, err := strconv.ParseInt(in.Last, 10, 64)
	if err != nil || offset < 0 {
		return 0, problem(http.StatusBadRequest, fmt.Sprintf("Last-Event-ID is %q, and the ids of a log's events are numbers", in.Last), "send none to begin at offset")
	}
	return offset, nil
}

// partBytes is how much of a log one event holds, a long line more.
const partBytes = 64 << 10

func (a *api) routeLogEvents() {
	add(a, huma.Operation{
		OperationID: "log-events", Method: http.MethodGet, Path: buildPath + "/log/events", Tags: []string{"builds"},
		Summary: "The lines of a job's log as they come, as server-sent events",
		Description: "An event named lines has some lines; the last of them is open where it has no end yet, and comes again with the next event. " +
			"Its id is the byte at which the next event begins, so that a browser resumes without a gap. An event named outline has the outline when that " +
			"has changed; end says that nothing more will come. Lines that follow each other closely come together, ten times a second. A comment comes every 15 s.",
		Responses: streamed("text/event-stream"),
		Errors:    []int{http.StatusGone, http.StatusRequestedRangeNotSatisfiable},
	}, a.logEvents)
}

func (a *api) logEvents(ctx context.Context, in *logEventsIn) (*huma.StreamResponse, error) {
	from, err := in.from()
	if err != nil {
		return nil, err
	}
	place, have, err := a.findLines(ctx, in.id(), in.Job, in.Attempt)
	if err != nil {
		return nil, err
	}
	if from > have.Bytes {
		return nil, problem(http.StatusRequestedRangeNotSatisfiable,
			fmt.Sprintf("the log has %d bytes, and offset %d lies beyond them", have.Bytes, from), "ask from an offset up to its size")
	}
	first := int64(1)
	if from > 0 { // an id that is none of ours may lie within a line, which is then had as a whole
		lines, err := a.Artifacts.LinesAt(ctx, place.log, []int64{from})
		if err != nil {
			return nil, err
		}
		first += lines[0]
		if from, err = a.Artifacts.LineOffset(ctx, place.log, lines[0]); err != nil {
			return nil, err
		}
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		hctx.SetHeader("Content-Type", "text/event-stream")
		hctx.SetHeader("X-Accel-Buffering", "no")
		hctx.SetHeader(client.LogAttemptHeader, strconv.Itoa(place.attempt))
		w := &logWatcher{a: a, ctx: ctx, in: in, place: place, pos: from, line: first, out: newStream(hctx)}
		if w.out.start(http.StatusOK) != nil {
			return
		}
		if err := w.run(); err != nil && ctx.Err() == nil {
			a.Logger.Debug("sending lines of a log", "build", in.id(), "log", place.log, "byte", w.pos, "error", err)
		}
	}}, nil
}

// logWatcher sends one log to one client.
type logWatcher struct {
	a     *api
	ctx   context.Context
	in    *logEventsIn
	place logPlace
	pos   int64 // where what was not sent yet begins
	line  int64 // its number, from 1
	out   *stream
}

// run sends all that there is and, of a log that grows, what comes: as the log's feed has it, which is the same for all.
func (w *logWatcher) run() error {
	if !w.place.over {
		f := w.a.logFeeds.join(w.a, w.in.id(), w.in.Job, w.place)
		defer w.a.logFeeds.leave(f)
		if err := w.follow(f); err != nil || w.ctx.Err() != nil {
			return err
		}
		var err error
		if w.place, err = w.a.findLog(w.in.id(), w.in.Job, w.place.attempt); err != nil {
			return err
		}
		if !w.place.over {
			return errors.New("the feed of the log broke off") // the client asks again
		}
	}
	have, err := w.a.linesOf(w.ctx, w.place)
	if err == nil {
		err = w.catchUp(have.Bytes)
	}
	if err != nil {
		return err
	}
	end := client.LogLines{
		Job: w.place.job, Attempt: w.place.attempt, First: have.Lines + 1, Lines: []string{}, Offset: have.Bytes, Next: have.Bytes,
		Total: have.Lines, Bytes: have.Bytes, Complete: true,
	}
	return w.send(logEvent("end", have.Bytes, end))
}

// follow sends what the feed has until that is over.
func (w *logWatcher) follow(f *feed) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	seq := 0
	for {
		part, behind, more := f.next(&seq, w.pos)
		switch {
		case behind > w.pos:
			if err := w.catchUp(behind); err != nil {
				return err
			}
			continue
		case part != nil:
			if err := w.send(part.text); err != nil {
				return err
			}
			w.pos, w.line = part.to, part.line
			continue
		case more == nil:
			return nil
		}
		select {
		case <-more:
		case <-beat.C:
			if err := w.send([]byte(": still here\n\n")); err != nil {
				return err
			}
		case <-w.ctx.Done():
			return nil
		}
	}
}

// catchUp sends lines up to a byte of the log, read for this client alone.
func (w *logWatcher) catchUp(end int64) error {
	r := w.a.Artifacts.ReadLog(w.ctx, w.place.log, w.pos, false)
	defer r.Close()
	c := partCutter{splitter: splitter{number: w.line, offset: w.pos, pos: w.pos}}
	for c.pos < end {
		if err := c.read(r, end); err != nil {
			return err
		}
		if err := w.send(c.part(w.place).text); err != nil {
			return err
		}
		w.pos, w.line = c.offset, c.number
	}
	return nil
}

func (w *logWatcher) send(text []byte) error {
	_, err := w.out.Write(text)
	return err
}

// logEvent is an event as it is sent.
func logEvent(name string, id int64, data any) []byte {
	text, err := json.Marshal(data) // one line: JSON escapes line ends
	if err != nil {
		panic(err) // these types can be written
	}
	return fmt.Appendf(nil, "id: %d\nevent: %s\ndata: %s\n\n", id, name, text)
}
