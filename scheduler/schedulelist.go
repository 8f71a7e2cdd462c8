package scheduler

import (
	"slices"
	"strings"
	"time"

	"github.com/runner-ci/runner/config"
)

// shownRuns is how many coming runs of a schedule are shown.
const shownRuns = 5

// ScheduleState is a schedule with what comes of it, and what came of it last.
type ScheduleState struct {
	Project string
	config.Schedule
	Coming []time.Time // when the next runs begin, jitter included, in the schedule's time zone
	Last   *ScheduledRun
}

// ID is the schedule's name among those of all projects: "api/nightly".
func (s *ScheduleState) ID() string { return s.Project + "/" + s.Name }

// Schedules returns the schedules of all projects, by id.
func (s *Scheduler) Schedules(now time.Time) (out []ScheduleState, err error) {
	err = s.EachProject(func(p *config.Project) {
		for _, schedule := range p.Schedules {
			out = append(out, ScheduleState{Project: p.Name, Schedule: schedule})
		}
	})
	if err != nil {
		return nil, err
	}
	for i := range out {
		if err := s.fillSchedule(&out[i], now); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b ScheduleState) int { return strings.Compare(a.ID(), b.ID()) })
	return out, nil
}

func (s *Scheduler) fillSchedule(state *ScheduleState, now time.Time) error {
	row, err := s.scheduleRow(scheduleKey(state.Project, state.Name))
	if err != nil {
		return err
	}
	state.Last = row.Last
	times, err := state.Times()
	if err != nil {
		return err
	}
	late := lateness(state.Project, &state.Schedule)
	// A run whose time has come, and whose jitter has not gone by yet, comes too.
	_, due := overdue(times, times.Next(now.Add(-state.Jitter-time.Second)), now, late)
	for ; len(state.Coming) < shownRuns && !due.IsZero(); due = times.Next(due) {
		state.Coming = append(state.Coming, begins(due, late))
	}
	return nil
}
