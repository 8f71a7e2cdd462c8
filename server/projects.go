package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/scheduler"
)

// ProjectInput names one project in a path.
type ProjectInput struct {
	Name string `path:"name" maxLength:"200" example:"api"`
}

type putProjectIn struct {
	ProjectInput
	MatchInput
	Body client.Project
}

type removeProjectIn struct {
	ProjectInput
	MatchInput
}

func (a *api) routeProjects() {
	tags := []string{"projects"}
	const path = "/api/v1/projects/{name}"
	add(a, huma.Operation{
		OperationID: "list-projects", Method: http.MethodGet, Path: "/api/v1/projects", Tags: tags,
		Summary: "List projects by name",
	}, a.listProjects)
	add(a, huma.Operation{
		OperationID: "show-project", Method: http.MethodGet, Path: path, Tags: tags,
		Summary: "One project's settings. Secrets are references, never values",
	}, func(_ context.Context, in *ProjectInput) (*jsonOut[client.Project], error) {
		p, err := a.Scheduler.Project(in.Name)
		if err != nil {
			return nil, err
		}
		return answer(showProject(p))
	})
	add(a, huma.Operation{
		OperationID: "put-project", Method: http.MethodPut, Path: path, Tags: tags,
		Summary: "Make a project, or replace its settings",
		Errors:  []int{http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity},
	}, a.putProject)
	add(a, huma.Operation{
		OperationID: "remove-project", Method: http.MethodDelete, Path: path, Tags: tags,
		Summary:       "Forget a project. Its builds stay until their time is over",
		DefaultStatus: http.StatusNoContent, Errors: []int{http.StatusConflict, http.StatusPreconditionFailed},
	}, a.removeProject)
}

// listProjects pages through the projects by name; the cursor is the last name of the page before.
func (a *api) listProjects(ctx context.Context, in *PageInput) (*jsonOut[client.Page[client.Project]], error) {
	rows, err := a.Scheduler.Projects()
	if err != nil {
		return nil, err
	}
	seen := sees(ctx)
	page := client.Page[client.Project]{Items: []client.Project{}}
	for _, p := range rows {
		if in.Cursor != "" && p.Name <= in.Cursor || !seen(p.Name) {
			continue
		}
		if len(page.Items) == in.Limit {
			page.Next = page.Items[in.Limit-1].Name
			break
		}
		page.Items = append(page.Items, showProject(p))
	}
	return answer(page)
}

func (a *api) putProject(ctx context.Context, in *putProjectIn) (*taggedOut[client.Project], error) {
	if in.Body.Name != in.Name {
		return nil, problem(http.StatusUnprocessableEntity, "the path names project "+in.Name+", the body another", "make both the same; a project cannot be renamed")
	}
	p := readProject(in.Body)
	if err := a.CheckProject(&p); err != nil {
		return nil, err
	}
	a.changing.Lock()
	defer a.changing.Unlock()
	if err := a.checkProjectTag(in.Name, &in.MatchInput); err != nil {
		return nil, err
	}
	if err := a.Scheduler.PutProject(ctx, p); err != nil {
		return nil, err
	}
	a.Logger.Info("project stored", "project", p.Name, "by", callerOf(ctx))
	stored, err := a.Scheduler.Project(in.Name)
	if err != nil {
		return nil, err
	}
	return answerTagged(showProject(stored))
}

func (a *api) removeProject(ctx context.Context, in *removeProjectIn) (*struct{}, error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	if err := a.checkProjectTag(in.Name, &in.MatchInput); err != nil {
		return nil, err
	}
	err := a.Scheduler.RemoveProject(ctx, in.Name)
	if err == nil {
		a.Logger.Info("project removed", "project", in.Name, "by", callerOf(ctx))
	}
	return nil, err
}

// checkProjectTag tells whether a project is what a change of it was made for. The caller holds a.changing.
func (a *api) checkProjectTag(name string, in *MatchInput) error {
	there, err := a.Scheduler.Project(name)
	switch {
	case errors.Is(err, scheduler.ErrNotFound):
		return in.check("project "+name, nil)
	case err != nil:
		return err
	}
	return in.check("project "+name, showProject(there))
}
