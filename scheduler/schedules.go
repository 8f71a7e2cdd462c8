package scheduler

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/config"
)

// A schedule has a row: when it is due next, and what its last run was. The trigger of a run is committed first, under a
// delivery id made of the schedule and the time at which it was due, then the row. A daemon that dies in between finds the row
// as it was, asks for the same trigger again, and gets the first one. For the same reason a clock that is set back, which has
// the row reckoned anew, starts nothing twice.

var bucketSchedules = []byte("schedules") // project NUL schedule → scheduleRow

// scheduleRow is how far a schedule has come.
type scheduleRow struct {
	Spec string        `json:"spec"`          // what Due was reckoned by: a schedule that is changed begins anew
	At   time.Time     `json:"at"`            // Due is the first time after it. A clock that shows less was set back
	Due  time.Time     `json:"due,omitzero"`  // zero: never again
	Seen time.Time     `json:"seen,omitzero"` // the latest At before a clock was set back
	Last *ScheduledRun `json:"last,omitempty"`
}

// ScheduledRun is one run of a schedule.
type ScheduledRun struct {
	Schedule string    `json:"schedule"`         // its name
	Due      time.Time `json:"due"`              // before jitter
	Missed   int       `json:"missed,omitempty"` // runs before it for which nobody was there, and which it stands for
	Trigger  string    `json:"trigger,omitempty"`
}

const (
	// lateAfter is how late a run may begin and be on time: an upgrade or a restart of the machine takes less.
	lateAfter = 5 * time.Minute
	// maxCaughtUp is how many missed runs are caught up with at once, the newest.
	maxCaughtUp = 50
	// maxOutage bounds how far back missed runs are looked for: further back, a clock was wrong.
	maxOutage = 366 * 24 * time.Hour
	// schedulesEvery is how often schedules are looked at when none is due: a clock may have been set.
	schedulesEvery = time.Minute
)

// scheduleLoop starts what is due until ctx ends.
func (s *Scheduler) scheduleLoop(ctx context.Context, t *activity.Task) {
	for {
		t.Does("starting what is due")
		now := time.Now()
		next, err := s.tickSchedules(ctx, now)
		if err != nil {
			s.log.Error("starting what is due by schedules; trying again", "error", err, "in", schedulesEvery)
		}
		t.Waits(err)
		wait := schedulesEvery
		if !next.IsZero() {
			wait = min(wait, max(next.Sub(now), time.Second))
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-s.schedulesKick:
			timer.Stop()
		}
	}
}

