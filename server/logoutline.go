package server

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

// outline tells which lines of a log are of which phase and command, from what is stored of the attempt.
func (a *api) outline(ctx context.Context, build, job string, attempt int) (client.LogOutline, error) {
	place, have, err := a.findLines(ctx, build, job, attempt)
	if err != nil {
		return client.LogOutline{}, err
	}
	out := client.LogOutline{
		Job: place.job, Attempt: place.attempt, Attempts: place.attempts, Sections: []client.LogSection{},
		Total: have.Lines, Bytes: have.Bytes, Complete: place.over,
	}
	at, err := a.attempt(build, place)
	if err != nil || at == nil || have.Lines == 0 {
		return out, err
	}
	spans := append(phaseSpans(at, have.Bytes), commandSpans(at, have.Bytes)...)
	slices.SortStableFunc(spans, func(x, y span) int { return cmp.Compare(x.from, y.from) })
	offsets := make([]int64, 0, 2*len(spans))
	for _, s := range spans {
		offsets = append(offsets, s.from, s.to)
	}
	slices.Sort(offsets)
	offsets = slices.Compact(offsets)
	lines, err := a.linesBefore(ctx, place.log, offsets, have.Lines)
	if err != nil {
		return out, err
	}
	for _, s := range spans {
		s.section.First = 1 + lines[s.from]
		s.section.Lines = max(0, lines[s.to]-lines[s.from])
		out.Sections = append(out.Sections, s.section)
	}
	return out, nil
}

// attempt returns the attempt of a place, nil where it has not begun.
func (a *api) attempt(build string, place logPlace) (*scheduler.Attempt, error) {
	if place.log == "" {
		return nil, nil
	}
	jobs, err := a.Scheduler.Jobs(build)
	if err != nil {
		return nil, err
	}
	j, err := findJob(build, jobs, place.job)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(j.Attempts, func(at scheduler.Attempt) bool { return at.Number == place.attempt }); i >= 0 {
		return &j.Attempts[i], nil
	}
	return nil, nil
}

// linesBefore counts the lines before each offset, a begun one as a whole: what is said at an offset begins with the next one.
func (a *api) linesBefore(ctx context.Context, log string, offsets []int64, total int64) (map[int64]int64, error) {
	asked := make([]int64, 0, 2*len(offsets))
	for _, offset := range offsets {
		asked = append(asked, max(0, offset-1), offset)
	}
	ends, err := a.Artifacts.LinesAt(ctx, log, asked)
	if err != nil {
		return nil, err
	}
	out := make(map[int64]int64, len(offsets))
	for i, offset := range offsets {
		before, at := ends[2*i], ends[2*i+1]
		if offset > 0 && before == at { // the byte before is no line end
			at = min(total, at+1)
		}
		out[offset] = at
	}
	return out, nil
}

// span is a section with the bytes that it has.
type span struct {
	section  client.LogSection
	from, to int64
}

// phaseSpans are those of the phases that an agent ran, each up to the next.
func phaseSpans(at *scheduler.Attempt, end int64) (out []span) {
	for i, p := range showPhases(at.Phases) {
		if at.Phases[i].Offset == 0 {
			continue // one of our own, or of an older row
		}
		out = append(out, span{
			client.LogSection{Kind: "phase", Phase: p.Name, Status: p.Status, Started: p.Started, Seconds: p.Seconds},
			min(at.Phases[i].Offset, end), end,
		})
	}
	for i := range out[:max(0, len(out)-1)] {
		out[i].to = max(out[i].from, out[i+1].from)
	}
	return out
}

// commandSpans are those of the commands, each up to where it ended, or to what began next.
func commandSpans(at *scheduler.Attempt, end int64) (out []span) {
	room := len(at.Commands)
	for i, c := range showCommands(at, &room) {
		stored := &at.Commands[i]
		if stored.Offset == 0 {
			continue // of an older row: an agent speaks before any command
		}
		s := span{client.LogSection{
			Kind: "command", Phase: c.Phase, Text: c.Text, Index: c.Index, Finally: c.Finally, Exit: c.Exit, Started: c.Started, Seconds: c.Seconds,
		}, min(stored.Offset, end), end}
		switch {
		case c.Ended.IsZero() && at.EndedAt.IsZero():
			s.section.Status = string(scheduler.InProgress)
		case c.Ended.IsZero():
			s.section.Status = string(scheduler.Stopped)
		case c.Exit != 0:
			s.section.Status = string(scheduler.Failed)
		default:
			s.section.Status = string(scheduler.Succeeded)
		}
		if stored.End >= stored.Offset && stored.End > 0 {
			s.to = min(stored.End, end)
		}
		if n := len(out); n > 0 && out[n-1].to > s.from {
			out[n-1].to = s.from
		}
		out = append(out, s)
	}
	return out
}

// sameOutline tells whether nothing has changed but what grows with time and lines.
func sameOutline(a, b client.LogOutline) bool {
	same := func(x, y client.LogSection) bool {
		x.Lines, y.Lines, x.Seconds, y.Seconds = 0, 0, 0, 0
		x.Started, y.Started = time.Time{}, time.Time{}
		return x == y
	}
	return a.Attempts == b.Attempts && a.Complete == b.Complete && slices.EqualFunc(a.Sections, b.Sections, same)
}
