package client

import (
	"context"
	"time"
)

// ScheduleSetting starts builds of a project by the clock.
type ScheduleSetting struct {
	Name       string            `json:"name"`
	Cron       string            `json:"cron"`               // minute, hour, day of the month, month, day of the week; or @daily and its like
	Timezone   string            `json:"timezone,omitempty"` // Europe/Berlin; default UTC
	JitterSec  int64             `json:"jitterSeconds,omitempty"`
	Missed     string            `json:"missed,omitempty"` // run-once (default), skip, all
	Ref        string            `json:"ref,omitempty"`    // branch, or refs/tags/…
	Parameters map[string]string `json:"parameters,omitempty"`
}

// Schedule is a schedule of a project with its coming runs and its last one.
type Schedule struct {
	Project string `json:"project"`
	ScheduleSetting
	Coming []time.Time   `json:"coming"` // when the next runs begin, jitter included; none where its time never comes again
	Last   *ScheduledRun `json:"last,omitempty"`
}

// ScheduledRun is one run of a schedule.
type ScheduledRun struct {
	Due     time.Time `json:"due"`              // before jitter
	Missed  int       `json:"missed,omitempty"` // runs before it that nobody was there for, and that it stands for
	Trigger string    `json:"trigger"`
	Outcome string    `json:"outcome,omitempty"` // of the trigger, while it is remembered
	Reason  string    `json:"reason,omitempty"`
	Builds  []string  `json:"builds,omitempty"`
}

// Schedules lists the schedules of all projects, by project and name.
func (c *Client) Schedules(ctx context.Context) ([]Schedule, error) {
	return all[Schedule](ctx, c, "/api/v1/schedules")
}

// ProjectSchedules lists the schedules of one project, by name.
func (c *Client) ProjectSchedules(ctx context.Context, project string) ([]Schedule, error) {
	return allOf[Schedule](ctx, c, "/api/v1/schedules", ListOptions{Project: project}.query())
}
