package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// LogLines is some lines of a job's log, as the job printed them: with escape sequences, and without their ends. Bytes that
// are no UTF-8 are replaced.
type LogLines struct {
	Job      string    `json:"job,omitempty"`
	Attempt  int       `json:"attempt"`
	First    int64     `json:"first"` // number of the first of Lines, from 1
	Lines    []string  `json:"lines"`
	Cut      []CutLine `json:"cut,omitempty"` // those of Lines that are longer than what is shown of them
	Open     bool      `json:"open"`          // the last of Lines has no end yet
	Offset   int64     `json:"offset"`        // byte at which the first of Lines begins
	Next     int64     `json:"next"`          // byte behind the last of Lines that has an end
	Total    int64     `json:"total"`         // lines that the log has so far
	Bytes    int64     `json:"bytes"`         // that it has so far
	Complete bool      `json:"complete"`      // nothing will be added
	// Times tell when lines were stored, to the second: each holds up to the next. Only where they were asked for, and known.
	Times []LineTime `json:"times,omitempty"`
}

// CutLine is a line of which a part is left out.
type CutLine struct {
	Line  int64 `json:"line"`
	Bytes int64 `json:"bytes"` // that it has
}

// LineTime is when a line was stored.
type LineTime struct {
	Line int64     `json:"line"`
	At   time.Time `json:"at"`
}

// LogPlace says which log is meant.
type LogPlace struct {
	Job     string // id; "" is the first
	Attempt int    // 0 is the newest
}

func (p LogPlace) query() url.Values {
	q := url.Values{}
	if p.Job != "" {
		q.Set("job", p.Job)
	}
	if p.Attempt > 0 {
		q.Set("attempt", strconv.Itoa(p.Attempt))
	}
	return q
}

// LineRange says which lines are wanted.
type LineRange struct {
	From  int64 // number of the first, from 1; -n is the n-th from the end; 0 is 1
	Count int   // at most 5,000; 0 is 1,000. An answer has fewer where they are long
	Times bool
}

// LogLines reads some lines of a job's log.
func (c *Client) LogLines(ctx context.Context, build string, log LogPlace, lines LineRange) (LogLines, error) {
	query := log.query()
	if lines.From != 0 {
		query.Set("from", strconv.FormatInt(lines.From, 10))
	}
	if lines.Count != 0 {
		query.Set("count", strconv.Itoa(lines.Count))
	}
	if lines.Times {
		query.Set("times", "true")
	}
	var out LogLines
	return out, c.ofLog(ctx, build, "/log/lines", query, &out)
}

// LogSearch says what is looked for in a log, in its lines as people see them, without escape sequences.
type LogSearch struct {
	Text   string
	Regexp bool // Text is a regular expression of RE2
	Case   bool // capitals matter
	From   int64
	Limit  int // at most 1,000 matches; 0 is 200
}

// LogMatches is some of the lines in which something was found.
type LogMatches struct {
	Job     string     `json:"job,omitempty"`
	Attempt int        `json:"attempt"`
	Matches []LogMatch `json:"matches"`
	Next    int64      `json:"next,omitempty"` // line from which to search on; 0: to the end nothing more was found
	Total   int64      `json:"total"`          // lines that the log has so far
}

// LogMatch is a line in which something was found.
type LogMatch struct {
	Line int64  `json:"line"`
	Text string `json:"text"` // as people see it; of a long line, what is around the first match
}

// SearchLog looks for lines of a job's log.
func (c *Client) SearchLog(ctx context.Context, build string, log LogPlace, s LogSearch) (LogMatches, error) {
	query := log.query()
	query.Set("q", s.Text)
	query.Set("regexp", strconv.FormatBool(s.Regexp))
	query.Set("case", strconv.FormatBool(s.Case))
	if s.From > 0 {
		query.Set("from", strconv.FormatInt(s.From, 10))
	}
	if s.Limit > 0 {
		query.Set("limit", strconv.Itoa(s.Limit))
	}
	var out LogMatches
	return out, c.ofLog(ctx, build, "/log/search", query, &out)
}

// LogOutline is a job's log by phase and command.
type LogOutline struct {
	Job      string       `json:"job,omitempty"`
	Attempt  int          `json:"attempt"`
	Attempts int          `json:"attempts"` // so far
	Sections []LogSection `json:"sections"` // in the order of their first lines; commands after the phase that they are of
	Total    int64        `json:"total"`    // lines that the log has so far
	Bytes    int64        `json:"bytes"`
	Complete bool         `json:"complete"` // nothing will be added
}

