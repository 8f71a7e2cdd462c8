package server

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

const (
	// lookAhead is how many waiting jobs are shown with their places.
	lookAhead = 200
	// maxActive bounds the builds of an overview that run or wait.
	maxActive = 100
	// maxBroken bounds the refs that are shown as broken.
	maxBroken = 20
	// maxApprovals bounds the triggers that are shown as waiting for a person.
	maxApprovals = 50
)

type overviewIn struct {
	Match string `query:"match" maxLength:"200" doc:"only projects whose name has this part"`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"40" doc:"projects at most: those that were built last"`
}

func (a *api) routeOverview() {
	add(a, huma.Operation{
		OperationID: "overview", Method: http.MethodGet, Path: "/api/v1/overview", Tags: []string{"builds"},
		Summary: "What broke, what runs, what waits and why, and how each project stands",
	}, a.overview)
	add(a, huma.Operation{
		OperationID: "queue", Method: http.MethodGet, Path: "/api/v1/queue", Tags: []string{"builds"},
		Summary:     "Who holds the slots, and who likely gets them next",
		Description: "Places in line count the jobs of all projects; of those that the caller may not see, nothing else is told.",
	}, a.queue)
}

// overview reads the moment first: what changes while the rest is read is then told by the events after it.
func (a *api) overview(ctx context.Context, in *overviewIn) (*jsonOut[client.Overview], error) {
	out := client.Overview{Moment: a.Scheduler.Now().String()}
	histories, err := a.Scheduler.Histories()
	if err != nil {
		return nil, err
	}
	seen := sees(ctx)
	all := []scheduler.History{}
	if err := a.Scheduler.EachProject(func(p *config.Project) {
		if seen(p.Name) {
			all = append(all, histories[p.Name])
			all[len(all)-1].Project = p.Name
		}
	}); err != nil {
		return nil, err
	}
	out.All = len(all)
	out.Broken = showBroken(all)
	for i := range all {
		if all[i].Default.Status == scheduler.Succeeded {
			out.Passing++
		}
	}
	out.Projects, out.Matching = chosenProjects(all, in)
	if out.Running, out.Waiting, err = a.active(ctx, histories); err != nil {
		return nil, err
	}
	running := map[string]bool{}
	for _, b := range out.Running {
		running[b.Project] = true
	}
	for i := range out.Projects {
		out.Projects[i].Running = running[out.Projects[i].Name]
	}
	if !caller(ctx).nobody {
		out.Approvals, err = a.approvals(ctx)
	}
	if err != nil {
		return nil, err
	}
	return answer(out)
}

// chosenProjects shows the projects that match, those that were built last, by name.
func chosenProjects(all []scheduler.History, in *overviewIn) (out []client.ProjectState, matching int) {
	part := strings.ToLower(in.Match)
	all = slices.DeleteFunc(slices.Clone(all), func(h scheduler.History) bool { return !strings.Contains(strings.ToLower(h.Project), part) })
	matching = len(all)
	last := func(h *scheduler.History) time.Time {
		if len(h.Recent) == 0 {
			return time.Time{}
		}
		return h.Recent[0].Created
	}
	slices.SortStableFunc(all, func(x, y scheduler.History) int { return last(&y).Compare(last(&x)) })
	all = all[:min(len(all), in.Limit)]
	slices.SortFunc(all, func(x, y scheduler.History) int { return strings.Compare(x.Project, y.Project) })
	out = []client.ProjectState{}
	for i := range all {
		h := &all[i]
		p := client.ProjectState{Name: h.Project, Typical: h.Typical.Seconds(), Recent: []client.Recent{}}
		if h.Default.Number > 0 {
			m := showMark(h.Project, &h.Default)
			p.Default = &m
		}
		for j := range h.Recent {
			p.Recent = append(p.Recent, showMark(h.Project, &h.Recent[j]))
		}
		out = append(out, p)
	}
	return out, matching
}

func showMark(project string, m *scheduler.Mark) client.Recent {
	began := m.Started
	if began.IsZero() {
		began = m.Created
	}
	return client.Recent{
		Build: fmt.Sprintf("%s#%d", project, m.Number), Status: string(m.Status), Ref: m.Ref, Commit: m.Commit, Title: m.Title, Author: m.Author,
		Message: m.Message, Created: m.Created, Ended: m.EndedAt, Seconds: seconds(began, m.EndedAt),
	}
}

// showBroken shows what is broken: protected refs first, and then what broke last.
func showBroken(all []scheduler.History) []client.Broken {
	out := []client.Broken{}
	for i := range all {
		for _, b := range all[i].Broken {
			out = append(out, client.Broken{
				Project: all[i].Project, Ref: b.Ref, Protected: b.Protected, Unsure: b.Unsure,
				Newest: showMark(all[i].Project, &b.Newest), First: showMark(all[i].Project, &b.First),
			})
		}
	}
	slices.SortStableFunc(out, func(x, y client.Broken) int {
		if x.Protected != y.Protected {
			return map[bool]int{true: -1, false: 1}[x.Protected]
		}
		return cmp.Or(y.First.Created.Compare(x.First.Created), strings.Compare(x.Project, y.Project))
	})
	return out[:min(len(out), maxBroken)]
}

// active shows the builds that have not ended, those that run and those that wait.
func (a *api) active(ctx context.Context, histories map[string]scheduler.History) (running, waiting []client.Active, err error) {
	rows, _, err := a.Scheduler.Builds(scheduler.Filter{Status: scheduler.InProgress}, "", maxActive)
	if err != nil {
		return nil, nil, err
	}
	look, err := a.Scheduler.Outlook(lookAhead)
	if err != nil {
		return nil, nil, err
	}
	seen := sees(ctx)
	running, waiting = []client.Active{}, []client.Active{}
	for i := range rows {
		b := &rows[i]
		if !seen(b.Project) {
			continue
		}
		one := client.Active{
			Build: b.ID(), Project: b.Project, Ref: b.Ref, Title: b.Title, Author: b.Author, Created: b.Created, Started: b.Started,
			Seconds: seconds(b.Created, time.Time{}), Typical: histories[b.Project].Typical.Seconds(),
		}
		if t := a.buildTests(b); t != nil {
			one.Failures = len(t.Failures)
		}
		a.addTurns(ctx, &one, &look)
		if len(one.Jobs) > 0 {
			if one.Typical > 0 && !b.Started.IsZero() {
				one.LeftSec = max(0, one.Typical-time.Since(b.Started).Seconds())
			}
			running = append(running, one)
			continue
		}
		if one.Why == "" {
			one.Why = whyWhole(b, slices.Contains(look.Planning, b.ID()))
		}
		waiting = append(waiting, one)
	}
	slices.Reverse(running) // the oldest first: they keep their places on the page
	slices.SortStableFunc(waiting, func(x, y client.Active) int {
		return cmp.Or(cmp.Compare(placed(x.Place), placed(y.Place)), x.Created.Compare(y.Created))
	})
	return running, waiting, nil
}

// placed sorts those that have no place behind those that have one.
func placed(place int) int {
	if place == 0 {
		return lookAhead + 1
	}
	return place
}

// addTurns adds to a build what its jobs do.
func (a *api) addTurns(ctx context.Context, b *client.Active, look *scheduler.Outlook) {
	for i := range look.Held {
		if t := &look.Held[i]; t.Build == b.Build {
			b.Jobs = append(b.Jobs, a.showTurn(ctx, t).Job)
		}
	}
	for i := range look.Waiting {
		if t := &look.Waiting[i]; t.Build == b.Build {
			if b.Queued++; b.Queued == 1 {
				one := a.showTurn(ctx, t)
				b.Why, b.Place, b.Starts = one.Job.Why, one.Place, one.Starts
			}
		}
	}
	for i := range look.Blocked {
		if t := &look.Blocked[i]; t.Build == b.Build {
			if b.Blocked++; b.Why == "" {
				b.Why = a.showTurn(ctx, t).Job.Why
			}
		}
	}
}

// whyWhole says what a build waits for none of whose jobs tells.
func whyWhole(b *scheduler.Build, planning bool) string {
	switch {
	case b.Again != nil:
		return "waits to be tried again after a fault: " + b.Message
	case planning || b.Open == 0:
		return "its source is fetched and its plan made"
	}
	return "its next job is about to start"
}

// approvals are the triggers that wait for a person, of those that the caller may see.
func (a *api) approvals(ctx context.Context) ([]client.Trigger, error) {
	seen := sees(ctx)
	rows, _, err := visiblePage("", func(cursor string) ([]scheduler.Trigger, string, error) {
		return a.Scheduler.Triggers(scheduler.OutcomeWaiting, cursor, maxApprovals)
	}, func(t *scheduler.Trigger) bool { return seesTrigger(seen, t) })
	out := make([]client.Trigger, len(rows))
	for i := range rows {
		out[i] = showTriggerTo(ctx, rows[i])
	}
	return out, err
}

func (a *api) showTurn(ctx context.Context, t *scheduler.Turn) client.Turn {
	out := client.Turn{Build: t.Build, Project: t.Project, Job: a.showJob(&t.Job), Since: t.Since, Ends: t.Ends}
	showGroupWait(&t.Job, &out.Job, sees(ctx))
	if !caller(ctx).nobody {
		out.Place, out.Starts = t.Place, t.Starts // they tell how many others there are
	}
	return out
}

func (a *api) queue(ctx context.Context, _ *struct{}) (*jsonOut[client.Queue], error) {
	out := client.Queue{Moment: a.Scheduler.Now().String(), Planning: []string{}}
	look, err := a.Scheduler.Outlook(lookAhead)
	if err != nil {
		return nil, err
	}
	seen := sees(ctx)
	shown := func(turns []scheduler.Turn) []client.Turn {
		list := []client.Turn{}
		for i := range turns {
			if seen(turns[i].Project) {
				list = append(list, a.showTurn(ctx, &turns[i]))
			}
		}
		return list
	}
	out.Slots, out.Used, out.Queued, out.Draining = a.Slots(), a.Scheduler.Running(), a.Scheduler.Queued(), a.Scheduler.Draining()
	out.Held, out.Waiting, out.Blocked = shown(look.Held), shown(look.Waiting), shown(look.Blocked)
	for _, id := range look.Planning {
		if project, _, err := scheduler.ParseBuildID(id); err == nil && seen(project) {
			out.Planning = append(out.Planning, id)
		}
	}
	if out.Approval, err = a.approvals(ctx); err != nil {
		return nil, err
	}
	return answer(out)
}
