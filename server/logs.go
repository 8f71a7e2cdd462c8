package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

type logIn struct {
	LogInput
	Offset int64 `query:"offset" minimum:"0" doc:"first byte"`
	Follow bool  `query:"follow" doc:"go on until nothing more will come"`
}

func (a *api) routeLogs() {
	add(a, huma.Operation{
		OperationID: "read-log", Method: http.MethodGet, Path: buildPath + "/log", Tags: []string{"builds"},
		Summary: "A job's log, as the raw bytes that it printed",
		Description: "Headers: " + client.LogSizeHeader + " (bytes stored when the answer began), " + client.LogCompleteHeader +
			" (true: nothing will be added, so the end of this answer is the end of the log), " + client.LogJobHeader + ", " +
			client.LogAttemptHeader + ", " + client.LogAttemptsHeader + ". A follower whose connection ends asks again from the byte " +
			"it has reached, unless the answer was complete.",
		Responses: streamed("text/plain"),
		Errors:    []int{http.StatusGone, http.StatusRequestedRangeNotSatisfiable},
	}, a.readLog)
	a.routeLogLines()
}

// logPlace is where a log is to be found, and how things stand with its attempt.
type logPlace struct {
	job      string // empty while the build has no jobs yet
	attempt  int    // from 1, also before there is one
	attempts int    // so far
	log      string // its id; empty while the attempt has not begun, or when it never did
	printed  bool   // the attempt is known to have printed something
	over     bool   // nothing will be added, and if another attempt follows this one, then it has begun
}

// findLog looks up where the log of an attempt is, now. Attempt 0 is the newest.
func (a *api) findLog(build, jobID string, attempt int) (logPlace, error) {
	// The build is read before its jobs: one that has ended will not get any more.
	b, err := a.Scheduler.Build(build)
	if err != nil {
		return logPlace{}, err
	}
	jobs, err := a.Scheduler.Jobs(build)
	if err != nil {
		return logPlace{}, err
	}
	if len(jobs) == 0 && !b.Status.Ended() {
		return logPlace{attempt: max(attempt, 1)}, nil // still being planned
	}
	j, err := findJob(build, jobs, jobID)
	if err != nil {
		return logPlace{}, err
	}
	jobEnded := j.State == scheduler.JobEnded || j.Status.Ended()
	p := logPlace{job: j.ID, attempt: attempt, attempts: len(j.Attempts), over: jobEnded}
	if p.attempt == 0 {
		p.attempt = max(p.attempts, 1)
	}
	for i := range j.Attempts {
		if at := &j.Attempts[i]; at.Number == p.attempt {
			p.log, p.printed = at.Log, at.Frame > 0
			p.over = at.Status.Ended() && (jobEnded || i < len(j.Attempts)-1)
			return p, nil
		}
	}
	if attempt > 1 && jobEnded {
		return logPlace{}, problem(http.StatusNotFound, fmt.Sprintf("job %s of %s has no attempt %d", j.ID, build, attempt),
			fmt.Sprintf("it has %d", p.attempts))
	}
	return p, nil
}

// logSize returns how many bytes a log has now. One that is not there is empty, unless it must once have been there.
func (a *api) logSize(p logPlace) (int64, error) {
	if p.log == "" {
		return 0, nil
	}
	state, err := a.Artifacts.LogState(p.log)
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.over && p.printed:
		return 0, problem(http.StatusGone, "the log of this attempt is no longer kept", "retention in runner.yml says how long logs are kept")
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	}
	return state.Bytes, err
}

