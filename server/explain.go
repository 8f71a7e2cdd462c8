package server

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/explain"
	"github.com/runner-ci/runner/scheduler"
)

func (a *api) routeExplain() {
	add(a, huma.Operation{
		OperationID: "explain-build", Method: http.MethodGet, Path: buildPath + "/explain", Tags: []string{"builds"},
		Summary: "Where the time of a build went, what its jobs waited for, and what would have saved some",
	}, a.explainBuild)
}

func (a *api) explainBuild(ctx context.Context, in *BuildInput) (*jsonOut[client.Explanation], error) {
	known, err := a.explained(in.id(), sees(ctx))
	if err != nil {
		return nil, err
	}
	if caller(ctx).nobody {
		forStrangers(&known)
	}
	return answer(explain.Of(known))
}

// forStrangers leaves out what is not for everybody: how busy the daemon is, and who works here.
func forStrangers(known *explain.Input) {
	known.Held = nil
	if known.Approved != nil {
		known.Approved = &scheduler.Approval{By: "somebody", At: known.Approved.At}
	}
}

// explained gathers what is known of a build, as far as the reader may see it.
func (a *api) explained(id string, seen func(project string) bool) (explain.Input, error) {
	b, err := a.Scheduler.Build(id)
	if err != nil {
		return explain.Input{}, err
	}
	in := explain.Input{Build: &b, Now: time.Now(), Slots: a.Slots()}
	if in.Jobs, err = a.Scheduler.Jobs(id); err != nil {
		return in, err
	}
	if in.Tests, err = a.Scheduler.TestRuns(id); err != nil {
		return in, err
	}
	if in.Starts, err = a.Scheduler.Starts(b.Project); err != nil {
		return in, err
	}
	if in.Held, err = a.heldSlots(&b, in.Jobs, in.Now, seen); err != nil {
		return in, err
	}
	if in.Caches, err = a.missedCaches(in.Jobs); err != nil {
		return in, err
	}
	if t, err := a.Scheduler.Trigger(b.Trigger); err == nil && b.RetryOf == "" {
		in.Approved = t.Approved
	}
	if p, err := a.Scheduler.Project(b.Project); err == nil {
		in.MaxJobs = p.MaxJobs
	}
	if kind := a.kindOf(&b); kind == string(scheduler.KindPush) || kind == string(scheduler.KindPullRequest) {
		in.Green, err = a.Scheduler.GreenBefore(&b)
	}
	return in, err
}

// heldSlots are the slots that were held while any job of the build waited. The names of builds that the reader may not see
// are left out.
func (a *api) heldSlots(b *scheduler.Build, jobs []scheduler.Job, now time.Time, seen func(project string) bool) ([]explain.Held, error) {
	var from, to time.Time
	for i := range jobs {
		j := &jobs[i]
		if j.Queued.IsZero() || j.TakenFrom != "" {
			continue
		}
		began := cmp.Or(j.Started, j.EndedAt, now)
		if began.Sub(j.Queued) < time.Second/10 {
			continue
		}
		if from.IsZero() || j.Queued.Before(from) {
			from = j.Queued
		}
		if began.After(to) {
			to = began
		}
	}
	if from.IsZero() {
		return nil, nil
	}
	held, err := a.Scheduler.Held(from, to)
	out := make([]explain.Held, len(held))
	for i, h := range held {
		if project, _, _ := strings.Cut(h.Build, "#"); project == b.Project || seen(project) {
			out[i].Build = h.Build
		}
		out[i].Began, out[i].Ended = h.Began, h.Ended
	}
	return out, err
}

// missedCaches is what the caches are worth that jobs named and were not given.
func (a *api) missedCaches(jobs []scheduler.Job) (map[string]time.Duration, error) {
	out := make(map[string]time.Duration)
	for i := range jobs {
		at := newest(&jobs[i])
		if at == nil || at.Cache == nil || at.Cache.Hit || jobs[i].TakenFrom != "" {
			continue
		}
		e, err := a.Artifacts.Earned(at.Cache.Scope, at.Cache.Paths, jobs[i].ID)
		if err != nil {
			return nil, err
		}
		if e.Known && e.PerHit > 0 {
			out[jobs[i].ID] = e.PerHit
		}
	}
	return out, nil
}
