package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
)

// unchanging are the operations that change nothing although their method could.
var unchanging = map[string]bool{"known-commits": true}

// audited commits a record of what an operation is about to change before it does, and what came of it afterwards: a
// daemon that dies in between leaves a record without a result. What cannot be recorded is not done.
func audited[I, O any](a *api, op huma.Operation, handle func(context.Context, *I) (*O, error)) func(context.Context, *I) (*O, error) {
	if op.Method == http.MethodGet || unchanging[op.OperationID] {
		return handle
	}
	if _, ok := any(new(I)).(aimed); !ok {
		panic("the input of " + op.OperationID + " does not say at what it is aimed, which the audit log has to know")
	}
	return func(ctx context.Context, in *I) (*O, error) {
		if a.Access == nil {
			return handle(ctx, in)
		}
		seq, err := a.Access.Record(eventOf(ctx, op.OperationID, in), caller(ctx).grants)
		if err != nil {
			return nil, err
		}
		out, err := handle(ctx, in)
		status := http.StatusOK
		if op.DefaultStatus != 0 {
			status = op.DefaultStatus
		}
		if err != nil {
			status = problemOf(err).Status
		}
		a.conclude(seq, status)
		return out, err
	}
}

// conclude adds to a record what came of it. What was done stays done where that fails.
func (a *api) conclude(seq uint64, status int) {
	if err := a.Access.Result(seq, status); err != nil {
		a.Logger.Error("the audit log lacks what came of an action", "record", seq, "status", status, "error", err)
	}
}

// eventOf begins the record of an operation.
func eventOf(ctx context.Context, operation string, in any) access.Event {
	who := caller(ctx)
	e := access.Event{Who: who.name, Address: who.address, Action: operation}
	if in, ok := in.(aimed); ok {
		e.Object = clip(in.object(), 512)
	}
	if in, ok := in.(within); ok {
		e.Project = clip(in.project(), 200)
	}
	return e
}

// refuse counts an operation that was beyond its caller's scopes.
func (a *api) refuse(ctx context.Context, operation string, in any, err error) {
	var p *Problem
	if a.Access == nil || !errors.As(err, &p) || p.Status != http.StatusForbidden {
		return
	}
	e := eventOf(ctx, operation, in)
	e.Result = p.Status
	a.Access.Refused(e)
}

type auditIn struct {
	PageInput
	Who     string    `query:"who" maxLength:"200" doc:"only of this token, or user:NAME"`
	Action  string    `query:"action" maxLength:"100" doc:"only this operation, by its id"`
	Project string    `query:"project" maxLength:"200" doc:"only of this project"`
	Since   time.Time `query:"since" doc:"only from this time on"`
}

func (a *api) routeAudit() {
	add(a, huma.Operation{
		OperationID: "audit", Method: http.MethodGet, Path: "/api/v1/audit", Tags: []string{"access"},
		Summary: "Who changed what, from where, with what result; and what was refused, newest first",
	}, a.listAudit)
}

func (a *api) listAudit(_ context.Context, in *auditIn) (*jsonOut[client.Page[client.AuditEvent]], error) {
	store, err := a.accessStore()
	if err != nil {
		return nil, err
	}
	rows, next, err := store.Events(access.Filter{Who: in.Who, Action: in.Action, Project: in.Project, Since: in.Since}, in.Cursor, in.Limit)
	if err != nil {
		return nil, accessProblem(badCursor(in.Cursor, err))
	}
	page := client.Page[client.AuditEvent]{Items: make([]client.AuditEvent, len(rows)), Next: next}
	for i, e := range rows {
		page.Items[i] = client.AuditEvent(e)
	}
	return answer(page)
}