func (a *api) readLog(ctx context.Context, in *logIn) (*huma.StreamResponse, error) {
	place, err := a.findLog(in.id(), in.Job, in.Attempt)
	if err != nil {
		return nil, err
	}
	size, err := a.logSize(place) // after the place: where that is over, this is the final size
	if err != nil {
		return nil, err
	}
	if in.Offset > size && (place.over || !in.Follow) {
		return nil, problem(http.StatusRequestedRangeNotSatisfiable,
			fmt.Sprintf("the log has %d bytes, and offset %d lies beyond them", size, in.Offset), "ask from an offset up to its size")
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		hctx.SetHeader("Content-Type", "text/plain; charset=utf-8")
		hctx.SetHeader("Content-Security-Policy", sandboxPolicy)
		hctx.SetHeader("X-Accel-Buffering", "no")
		hctx.SetHeader(client.LogSizeHeader, strconv.FormatInt(size, 10))
		hctx.SetHeader(client.LogCompleteHeader, strconv.FormatBool(place.over))
		hctx.SetHeader(client.LogAttemptHeader, strconv.Itoa(place.attempt))
		hctx.SetHeader(client.LogAttemptsHeader, strconv.Itoa(place.attempts))
		if place.job != "" {
			hctx.SetHeader(client.LogJobHeader, place.job)
		}
		if place.over || !in.Follow {
			// With its length in the header a client can tell a whole answer from one that broke off.
			hctx.SetHeader("Content-Length", strconv.FormatInt(size-in.Offset, 10))
		}
		f := &follower{a: a, ctx: ctx, build: in.id(), job: in.Job, attempt: place.attempt, pos: in.Offset, out: newStream(hctx)}
		if f.out.start(http.StatusOK) != nil {
			return
		}
		if place.over || !in.Follow {
			err = f.copyTo(place.log, size)
		} else {
			err = f.follow()
		}
		if err != nil && ctx.Err() == nil {
			a.Logger.Debug("sending a log", "build", in.id(), "log", place.log, "byte", f.pos, "error", err)
		}
		if err != nil {
			breakOff()
		}
	}}, nil
}

// logPoll is how often the log of an attempt that has begun is looked for, and logSoon how soon after a change of the
// build: it appears with the first frame, which is no change of the build, but mostly follows one at once.
const (
	logPoll = 100 * time.Millisecond
	logSoon = time.Millisecond
)

// follower sends a log while it grows.
type follower struct {
	a       *api
	ctx     context.Context
	build   string
	job     string
	attempt int
	pos     int64
	out     *stream
}

// copyTo sends what the log has up to byte end.
func (f *follower) copyTo(log string, end int64) error {
	if log == "" || f.pos >= end {
		return nil
	}
	r := f.a.Artifacts.ReadLog(f.ctx, log, f.pos, false)
	defer r.Close()
	n, err := copyBlocks(f.out, io.LimitReader(r, end-f.pos))
	f.pos += n
	if err == nil && f.pos < end {
		err = fmt.Errorf("log %s ended at byte %d of %d: %w", log, f.pos, end, io.ErrUnexpectedEOF)
	}
	return err
}

// follow sends all that comes, until the attempt is over.
func (f *follower) follow() error {
	over, stop := f.untilOver()
	defer stop()
	place, err := f.awaitLog(over)
	if err == nil && place.log != "" && !place.over {
		r := f.a.Artifacts.ReadLog(over, place.log, f.pos, true)
		var n int64
		n, err = copyBlocks(f.out, r)
		f.pos += n
		r.Close()
		if over.Err() != nil {
			err = nil // the rest is read below
		}
	}
	if err != nil {
		return err
	}
	<-over.Done() // the log is whole, but perhaps a new attempt is about to begin
	if f.ctx.Err() != nil {
		return nil // the client or the daemon goes; the client asks again
	}
	if place, err = f.a.findLog(f.build, f.job, f.attempt); err != nil {
		return err
	}
	size, err := f.a.logSize(place)
	if err != nil {
		return err
	}
	return f.copyTo(place.log, size)
}

// untilOver returns a context that ends when the attempt is over.
func (f *follower) untilOver() (context.Context, context.CancelFunc) {
	over, cancel := context.WithCancel(f.ctx)
	changed := f.a.Scheduler.Watch(over, f.build)
	go func() {
		defer cancel()
		for {
			place, err := f.a.findLog(f.build, f.job, f.attempt)
			// The pause makes up for a signal that was missed, were there ever one.
			if err != nil || place.over || !wait(over, changed, heartbeat) {
				return
			}
		}
	}()
	return over, cancel
}

// awaitLog waits until the log exists or the attempt is over.
func (f *follower) awaitLog(over context.Context) (logPlace, error) {
	changed := f.a.Scheduler.Watch(over, f.build)
	soon := logSoon
	for {
		place, err := f.a.findLog(f.build, f.job, f.attempt)
		if err != nil || place.over {
			return place, err
		}
		pause := heartbeat
		if place.log != "" {
			pause = soon
			if _, err := f.a.Artifacts.LogState(place.log); !errors.Is(err, fs.ErrNotExist) {
				return place, err
			}
		}
		began := time.Now()
		if !wait(over, changed, pause) {
			return logPlace{}, nil
		}
		if soon = min(2*soon, logPoll); time.Since(began) < pause { // a change
			soon = logSoon
		}
	}
}
