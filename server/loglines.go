package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/client"
)

// LogInput names one attempt's log.
type LogInput struct {
	BuildInput
	Job     string `query:"job" maxLength:"200" doc:"id of the job; default: the first"`
	Attempt int    `query:"attempt" minimum:"1" doc:"which attempt; default: the newest"`
}

type linesIn struct {
	LogInput
	From  int64 `query:"from" default:"1" doc:"number of the first line, from 1; -n is the n-th from the end"`
	Count int   `query:"count" minimum:"1" maximum:"5000" default:"1000" doc:"lines; there are fewer in an answer where they are long"`
	Times bool  `query:"times" doc:"tell when lines were stored"`
}

const (
	// maxLine is how many bytes of a line are shown. A job can print a line of any length.
	maxLine = 16 << 10
	// maxLinesBytes ends an answer of many long lines.
	maxLinesBytes = 4 << 20
)

func (a *api) routeLogLines() {
	tags := []string{"builds"}
	gone := []int{http.StatusGone}
	add(a, huma.Operation{
		OperationID: "log-lines", Method: http.MethodGet, Path: buildPath + "/log/lines", Tags: tags, Errors: gone,
		Summary: "Some lines of a job's log", Description: "Each is at most 16 KiB of its line; of a progress bar, what it shows in the end. What is cut is told.",
	}, a.logLines)
	add(a, huma.Operation{
		OperationID: "search-log", Method: http.MethodGet, Path: buildPath + "/log/search", Tags: tags, Errors: gone,
		Summary:     "Lines of a job's log in which a text, or a regular expression, is found",
		Description: "Lines are searched as people see them, without escape sequences. An answer that was cut short, after two seconds of searching say, tells as next where to go on.",
	}, a.searchLog)
	add(a, huma.Operation{
		OperationID: "log-outline", Method: http.MethodGet, Path: buildPath + "/log/outline", Tags: tags, Errors: gone,
		Summary: "Which lines of a job's log are of which phase and command",
	}, func(ctx context.Context, in *LogInput) (*jsonOut[client.LogOutline], error) {
		out, err := a.outline(ctx, in.id(), in.Job, in.Attempt)
		if err != nil {
			return nil, err
		}
		return answer(out)
	})
	a.routeLogEvents()
}

// findLines finds a log as findLog does, and counts its lines.
func (a *api) findLines(ctx context.Context, build, job string, attempt int) (place logPlace, have artifacts.LogLines, err error) {
	if place, err = a.findLog(build, job, attempt); err == nil {
		have, err = a.linesOf(ctx, place)
	}
	return place, have, err
}

// linesOf counts the lines of the log at a place, which may have none yet.
func (a *api) linesOf(ctx context.Context, place logPlace) (artifacts.LogLines, error) {
	if _, err := a.logSize(place); err != nil || place.log == "" {
		return artifacts.LogLines{}, err
	}
	lines, err := a.Artifacts.LogLines(ctx, place.log)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return lines, err
}

func (a *api) logLines(ctx context.Context, in *linesIn) (*jsonOut[client.LogLines], error) {
	place, have, err := a.findLines(ctx, in.id(), in.Job, in.Attempt)
	if err != nil {
		return nil, err
	}
	out := client.LogLines{
		Job: place.job, Attempt: place.attempt, First: in.From, Lines: []string{}, Total: have.Lines, Bytes: have.Bytes, Complete: place.over,
	}
	if in.From < 0 {
		out.First = have.Lines + 1 + in.From
	}
	out.First = min(max(1, out.First), have.Lines+1)
	if have.Lines == 0 {
		return answer(out)
	}
	if out.Offset, err = a.Artifacts.LineOffset(ctx, place.log, out.First-1); err != nil {
		return nil, err
	}
	if out.Next, err = a.readLines(ctx, place.log, &out, in.Count, have.Bytes); err != nil {
		return nil, err
	}
	if in.Times {
		err = a.addTimes(ctx, place.log, &out)
	}
	if err != nil {
		return nil, err
	}
	return answer(out)
}

