package server

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

type statsIn struct {
	ProjectInput
	Days int    `query:"days" minimum:"1" maximum:"366" default:"30" doc:"how many, to this one"`
	Ref  string `query:"ref" maxLength:"1024" doc:"only of this branch, or full ref like refs/tags/v1"`
}

type branchesIn struct {
	ProjectInput
	PageInput
}

func (a *api) routeProjectStats() {
	tags := []string{"projects"}
	add(a, huma.Operation{
		OperationID: "project-stats", Method: http.MethodGet, Path: "/api/v1/projects/{name}/stats", Tags: tags,
		Summary:     "What became of a project's builds lately, and how long they took, day by day",
		Description: "The newest 5,000 builds are looked at; whole says from which day on all of them were.",
	}, a.projectStats)
	add(a, huma.Operation{
		OperationID: "list-branches", Method: http.MethodGet, Path: "/api/v1/projects/{name}/branches", Tags: tags,
		Summary: "List a project's branches that were built, each with its newest build, the newest first",
	}, a.listBranches)
}

func (a *api) projectStats(_ context.Context, in *statsIn) (*jsonOut[client.Stats], error) {
	if err := a.knownProject(in.Name); err != nil {
		return nil, err
	}
	ref, err := fullRef(in.Ref)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	days, all, whole, err := a.Scheduler.Days(scheduler.Filter{Project: in.Name, Ref: ref, Since: now.AddDate(0, 0, 1-in.Days)}, now)
	if err != nil {
		return nil, err
	}
	return answer(client.Stats{Project: in.Name, Ref: ref, Whole: whole, All: showDay(all), Days: eachOf(days, showDay)})
}

func showDay(d scheduler.Day) client.Day {
	return client.Day{
		Day: d.Day.Format(time.DateOnly), Succeeded: d.Succeeded, Failed: d.Failed, Faults: d.Faults, Stopped: d.Stopped, Running: d.Running,
		MedianSeconds: d.Median.Seconds(), SlowSeconds: d.Slow.Seconds(),
	}
}

func (a *api) listBranches(_ context.Context, in *branchesIn) (*jsonOut[client.Page[client.Branch]], error) {
	p, err := a.Scheduler.Project(in.Name)
	if err != nil {
		return nil, err
	}
	rows, next, err := a.Scheduler.Branches(in.Name, in.Cursor, in.Limit)
	if err != nil {
		return nil, badCursor(in.Cursor, err)
	}
	refs := p.DefaultRefs()
	page := client.Page[client.Branch]{Items: make([]client.Branch, len(rows)), Next: next}
	for i := range rows {
		page.Items[i] = client.Branch{Ref: rows[i].Ref, Default: slices.Contains(refs, rows[i].Ref), Build: a.showInList(&rows[i])}
	}
	return answer(page)
}
