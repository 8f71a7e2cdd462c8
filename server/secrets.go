package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/secrets"
)

// SecretInput names one secret. It stands in the query, which is not logged, and not in the path: names have slashes.
type SecretInput struct {
	Name    string `query:"name" required:"true" maxLength:"512" example:"/prod/db/password" doc:"of the secret or parameter"`
	Project string `query:"project" required:"true" maxLength:"150" doc:"the project that may have it, or * for a secret of every project"`
}

// SecretListInput is a page of a list of secrets, or of what happened to them.
type SecretListInput struct {
	Cursor string `query:"cursor" maxLength:"1000" doc:"next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"items a page"`
	Name   string `query:"name" maxLength:"512" doc:"only of this name"`
}

type putSecretIn struct {
	MatchInput
	Body client.SecretChange
}

type removeSecretIn struct {
	SecretInput
	MatchInput
}

func (a *api) routeSecrets() {
	tags := []string{"secrets"}
	const path = "/api/v1/secrets"
	add(a, huma.Operation{
		OperationID: "list-secrets", Method: http.MethodGet, Path: path, Tags: tags,
		Summary: "List secrets and parameters by name, with their scopes and versions. No route gives a value",
		Errors:  []int{http.StatusUnprocessableEntity},
	}, a.listSecrets)
	add(a, huma.Operation{
		OperationID: "put-secret", Method: http.MethodPut, Path: path, Tags: tags,
		Summary: "Make a secret, or give it another value or scope. The same again changes nothing",
		Errors:  []int{http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, a.putSecret)
	add(a, huma.Operation{
		OperationID: "remove-secret", Method: http.MethodDelete, Path: path, Tags: tags,
		Summary: "Remove a secret with all its versions", DefaultStatus: http.StatusNoContent,
		Errors: []int{http.StatusPreconditionFailed},
	}, a.removeSecret)
	add(a, huma.Operation{
		OperationID: "audit-secrets", Method: http.MethodGet, Path: path + "/audit", Tags: tags,
		Summary: "What was done to secrets, and which builds were given or refused one, newest first",
		Errors:  []int{http.StatusUnprocessableEntity},
	}, a.auditSecrets)
}

// administers tells whose secrets the caller may know of.
func administers(ctx context.Context) func(project string) bool {
	grants := caller(ctx).grants
	return func(project string) bool { return grants.May(access.Admin, project) }
}

// store is the secret store, or why there is none.
func (a *api) store() (Secrets, error) {
	if a.Secrets == nil {
		return nil, problem(http.StatusNotFound, "no secrets are kept here", "runner serve keeps secrets; runner run takes them from a file, with --secrets")
	}
	return a.Secrets, nil
}

func (a *api) listSecrets(ctx context.Context, in *SecretListInput) (*jsonOut[client.Page[client.Secret]], error) {
	store, err := a.store()
	if err != nil {
		return nil, err
	}
	seen := administers(ctx)
	rows, next, err := visiblePage(in.Cursor, func(cursor string) ([]secrets.Secret, string, error) {
		return store.List(cursor, in.Limit, in.Name)
	}, func(s *secrets.Secret) bool { return seen(s.Project) })
	if err != nil {
		return nil, secretProblem(err)
	}
	page := client.Page[client.Secret]{Items: make([]client.Secret, len(rows)), Next: next}
	for i, s := range rows {
		page.Items[i] = showSecret(s)
	}
	return answer(page)
}

// putSecret refuses a project that does not exist: a name with a slip of the finger would be found out by a failed
// build, long after.
func (a *api) putSecret(ctx context.Context, in *putSecretIn) (*jsonOut[client.SecretChanged], error) {
	store, err := a.store()
	if err != nil {
		return nil, err
	}
	c := in.Body
	if c.Project != secrets.AllProjects {
		if _, err := a.Scheduler.Project(c.Project); err != nil {
			return nil, err
		}
	}
	a.changing.Lock()
	defer a.changing.Unlock()
	if err := checkSecretTag(store, c.Name, c.Project, &in.MatchInput); err != nil {
		return nil, err
	}
	out, err := store.Set(ctx, secrets.Change{
		Name: c.Name, Project: c.Project, Value: c.Value, Version: c.Version, Refs: c.Refs, By: callerOf(ctx),
	})
	if err != nil {
		return nil, secretProblem(err)
	}
	if !out.Same {
		a.Logger.Info("secret stored", "name", c.Name, "project", c.Project, "value", c.Value != nil, "scope", c.Refs != nil, "by", callerOf(ctx))
	}
	return answer(client.SecretChanged{Secret: showSecret(out.Secret), Created: out.Created, Same: out.Same, KeyMade: out.KeyMade})
}

func (a *api) removeSecret(ctx context.Context, in *removeSecretIn) (*struct{}, error) {
	store, err := a.store()
	if err != nil {
		return nil, err
	}
	a.changing.Lock()
	defer a.changing.Unlock()
	if err := checkSecretTag(store, in.Name, in.Project, &in.MatchInput); err != nil {
		return nil, err
	}
	if err := store.Remove(ctx, in.Name, in.Project, callerOf(ctx)); err != nil {
		return nil, secretProblem(err)
	}
	a.Logger.Info("secret removed", "name", in.Name, "project", in.Project, "by", callerOf(ctx))
	return nil, nil
}

// checkSecretTag tells whether a secret is what a change of it was made for. The caller holds the lock of such changes.
func checkSecretTag(store Secrets, name, project string, in *MatchInput) error {
	if !in.asks() {
		return nil
	}
	what := fmt.Sprintf("secret %s of project %s", clip(name, 100), clip(project, 100))
	for cursor := ""; ; {
		rows, next, err := store.List(cursor, secretsAtOnce, name)
		if err != nil {
			return secretProblem(err)
		}
		for _, s := range rows {
			if s.Project == project {
				return in.checkTag(what, showSecret(s).ETag)
			}
		}
		if next == "" {
			return in.checkTag(what, "")
		}
		cursor = next
	}
}

// secretsAtOnce is how many secrets are read at a time where one is looked for.
const secretsAtOnce = 200

func (a *api) auditSecrets(ctx context.Context, in *SecretListInput) (*jsonOut[client.Page[client.SecretEvent]], error) {
	store, err := a.store()
	if err != nil {
		return nil, err
	}
	seen := administers(ctx)
	rows, next, err := visiblePage(in.Cursor, func(cursor string) ([]secrets.Event, string, error) {
		return store.Audit(cursor, in.Limit, in.Name)
	}, func(e *secrets.Event) bool { return seen(e.Project) })
	if err != nil {
		return nil, secretProblem(err)
	}
	page := client.Page[client.SecretEvent]{Items: make([]client.SecretEvent, len(rows)), Next: next}
	for i, e := range rows {
		page.Items[i] = client.SecretEvent(e)
	}
	return answer(page)
}

// secretProblem gives an error of the store its status.
func secretProblem(err error) error {
	switch {
	case errors.Is(err, secrets.ErrLocked):
		return problem(http.StatusServiceUnavailable, err.Error(), "docs/secrets.md says where the key may be; the daemon looks for it again at each call")
	case errors.Is(err, secrets.ErrInvalid):
		return problem(http.StatusUnprocessableEntity, err.Error(), "")
	case errors.Is(err, secrets.ErrConflict):
		return problem(http.StatusConflict, err.Error(), "choose another id for the version, or let the daemon number it")
	case errors.Is(err, secrets.ErrNotFound):
		return problem(http.StatusNotFound, err.Error(), "runner secret ls lists what there is")
	}
	return err
}

func showSecret(s secrets.Secret) client.Secret {
	out := client.Secret{Name: s.Name, Project: s.Project, Refs: s.Refs, Versions: make([]client.SecretVersion, len(s.Versions))}
	for i, v := range s.Versions {
		out.Versions[i] = client.SecretVersion(v)
	}
	out.ETag, _ = tagOfJSON(out) // texts and times: that cannot fail
	return out
}