// LogSection is the lines of a phase, or of one of its commands.
type LogSection struct {
	Kind    string    `json:"kind"` // phase, command
	Phase   string    `json:"phase"`
	Text    string    `json:"text,omitempty"` // of a command: its first line, cut
	Index   int       `json:"index"`          // of a command
	Finally bool      `json:"finally,omitempty"`
	Status  string    `json:"status"` // IN_PROGRESS, SUCCEEDED, FAILED, …; of a command that ended with its job, STOPPED
	Exit    int       `json:"exit"`   // of a command
	First   int64     `json:"first"`  // number of its first line
	Lines   int64     `json:"lines"`
	Started time.Time `json:"started,omitzero"`
	Seconds float64   `json:"seconds"` // so far, of what runs
}

// LogOutline tells which lines of a job's log are of which phase and command. What older daemons ran has none.
func (c *Client) LogOutline(ctx context.Context, build string, log LogPlace) (LogOutline, error) {
	var out LogOutline
	return out, c.ofLog(ctx, build, "/log/outline", log.query(), &out)
}

func (c *Client) ofLog(ctx context.Context, build, rest string, query url.Values, out any) error {
	path, err := buildPath(build, rest)
	if err != nil {
		return err
	}
	return c.get(ctx, path, query, out)
}

// LogEvents is what WatchLog calls. A nil one is not called.
type LogEvents struct {
	Lines   func(LogLines) error   // lines that came; the last one again and again, as long as it is Open
	Outline func(LogOutline) error // it has changed, but for what grows with the lines
}

// WatchLog calls what ev names with the lines of a job's log from a byte on, while they come, until the log is complete or a
// call returns an error. A daemon that restarts is waited for; nothing is lost, nor told twice but for an open line. Pass
// Next of what was read before as offset, and the attempt that it was of.
func (c *Client) WatchLog(ctx context.Context, build string, log LogPlace, offset int64, ev LogEvents) error {
	path, err := buildPath(build, "/log/events")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &logWatch{c: c, ev: ev, path: path, query: log.query(), offset: offset}
	return keepReading(ctx, &w.pace, func() (goOn bool, err error) {
		err = w.once(ctx)
		return w.there, err
	})
}

// logWatch is a log that is watched over as many connections as it takes.
type logWatch struct {
	c      *Client
	ev     LogEvents
	path   string
	query  url.Values
	offset int64
	there  bool // the daemon was
	pace   backoff
}

func (w *logWatch) once(ctx context.Context) error {
	w.query.Set("offset", strconv.FormatInt(w.offset, 10))
	resp, err := w.c.send(ctx, request{method: http.MethodGet, path: w.path, query: w.query, header: http.Header{"Accept": {"text/event-stream"}}})
	if err != nil {
		w.there = w.there || lost(err)
		return err
	}
	defer resp.Body.Close()
	w.there = true
	if attempt := resp.Header.Get(LogAttemptHeader); attempt != "" {
		w.query.Set("attempt", attempt) // from now on this one
	}
	var stopped error
	err = readEvents(resp.Body, func(event, data string) error {
		w.pace.reset()
		stopped = w.take(event, data)
		return stopped
	})
	if stopped != nil {
		return stopped
	}
	if err == nil {
		err = io.ErrUnexpectedEOF // the log goes on, so the stream should have
	}
	return unreachable(w.c.base, true, fmt.Errorf("the stream of a log broke off: %w", err))
}

func (w *logWatch) take(event, data string) error {
	switch event {
	case "lines":
		var l LogLines
		if err := json.Unmarshal([]byte(data), &l); err != nil {
			return fmt.Errorf("reading lines of a log: %w", err)
		}
		w.offset = l.Next
		if w.ev.Lines != nil {
			return w.ev.Lines(l)
		}
	case "outline":
		var o LogOutline
		if err := json.Unmarshal([]byte(data), &o); err != nil {
			return fmt.Errorf("reading the outline of a log: %w", err)
		}
		if w.ev.Outline != nil {
			return w.ev.Outline(o)
		}
	case "end":
		return errEnough
	}
	return nil
}
