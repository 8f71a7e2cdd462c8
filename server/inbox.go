package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/forge"
	"github.com/runner-ci/runner/scheduler"
)

type inboxIn struct {
	PageInput
	Project string `query:"project" maxLength:"200" doc:"only deliveries for this project"`
	Refused bool   `query:"refused" doc:"only deliveries that no project's secret fitted"`
}

func (a *api) routeInbox() {
	add(a, huma.Operation{
		OperationID: "list-inbox", Method: http.MethodGet, Path: "/api/v1/inbox", Tags: []string{"hooks"},
		Summary:     "List deliveries of webhooks, newest first, and what became of each",
		Description: "Those that were refused are shown to admins of the daemon alone: what is in them is a stranger's text.",
	}, a.listInbox)
}

func (a *api) listInbox(ctx context.Context, in *inboxIn) (*jsonOut[client.Page[client.Delivery]], error) {
	before := uint64(0)
	if in.Cursor != "" {
		var err error
		if before, err = strconv.ParseUint(in.Cursor, 10, 64); err != nil || before == 0 {
			return nil, problem(http.StatusBadRequest, "this is no cursor of the inbox", "pass next of the page before as cursor, or none for the first page")
		}
	}
	seen, admin := sees(ctx), caller(ctx).grants.May(access.Admin, access.Everything)
	show := func(r *scheduler.Received) bool {
		if r.Refused() {
			return admin && in.Project == ""
		}
		return !in.Refused && showsOne(r.Projects, in.Project, seen)
	}
	rows, more := a.Scheduler.Received(show, before, in.Limit)
	page := client.Page[client.Delivery]{Items: make([]client.Delivery, len(rows))}
	for i := range rows {
		page.Items[i] = showDelivery(&rows[i], seen)
	}
	if more {
		page.Next = strconv.FormatUint(rows[len(rows)-1].Seq, 10)
	}
	return answer(page)
}

// showsOne tells whether one of the names is asked for, and may be seen.
func showsOne(names []string, asked string, seen func(string) bool) bool {
	for _, name := range names {
		if (asked == "" || asked == name) && seen(name) {
			return true
		}
	}
	return false
}

// showDelivery leaves out the names of projects that its reader may not see.
func showDelivery(r *scheduler.Received, seen func(string) bool) client.Delivery {
	out := client.Delivery{
		At: r.At, Forge: r.Forge, Event: r.Event, Delivery: r.Delivery, Repository: r.Repository, Ref: r.Ref,
		Status: r.Status, Outcome: r.Outcome, Reason: r.Reason, Trigger: r.Trigger, Remote: r.Remote,
	}
	for _, name := range r.Projects {
		if seen(name) {
			out.Projects = append(out.Projects, name)
		}
	}
	return out
}

// refusedOutcome is the outcome, in the inbox, of a delivery that was answered with an error.
const refusedOutcome = "refused"

// noting begins the inbox's record of a delivery, with what it says of itself.
func (a *api) noting(f forge.Forge, in *hookIn, event *forge.Event) {
	in.note = &scheduler.Received{
		Forge: f.Name(), Event: clip(event.Name, 100), Delivery: clip(f.Delivery(in.r.Header), maxDelivery),
		Repository: clip(event.Repository.Name, 200), Ref: clip(event.Ref, 200), Remote: callNetwork(a.addressOf(in.r)),
	}
}

// note puts the record of a delivery into the inbox. What was not read to its end, or came too often, has none.
func (a *api) note(in *hookIn, out *hookOut, err error) {
	r := in.note
	if r == nil {
		return
	}
	if err != nil {
		p := problemOf(err)
		r.Status, r.Outcome = p.Status, refusedOutcome
		if r.Reason == "" {
			r.Reason = p.Detail
		}
	} else {
		r.Status, r.Outcome, r.Reason, r.Trigger = out.Status, out.Body.Outcome, out.Body.Reason, out.Body.Trigger
		if out.Body.again && r.Reason == "" {
			r.Reason = "it came before"
		}
	}
	r.Reason, r.At = clip(r.Reason, 300), time.Now()
	a.Scheduler.Note(*r)
}