// readLines reads lines from where out begins, up to byte end of the log, and returns the byte behind the last that has ended.
func (a *api) readLines(ctx context.Context, log string, out *client.LogLines, count int, end int64) (next int64, err error) {
	r := a.Artifacts.ReadLog(ctx, log, out.Offset, false)
	defer r.Close()
	s := splitter{number: out.First, offset: out.Offset, pos: out.Offset}
	buf := make([]byte, streamBlock)
	size := 0
	for s.pos < end {
		n, err := r.Read(buf[:min(int64(len(buf)), end-s.pos)])
		for p := buf[:n]; len(p) > 0; {
			var ended bool
			if p, ended = s.take(p); !ended {
				continue
			}
			size += len(s.kept)
			s.give(out)
			if count--; count == 0 || size >= maxLinesBytes {
				return s.offset, nil
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
	}
	if s.size > 0 {
		next, out.Open = s.offset, true
		s.give(out)
		return next, nil
	}
	return s.offset, nil
}

// addTimes tells when the lines of out were stored.
func (a *api) addTimes(ctx context.Context, log string, out *client.LogLines) error {
	end := out.Next
	if out.Open {
		end = out.Bytes
	}
	times, err := a.Artifacts.LogTimes(ctx, log, out.Offset, end)
	if err != nil || len(times) == 0 {
		return err
	}
	offsets := make([]int64, len(times))
	for i, t := range times {
		offsets[i] = t.Offset
	}
	before, err := a.Artifacts.LinesAt(ctx, log, offsets)
	if err != nil {
		return err
	}
	for i, t := range times {
		line := max(out.First, before[i]+1)
		if n := len(out.Times); n > 0 && out.Times[n-1].Line == line {
			if line > out.First {
				continue // it began with the first of its bytes
			}
			out.Times = out.Times[:n-1]
		}
		out.Times = append(out.Times, client.LineTime{Line: line, At: t.At.UTC()})
	}
	return nil
}

// splitter cuts a log into lines, of each of which it keeps a bounded part.
type splitter struct {
	number int64 // of the line that is being read, from 1
	offset int64 // of its first byte
	pos    int64 // of the next byte
	size   int64 // bytes of the line so far
	kept   []byte
}

// take takes bytes up to the end of a line, and returns the rest. Of a line that ended, give has to be called then.
func (s *splitter) take(p []byte) (rest []byte, ended bool) {
	part := p
	if i := bytes.IndexByte(p, '\n'); i >= 0 {
		part, ended = p[:i], true
		s.pos++
	}
	s.pos += int64(len(part))
	s.size += int64(len(part))
	s.keep(part)
	if ended {
		return p[len(part)+1:], true
	}
	return nil, false
}

// keep keeps the beginning of the line. What comes behind a carriage return is written over it, and replaces what there is no
// room for.
func (s *splitter) keep(part []byte) {
	if len(s.kept)+len(part) > maxLine && len(part) > 0 {
		if i := bytes.LastIndexByte(part[:len(part)-1], '\r'); i >= 0 {
			s.kept, part = s.kept[:0], part[i+1:]
		}
	}
	s.kept = append(s.kept, part[:min(len(part), maxLine-len(s.kept))]...)
}

// give adds the line to what is shown, and begins the next one.
func (s *splitter) give(out *client.LogLines) {
	if s.size > int64(len(s.kept)) {
		out.Cut = append(out.Cut, client.CutLine{Line: s.number, Bytes: s.size})
	}
	out.Lines = append(out.Lines, string(bytes.ToValidUTF8(s.kept, []byte("\uFFFD"))))
	s.skip()
}

// skip begins the next line.
func (s *splitter) skip() {
	s.number++
	s.offset, s.size, s.kept = s.pos, 0, s.kept[:0]
}
