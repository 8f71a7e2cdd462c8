package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/secrets"
)

// BuildInput names one build in a path. Like the other Inputs it is exported for the sake of reflection, by which huma
// finds the fields of embedded types.
type BuildInput struct {
	Project string `path:"project" maxLength:"200" example:"api"`
	Number  int    `path:"number" minimum:"1" example:"142"`
}

func (in *BuildInput) id() string { return fmt.Sprintf("%s#%d", in.Project, in.Number) }

const buildPath = "/api/v1/builds/{project}/{number}"

// PageInput asks for one page of a list.
type PageInput struct {
	Cursor string `query:"cursor" maxLength:"200" doc:"next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"items a page"`
}

// badCursor makes a list's failure to find its cursor the caller's mistake, which it is.
func badCursor(cursor string, err error) error {
	if cursor != "" && (errors.Is(err, scheduler.ErrNotFound) || errors.Is(err, secrets.ErrInvalid) || errors.Is(err, access.ErrInvalid)) {
		return problem(http.StatusBadRequest, plainly(err), "pass next of the page before as cursor, or none for the first page")
	}
	return err
}

type buildsIn struct {
	PageInput
	Project string    `query:"project" maxLength:"200" doc:"only of this project"`
	Status  string    `query:"status" enum:"IN_PROGRESS,SUCCEEDED,FAILED,FAULT,TIMED_OUT,STOPPED" doc:"only with this status"`
	Ref     string    `query:"ref" maxLength:"1024" doc:"only of this branch, or full ref like refs/tags/v1"`
	Trigger string    `query:"trigger" enum:"push,tag,pull_request,release,comment,submit,manual,retry,schedule,registry" doc:"only by this kind of trigger"`
	Author  string    `query:"author" maxLength:"200" doc:"only by authors whose name has this"`
	Text    string    `query:"q" maxLength:"200" doc:"only with this in the title, of this number, or of a commit that begins so"`
	Since   time.Time `query:"since" doc:"only made then or later"`
	Until   time.Time `query:"until" doc:"only made before"`
}

// filter is what the scheduler is asked for.
func (in *buildsIn) filter() (scheduler.Filter, error) {
	ref, err := fullRef(in.Ref)
	return scheduler.Filter{
		Project: in.Project, Status: scheduler.Status(in.Status), Ref: ref, Kind: scheduler.TriggerKind(in.Trigger),
		Author: in.Author, Text: strings.TrimSpace(in.Text), Since: in.Since, Until: in.Until,
	}, err
}

func (a *api) routeBuilds() {
	tags := []string{"builds"}
	add(a, huma.Operation{
		OperationID: "list-builds", Method: http.MethodGet, Path: "/api/v1/builds", Tags: tags,
		Summary:     "List builds, newest first, without their jobs",
		Description: "Where little is chosen of much, a page may be short, or empty: next says whether there is more.",
	}, a.listBuilds)
	add(a, huma.Operation{
		OperationID: "show-build", Method: http.MethodGet, Path: buildPath, Tags: tags,
		Summary: "One build with its jobs",
	}, func(ctx context.Context, in *BuildInput) (*jsonOut[client.Build], error) {
		b, err := a.wholeBuild(ctx, in.id())
		if err != nil {
			return nil, err
		}
		return answer(b)
	})
	add(a, huma.Operation{
		OperationID: "stop-build", Method: http.MethodPost, Path: buildPath + "/stop", Tags: tags,
		Summary: "End a build as STOPPED. One that has ended stays as it is",
	}, a.stopBuild)
	add(a, huma.Operation{
		OperationID: "retry-build", Method: http.MethodPost, Path: buildPath + "/retry", Tags: tags,
		Summary:       "Ask for a new build of the same commit and plan",
		DefaultStatus: http.StatusAccepted, Errors: []int{http.StatusConflict, http.StatusServiceUnavailable},
	}, a.retryBuild)
	add(a, huma.Operation{
		OperationID: "resume-build", Method: http.MethodPost, Path: buildPath + "/resume", Tags: tags,
		Summary: "Let jobs go on that wait at a breakpoint", Errors: []int{http.StatusConflict},
	}, a.resumeBuild)
	a.routeEnvironment()
	a.routeEvents()
	a.routeExplain()
}

func (a *api) listBuilds(ctx context.Context, in *buildsIn) (*jsonOut[client.Page[client.Build]], error) {
	filter, err := in.filter()
	if err != nil {
		return nil, err
	}
	seen := sees(ctx)
	rows, next, err := visiblePage(in.Cursor, func(cursor string) ([]scheduler.Build, string, error) {
		return a.Scheduler.Builds(filter, cursor, in.Limit)
	}, func(b *scheduler.Build) bool { return seen(b.Project) })
	if err != nil {
		return nil, err
	}
	page := client.Page[client.Build]{Items: make([]client.Build, len(rows)), Next: next}
	for i := range rows {
		page.Items[i] = a.showInList(&rows[i])
	}
	return answer(page)
}

// showInList shows a build among others: its failed tests are explained where it is asked for alone.
func (a *api) showInList(b *scheduler.Build) client.Build {
	out := a.showBuild(b)
	if out.Tests != nil {
		out.Tests.Failures = nil
	}
	return out
}

