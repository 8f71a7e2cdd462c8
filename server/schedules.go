package server

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

type schedulesIn struct {
	PageInput
	Project string `query:"project" maxLength:"200" doc:"only of this project"`
}

func (a *api) routeSchedules() {
	add(a, huma.Operation{
		OperationID: "list-schedules", Method: http.MethodGet, Path: "/api/v1/schedules", Tags: []string{"triggers"},
		Summary: "List schedules by project and name, each with its next five runs and its last one",
	}, a.listSchedules)
}

// listSchedules pages through the schedules; the cursor is the last one of the page before.
func (a *api) listSchedules(ctx context.Context, in *schedulesIn) (*jsonOut[client.Page[client.Schedule]], error) {
	rows, err := a.Scheduler.Schedules(time.Now())
	if err != nil {
		return nil, err
	}
	seen := sees(ctx)
	page := client.Page[client.Schedule]{Items: []client.Schedule{}}
	last := ""
	for _, s := range rows {
		at := s.ID()
		if in.Cursor != "" && at <= in.Cursor || !seen(s.Project) || in.Project != "" && in.Project != s.Project {
			continue
		}
		if len(page.Items) == in.Limit {
			page.Next = last
			break
		}
		page.Items, last = append(page.Items, a.showSchedule(s)), at
	}
	return answer(page)
}

func (a *api) showSchedule(s scheduler.ScheduleState) client.Schedule {
	out := client.Schedule{Project: s.Project, ScheduleSetting: showScheduleSetting(s.Schedule), Coming: append([]time.Time{}, s.Coming...)}
	out.Timezone, out.Missed = s.Zone(), s.MissedWord()
	if s.Last == nil {
		return out
	}
	out.Last = &client.ScheduledRun{Due: s.Last.Due, Missed: s.Last.Missed, Trigger: s.Last.Trigger}
	if t, err := a.Scheduler.Trigger(s.Last.Trigger); err == nil {
		out.Last.Outcome, out.Last.Reason, out.Last.Builds = string(t.Outcome), t.Reason, t.Builds
	}
	return out
}

func showScheduleSetting(s config.Schedule) client.ScheduleSetting {
	return client.ScheduleSetting{
		Name: s.Name, Cron: s.Cron, Timezone: s.Timezone, JitterSec: int64(s.Jitter / time.Second), Missed: s.Missed, Ref: s.Ref, Parameters: s.Parameters,
	}
}

func readScheduleSetting(s client.ScheduleSetting) config.Schedule {
	return config.Schedule{
		Name: s.Name, Cron: s.Cron, Timezone: s.Timezone, Jitter: asDuration(s.JitterSec), Missed: s.Missed, Ref: s.Ref, Parameters: s.Parameters,
	}
}

// eachOf turns the elements of a list into others; of none it makes nil.
func eachOf[A, B any](from []A, turn func(A) B) (out []B) {
	for _, one := range from {
		out = append(out, turn(one))
	}
	return out
}
