package server

import (
	"context"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

type triggerIn struct {
	ID   string `path:"id" maxLength:"200"`
	Wait int    `query:"wait" minimum:"0" maximum:"30" doc:"seconds to hold the answer back while the outcome is pending"`
}

type triggersIn struct {
	PageInput
	Outcome string `query:"outcome" enum:"pending,built,skipped,waiting" doc:"only with this outcome"`
}

type approveIn struct {
	ReplayInput
	ID     string `path:"id" maxLength:"200"`
	Commit string `query:"commit" maxLength:"64" doc:"full id: refuse when the trigger is for another one"`
}

type startIn struct {
	KeyInput
	Body client.Start
}

func (a *api) routeTriggers() {
	tags := []string{"triggers"}
	add(a, huma.Operation{
		OperationID: "list-triggers", Method: http.MethodGet, Path: "/api/v1/triggers", Tags: tags,
		Summary: "List triggers, newest first",
	}, a.listTriggers)
	add(a, huma.Operation{
		OperationID: "show-trigger", Method: http.MethodGet, Path: "/api/v1/triggers/{id}", Tags: tags,
		Summary: "One trigger and what became of it",
	}, a.showTrigger)
	add(a, huma.Operation{
		OperationID: "approve", Method: http.MethodPost, Path: "/api/v1/triggers/{id}/approve", Tags: tags,
		Summary:     "Let the commit of a pull request that waits be built",
		Description: "The approval is for that commit alone, and makes nothing trusted.",
		Errors:      []int{http.StatusConflict, http.StatusUnprocessableEntity},
	}, a.approve)
	add(a, huma.Operation{
		OperationID: "start", Method: http.MethodPost, Path: "/api/v1/triggers", Tags: tags,
		Summary: "Ask for a build", DefaultStatus: http.StatusAccepted, Errors: []int{http.StatusServiceUnavailable},
	}, a.start)
}

func (a *api) listTriggers(ctx context.Context, in *triggersIn) (*jsonOut[client.Page[client.Trigger]], error) {
	seen := sees(ctx)
	rows, next, err := visiblePage(in.Cursor, func(cursor string) ([]scheduler.Trigger, string, error) {
		return a.Scheduler.Triggers(scheduler.Outcome(in.Outcome), cursor, in.Limit)
	}, func(t *scheduler.Trigger) bool { return seesTrigger(seen, t) })
	if err != nil {
		return nil, err
	}
	page := client.Page[client.Trigger]{Items: make([]client.Trigger, len(rows)), Next: next}
	for i, t := range rows {
		page.Items[i] = showTriggerTo(ctx, t)
	}
	return answer(page)
}

func (a *api) showTrigger(ctx context.Context, in *triggerIn) (*jsonOut[client.Trigger], error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(in.Wait)*time.Second)
	defer cancel()
	changed := a.Scheduler.WatchTrigger(ctx, in.ID)
	for {
		t, err := a.Scheduler.Trigger(in.ID)
		if err != nil {
			return nil, err
		}
		if t.Outcome != scheduler.OutcomePending || !wait(ctx, changed, heartbeat) {
			return answer(showTriggerTo(ctx, t))
		}
	}
}

func (a *api) approve(ctx context.Context, in *approveIn) (*jsonOut[client.Trigger], error) {
	if err := badCommit(in.Commit); err != nil {
		return nil, err
	}
	t, err := a.Scheduler.Approve(ctx, in.ID, in.Commit, callerOf(ctx))
	if err != nil {
		return nil, err
	}
	return answer(showTriggerTo(ctx, t))
}

// fullID is a commit's full id.
var fullID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// badCommit refuses what is no full commit id.
func badCommit(commit string) error {
	if commit == "" || fullID.MatchString(commit) {
		return nil
	}
	return problem(http.StatusUnprocessableEntity, "commit "+clip(commit, 80)+" is no full commit id",
		"git rev-parse gives the 40 or 64 hexadecimal digits")
}

// fullRef makes a branch's name a full ref. Tags and other refs are written in full: guessing which of a branch and
// a tag of the same name is meant would one day build the wrong one.
func fullRef(ref string) (string, error) {
	switch {
	case ref == "":
		return "", nil
	case strings.HasPrefix(ref, "-") || strings.Contains(ref, "..") || strings.HasSuffix(ref, "/") || len(ref) > 1024,
		strings.ContainsFunc(ref, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r) }):
		return "", problem(http.StatusUnprocessableEntity, "ref "+clip(ref, 80)+" is no name that git allows",
			"give a branch (main), or a full ref (refs/tags/v1.0)")
	case strings.HasPrefix(ref, "refs/"):
		return ref, nil
	case strings.HasPrefix(ref, "heads/"), strings.HasPrefix(ref, "tags/"):
		return "refs/" + ref, nil
	}
	return "refs/heads/" + ref, nil
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// badEnv refuses variables that no process can be given, or that are not the caller's to give.
func badEnv(env map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		switch {
		case !envName.MatchString(name):
			return problem(http.StatusUnprocessableEntity, "env: "+clip(name, 80)+" is no name of a variable", "letters, digits and _, not beginning with a digit")
		case strings.HasPrefix(name, "CODEBUILD_"):
			return problem(http.StatusUnprocessableEntity, "env: "+clip(name, 80)+" is reserved", "names with CODEBUILD_ are set by the daemon")
		case strings.Contains(env[name], "\x00"):
			return problem(http.StatusUnprocessableEntity, "env: the value of "+clip(name, 80)+" has a zero byte", "no process can be given one")
		}
	}
	return nil
}