// tickSchedules starts what is due by now, and returns when the next run begins; zero where none is known. Rows of schedules
// that are gone go.
func (s *Scheduler) tickSchedules(ctx context.Context, now time.Time) (next time.Time, err error) {
	var all []config.Project
	if err := s.EachProject(func(p *config.Project) {
		if len(p.Schedules) > 0 {
			all = append(all, *p)
		}
	}); err != nil {
		return next, err
	}
	there := make(map[string]bool)
	var errs []error
	for i := range all {
		for j := range all[i].Schedules {
			p, schedule := &all[i], &all[i].Schedules[j]
			there[string(scheduleKey(p.Name, schedule.Name))] = true
			at, err := s.tickSchedule(ctx, p, schedule, now)
			if err != nil {
				errs = append(errs, fmt.Errorf("schedule %s of project %s: %w", schedule.Name, p.Name, err))
			}
			if !at.IsZero() && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
	}
	return next, errors.Join(append(errs, s.forgetSchedules(there))...)
}

func (s *Scheduler) tickSchedule(ctx context.Context, p *config.Project, schedule *config.Schedule, now time.Time) (next time.Time, err error) {
	times, err := schedule.Times()
	if err != nil {
		return next, err
	}
	key := scheduleKey(p.Name, schedule.Name)
	row, err := s.scheduleRow(key)
	if err != nil {
		return next, err
	}
	spec := schedule.Cron + " " + schedule.Zone()
	if begun := row.begin(spec, times, now); begun {
		if err := s.putSchedule(key, row); err != nil {
			return next, err
		}
	}
	late := lateness(p.Name, schedule)
	due, coming := overdue(times, row.Due, now, late)
	if len(due) == 0 {
		return begins(coming, late), nil
	}
	newest := due[len(due)-1]
	due = slices.DeleteFunc(due, func(at time.Time) bool { return !at.After(row.Seen) && isLate(at, now, late) })
	for i, at := range toRun(schedule, due, now, late) {
		missed := 0
		if i == 0 {
			missed = standsFor(schedule, len(due))
		}
		run, err := s.startScheduled(ctx, p, schedule, ScheduledRun{Schedule: schedule.Name, Due: at.UTC(), Missed: missed})
		if err != nil {
			return next, err
		}
		row.Last = &run
	}
	if len(due) > 0 && (row.Last == nil || !row.Last.Due.Equal(newest)) {
		s.log.Warn("a schedule's runs were missed and are skipped", "project", p.Name, "schedule", schedule.Name, "runs", len(due), "newest", newest)
	}
	row.At, row.Due = newest, coming
	return begins(coming, late), s.putSchedule(key, row)
}

// begin has a row begin anew where its schedule is new or was changed, or where the clock was set back. What was seen before
// is not missed when the clock is set forward again; what comes by the clock comes, and is known where it was started.
func (row *scheduleRow) begin(spec string, times config.Times, now time.Time) (begun bool) {
	switch {
	case row.Spec != spec:
		row.Seen = time.Time{}
	case !now.Before(row.At):
		return false
	case row.At.After(row.Seen):
		row.Seen = row.At
	}
	row.Spec, row.At, row.Due = spec, now, times.Next(now)
	return true
}

// startScheduled commits the trigger of one run. What is known already is the run itself, found again.
func (s *Scheduler) startScheduled(ctx context.Context, p *config.Project, schedule *config.Schedule, run ScheduledRun) (ScheduledRun, error) {
	t := Trigger{
		Kind: KindSchedule, Projects: []string{p.Name}, Ref: schedule.FullRef(), Actor: "schedule/" + schedule.Name, Scheduled: &run,
		Delivery: fmt.Sprintf("schedule/%s/%s/%s", p.Name, schedule.Name, run.Due.Format(time.RFC3339)),
	}
	chosen, err := p.Choose(schedule.Parameters)
	if err != nil {
		t.Skip = "the schedule's parameters do not fit the project's: " + strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	t.Override.Parameters = chosen
	stored, created, err := s.Accept(ctx, t)
	if err != nil {
		return run, err
	}
	if created {
		s.log.Info("schedule due", "project", p.Name, "schedule", schedule.Name, "due", run.Due, "missed", run.Missed, "trigger", stored.ID)
	}
	run.Trigger = stored.ID
	return run, nil
}

// overdue returns the times whose runs should have begun, the first to the newest, and the one that comes after them.
func overdue(times config.Times, due, now time.Time, late func(time.Time) time.Duration) (all []time.Time, coming time.Time) {
	if now.Sub(due) > maxOutage && !due.IsZero() {
		due = times.Next(now.Add(-maxOutage))
	}
	for ; !due.IsZero() && !due.Add(late(due)).After(now); due = times.Next(due) {
		all = append(all, due)
	}
	return all, due
}

// toRun chooses which of the times that are overdue are run.
func toRun(schedule *config.Schedule, due []time.Time, now time.Time, late func(time.Time) time.Duration) []time.Time {
	switch schedule.MissedWord() {
	case config.MissedAll:
		return due[max(0, len(due)-maxCaughtUp):]
	case config.MissedSkip:
		if len(due) > 0 && isLate(due[len(due)-1], now, late) {
			return nil
		}
	}
	return due[max(0, len(due)-1):]
}

// isLate tells whether the run of a time was missed, and is not merely a little late.
func isLate(due, now time.Time, late func(time.Time) time.Duration) bool {
	return now.Sub(begins(due, late)) > lateAfter
}

// standsFor is how many runs the first one that is started stands for, besides itself.
func standsFor(schedule *config.Schedule, due int) int {
	switch schedule.MissedWord() {
	case config.MissedAll:
		return max(0, due-maxCaughtUp)
	case config.MissedSkip:
		return 0
	}
	return due - 1
}

// lateness tells how much later than it is due a run begins, by the schedule's jitter: always the same for the same time.
func lateness(project string, schedule *config.Schedule) func(due time.Time) time.Duration {
	return func(due time.Time) time.Duration {
		if schedule.Jitter <= 0 {
			return 0
		}
		sum := sha256.Sum256([]byte(project + "\x00" + schedule.Name + "\x00" + due.UTC().Format(time.RFC3339)))
		return time.Duration(binary.BigEndian.Uint64(sum[:])%uint64(schedule.Jitter/time.Second+1)) * time.Second
	}
}

// begins is when the run of a time that comes begins.
func begins(due time.Time, late func(time.Time) time.Duration) time.Time {
	if due.IsZero() {
		return due
	}
	return due.Add(late(due))
}

func scheduleKey(project, name string) []byte { return []byte(project + "\x00" + name) }

// scheduleRow returns a schedule's row, an empty one where there is none yet.
func (s *Scheduler) scheduleRow(key []byte) (row scheduleRow, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		stored, err := get[scheduleRow](tx, bucketSchedules, key)
		if err == nil {
			row = *stored
		} else if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return err
	})
	return row, err
}

func (s *Scheduler) putSchedule(key []byte, row scheduleRow) error {
	return s.group.update(func(tx *bbolt.Tx) error { return put(tx, bucketSchedules, key, row) })
}

// forgetSchedules drops the rows of schedules that no project has any more.
func (s *Scheduler) forgetSchedules(there map[string]bool) error {
	var gone [][]byte
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketSchedules).ForEach(func(k, _ []byte) error {
			if !there[string(k)] {
				gone = append(gone, append([]byte(nil), k...))
			}
			return nil
		})
	})
	if err != nil || len(gone) == 0 {
		return err
	}
	return s.group.update(func(tx *bbolt.Tx) error {
		for _, k := range gone {
			if err := tx.Bucket(bucketSchedules).Delete(k); err != nil {
				return err
			}
		}
		return nil
	})
}
