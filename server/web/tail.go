package web

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/runner-ci/runner/client"
)

const (
	// tailBytes is how much of the end of a log is read, tailLines how much of that is shown.
	tailBytes = 48 << 10
	tailLines = 80
	// causeLines is how much is shown of the log of a job that failed without a failed test.
	causeLines = 16
	// lineClip bounds a line in characters; the page of the log has it whole.
	lineClip = 2000
)

// logTail is the end of one job's log.
type logTail struct {
	Job     *client.Job
	Parts   []logPart
	Cut     bool // there is more before it
	Running bool
	Path    string // of this part alone
	Full    string // of the page of the whole log
	Raw     string // of the API, which has it as it was printed
	Trouble string // why there is none
}

// logPart is the output of one command, or what the daemon and its agent say between commands.
type logPart struct {
	Command *client.Command
	Ours    bool
	Lines   []logLine
	Open    bool
	Offset  int64
}

// ours is what lines of the agent begin with; a time follows.
const ours = "[Container] "

// oursTime is how long that time is, with the blank after it.
const oursTime = len("2006/01/02 15:04:05.000000 ")

// logLine is one line, in pieces of one style.
type logLine struct{ Runs []run }

// readTail reads the last lines of a job's log. Its failure is something to show, not the page's failure.
func (s *Site) readTail(v *visit, b client.Build, j *client.Job, lines int) *logTail {
	query := "?job=" + url.QueryEscape(j.ID)
	out := &logTail{
		Job: j, Running: j.Attempt > 0 && j.Ended.IsZero() && b.Ended.IsZero(), Path: buildPath(b.ID) + "/tail" + query, Full: buildPath(b.ID) + "/log" + query, Raw: apiBuildPath(b) + "/log" + query,
	}
	if j.Attempt == 0 {
		return out
	}
	from := max(0, j.LogBytes-tailBytes)
	text, err := s.logFrom(v, b.ID, j.ID, from)
	if err != nil {
		out.Trouble = err.Error()
		return out
	}
	if from > 0 { // begin with a whole line
		at := bytes.IndexByte(text, '\n') + 1
		text, from = text[at:], from+int64(at)
	}
	out.Cut = from > 0
	out.fold(text, from, j, lines)
	return out
}

// logFrom reads the log from a byte on, not much more than what was there a moment ago.
func (s *Site) logFrom(v *visit, id, job string, from int64) ([]byte, error) {
	r, err := s.Client.Log(v.Context(), id, job, client.LogOptions{Offset: from})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, 4*tailBytes))
}

// fold puts each line to the command that printed it, and keeps the last lines.
func (t *logTail) fold(text []byte, from int64, j *client.Job, lines int) {
	commands := slices.Clone(j.Commands)
	slices.SortStableFunc(commands, func(a, b client.Command) int { return int(min(max(a.Offset-b.Offset, -1), 1)) })
	next := 0
	for next < len(commands) && commands[next].Offset < from {
		next++
	}
	part := logPart{Offset: from}
	if next > 0 {
		part.Command = &commands[next-1]
	}
	var style ansi
	var all []logPart
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte{'\n'})
		for next < len(commands) && commands[next].Offset <= from {
			if len(part.Lines) > 0 || part.Command != nil {
				all = append(all, part)
			}
			part = logPart{Command: &commands[next], Offset: from}
			next++
		}
		shown := style.line(string(line))
		if said, is := bytes.CutPrefix(line, []byte(ours)); is && len(said) >= oursTime {
			if part.Command == nil || len(part.Lines) > 0 && from > part.Command.Offset {
				if !part.Ours && (len(part.Lines) > 0 || part.Command != nil) {
					all, part = append(all, part), logPart{Offset: from}
				}
				part.Ours = true
			}
			shown = []run{{"f", string(said[oursTime:])}}
		}
		part.Lines = append(part.Lines, logLine{clipRuns(shown)})
		from += int64(len(text) - len(rest))
		text = rest
	}
	if len(part.Lines) > 0 || part.Command != nil {
		all = append(all, part)
	}
	t.keep(all, lines)
}

// keep drops what stands before the last lines, and opens what matters: the last command, and those that failed.
func (t *logTail) keep(all []logPart, lines int) {
	for i := len(all) - 1; i >= 0; i-- {
		p := &all[i]
		if lines <= 0 {
			t.Cut, all = true, all[i+1:]
			break
		}
		if len(p.Lines) > lines {
			p.Lines, t.Cut = p.Lines[len(p.Lines)-lines:], true
		}
		lines -= max(1, len(p.Lines))
		p.Open = !p.Ours && (p.Command == nil || p.Command.Exit != 0 || i >= len(all)-2) || len(all) == 1
	}
	t.Parts = all
}

// clipRuns cuts a line that is longer than anybody reads here.
func clipRuns(runs []run) []run {
	room := lineClip
	for i := range runs {
		if n := len(runs[i].Text); n > room {
			runs[i].Text = strings.ToValidUTF8(runs[i].Text[:room], "") + "…"
			return runs[:i+1]
		}
		room -= len(runs[i].Text)
	}
	return runs
}

// Cause is the last lines of the command that failed, or else of the job: without what we say ourselves where others say something.
func (t *logTail) Cause() (lines []logLine) {
	for _, p := range t.Parts {
		switch {
		case p.Command != nil && p.Command.Exit != 0:
			lines = p.Lines[min(1, len(p.Lines)):] // the first names the command
		case p.Command == nil && !p.Ours:
			lines = append(lines, p.Lines...)
		}
	}
	return lines[max(0, len(lines)-causeLines):]
}

// Name is what the agent says first, of a part that is its own.
func (p logPart) Name() string {
	if len(p.Lines) == 0 || len(p.Lines[0].Runs) == 0 {
		return "Runner"
	}
	return p.Lines[0].Runs[0].Text
}

// tail answers with the end of a log alone, which the page of a build that runs puts in the place of what it has.
func (s *Site) tail(w http.ResponseWriter, v *visit) error {
	id, err := buildID(v)
	if err != nil {
		return err
	}
	b, err := s.Client.Build(v.Context(), id)
	if err != nil {
		return err
	}
	j := jobOf(b.Jobs, v.URL.Query().Get("job"))
	if j == nil {
		return &client.Error{Status: http.StatusNotFound, Detail: "the build has no such job", Hint: "its page lists them"}
	}
	var part bytes.Buffer
	if err := s.templates["build"].ExecuteTemplate(&part, "tail", s.readTail(v, b, j, tailLines)); err != nil {
		return fmt.Errorf("rendering the end of a log: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", Policy)
	_, _ = w.Write(part.Bytes()) // to a client that is gone there is nothing to say
	return nil
}