// wholeBuild reads a build with its jobs.
func (a *api) wholeBuild(ctx context.Context, id string) (client.Build, error) {
	b, err := a.Scheduler.Build(id)
	if err != nil {
		return client.Build{}, err
	}
	jobs, err := a.Scheduler.Jobs(id)
	if err != nil {
		return client.Build{}, err
	}
	out := a.showBuild(&b)
	out.Jobs = make([]client.Job, len(jobs))
	room := maxShownCommands
	for i := range jobs {
		out.Jobs[i] = a.showJob(&jobs[i])
		out.Jobs[i].Commands = showCommands(newest(&jobs[i]), &room)
		showGroupWait(&jobs[i], &out.Jobs[i], sees(ctx))
		if b.Plan != nil && i < len(b.Plan.Jobs) && b.Plan.Jobs[i].ID == jobs[i].ID {
			planned(&out.Jobs[i], &b.Plan.Jobs[i])
			out.Jobs[i].ImageDigest = b.Images[out.Jobs[i].Image].Digest
		}
	}
	if caller(ctx).nobody { // what is done with a job besides is no public matter
		for i := range out.Jobs {
			out.Jobs[i].Kept, out.Jobs[i].Entered = nil, ""
		}
	}
	if p := a.Scheduler.TestProgress(id); p.Total > 0 && !b.Status.Ended() {
		out.TestProgress = &client.TestProgress{Done: p.Done, Failed: p.Failed, Total: p.Total}
	}
	if g := a.Scheduler.PushProof(context.Background(), &b, jobs); g != nil {
		out.PushProof = &client.PushProof{Trusted: g.Trusted, Until: g.Until}
	}
	return out, nil
}

// buildAlone is a build as lists have it, without its jobs.
func (a *api) buildAlone(_ context.Context, id string) (client.Build, error) {
	b, err := a.Scheduler.Build(id)
	if err != nil {
		return client.Build{}, err
	}
	return a.showBuild(&b), nil
}

// planned adds to a job what its plan says of it.
func planned(j *client.Job, pj *buildspec.Job) {
	j.Image, j.DependsOn, j.Ignored = pj.Image, pj.DependsOn, pj.IgnoreFailure
}

func (a *api) stopBuild(ctx context.Context, in *BuildInput) (*jsonOut[client.Build], error) {
	_, err := a.Scheduler.Stop(ctx, in.id(), callerOf(ctx))
	if err != nil && !errors.Is(err, scheduler.ErrEnded) {
		return nil, err
	}
	b, err := a.wholeBuild(ctx, in.id())
	if err != nil {
		return nil, err
	}
	return answer(b)
}

type retryIn struct {
	BuildInput
	KeyInput
	Failed bool `query:"failed" doc:"take over the results of the jobs that succeeded"`
}

func (a *api) retryBuild(ctx context.Context, in *retryIn) (*jsonOut[client.Trigger], error) {
	return a.accept(ctx, in.KeyInput, scheduler.Trigger{
		Kind: scheduler.KindRetry, RetryOf: in.id(), FailedOnly: in.Failed, Projects: []string{in.Project},
	})
}

type resumeIn struct {
	BuildInput
	ReplayInput
	Job string `query:"job" maxLength:"200" doc:"id of the job; default: every one that waits at a breakpoint"`
}

// resumed tells which jobs were told to go on.
type resumed struct {
	Jobs []string `json:"jobs"`
}

func (a *api) resumeBuild(ctx context.Context, in *resumeIn) (*jsonOut[resumed], error) {
	jobs, err := a.Scheduler.Resume(ctx, in.id(), in.Job, callerOf(ctx))
	if err != nil {
		return nil, err
	}
	return answer(resumed{jobs})
}

// KeyInput carries the key by which a request that was sent twice is known.
type KeyInput struct {
	Key         string `header:"Idempotency-Key" maxLength:"128" doc:"a second request with the same key gets the first one's answer"`
	Traceparent string `header:"traceparent" maxLength:"512" doc:"W3C trace context of the caller: the build's trace gets a link to it"`
}

// accept stores a trigger that the API was asked for.
func (a *api) accept(ctx context.Context, key KeyInput, t scheduler.Trigger) (*jsonOut[client.Trigger], error) {
	t.Actor, t.Parent = callerOf(ctx), clip(key.Traceparent, 55)
	if key.Key != "" {
		// With the caller's name in it, so that no one can guess another's key and read what was made by it.
		t.Delivery = strings.Join([]string{"api", string(t.Kind), url.PathEscape(t.Actor), key.Key}, "/")
	}
	stored, _, err := a.Scheduler.Accept(ctx, t)
	if err != nil {
		return nil, err
	}
	return answer(showTriggerTo(ctx, stored))
}

// findJob returns the job of that id, or the first one when id is empty.
func findJob(build string, jobs []scheduler.Job, id string) (*scheduler.Job, error) {
	if i := slices.IndexFunc(jobs, func(j scheduler.Job) bool { return id == "" || j.ID == id }); i >= 0 {
		return &jobs[i], nil
	}
	ids := make([]string, len(jobs))
	for i := range jobs {
		ids[i] = jobs[i].ID
	}
	if len(ids) == 0 {
		return nil, problem(http.StatusNotFound, "build "+build+" has no jobs", "the build's message says why; runner show "+build+" prints it")
	}
	return nil, problem(http.StatusNotFound, fmt.Sprintf("build %s has no job %q", build, id), "its jobs are "+strings.Join(ids, ", "))
}
