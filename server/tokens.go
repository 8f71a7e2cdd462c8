package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
)

type createTokenIn struct {
	ReplayInput
	Body client.TokenRequest
}

type removeTokenIn struct {
	Name string `path:"name" maxLength:"64" example:"deploy-bot"`
}

func (a *api) routeTokens() {
	tags := []string{"access"}
	const path = "/api/v1/tokens"
	add(a, huma.Operation{
		OperationID: "whoami", Method: http.MethodGet, Path: "/api/v1/whoami", Tags: tags,
		Summary: "Who you are, and what you may do",
	}, func(ctx context.Context, _ *struct{}) (*jsonOut[client.Identity], error) {
		return answer(showIdentity(caller(ctx)))
	})
	add(a, huma.Operation{
		OperationID: "list-tokens", Method: http.MethodGet, Path: path, Tags: tags,
		Summary: "List tokens by name, with their scopes and last use. No route gives a token again",
	}, a.listTokens)
	add(a, huma.Operation{
		OperationID: "create-token", Method: http.MethodPost, Path: path, Tags: tags,
		Summary: "Make a token. The answer is the only place where it is ever shown", DefaultStatus: http.StatusCreated,
		Errors: []int{http.StatusConflict, http.StatusUnprocessableEntity},
	}, a.createToken)
	add(a, huma.Operation{
		OperationID: "remove-token", Method: http.MethodDelete, Path: path + "/{name}", Tags: tags,
		Summary: "Revoke a token: it opens nothing any more, and streams that it opened end", DefaultStatus: http.StatusNoContent,
	}, func(ctx context.Context, in *removeTokenIn) (*struct{}, error) {
		store, err := a.accessStore()
		if err != nil {
			return nil, err
		}
		t, err := store.Remove(in.Name)
		if err != nil {
			return nil, accessProblem(err)
		}
		a.Logger.Info("token revoked", "name", t.Name, "id", t.ID, "by", callerOf(ctx))
		return nil, nil
	})
}

// accessStore is the store of tokens, or why there is none.
func (a *api) accessStore() (*access.Store, error) {
	if a.Access == nil {
		return nil, problem(http.StatusNotFound, "no tokens are kept here", "runner serve keeps tokens; runner run has the one of its own process")
	}
	return a.Access, nil
}

// accessProblem gives an error of the store its status.
func accessProblem(err error) error {
	switch {
	case errors.Is(err, access.ErrInvalid):
		return problem(http.StatusUnprocessableEntity, plainly(err), "")
	case errors.Is(err, access.ErrExists):
		return problem(http.StatusConflict, err.Error(), "choose another name, or revoke that one first: runner token rm NAME")
	case errors.Is(err, access.ErrNotFound):
		return problem(http.StatusNotFound, err.Error(), "runner token ls lists what there is")
	}
	return err
}

// plainly is what an error of the store of tokens says, without the mark by which programs know that it is the caller's.
func plainly(err error) string {
	return strings.TrimSuffix(err.Error(), ": "+access.ErrInvalid.Error())
}

func (a *api) listTokens(_ context.Context, in *PageInput) (*jsonOut[client.Page[client.Token]], error) {
	store, err := a.accessStore()
	if err != nil {
		return nil, err
	}
	rows, next := store.Tokens(in.Cursor, in.Limit)
	page := client.Page[client.Token]{Items: make([]client.Token, len(rows)), Next: next}
	for i, t := range rows {
		page.Items[i] = showToken(t)
	}
	return answer(page)
}

// createToken refuses a project that does not exist: a slip of the finger would make a token that opens nothing.
func (a *api) createToken(ctx context.Context, in *createTokenIn) (*jsonOut[client.NewToken], error) {
	store, err := a.accessStore()
	if err != nil {
		return nil, err
	}
	for _, name := range in.Body.Projects {
		if name == access.Everything {
			continue
		}
		if err := a.knownProject(name); err != nil {
			return nil, err
		}
	}
	var expires time.Time
	if in.Body.Expires != nil {
		expires = in.Body.Expires.UTC()
	}
	t, secret, err := store.Create(in.Body.Name, access.Grant{Scope: access.Scope(in.Body.Scope), Projects: in.Body.Projects}, expires, callerOf(ctx))
	if err != nil {
		return nil, accessProblem(err)
	}
	a.Logger.Info("token made", "name", t.Name, "id", t.ID, "scope", t.Grant.Scope, "projects", t.Grant.Projects, "expires", t.Expires, "by", callerOf(ctx))
	return answer(client.NewToken{Token: showToken(t), Secret: secret})
}

func showToken(t access.Token) client.Token {
	return client.Token{
		ID: t.ID, Name: t.Name, Scope: string(t.Grant.Scope), Projects: t.Grant.Projects, Created: t.Created, By: t.By,
		Expires: t.Expires, Used: t.Used,
	}
}

func showIdentity(who *identity) client.Identity {
	out := client.Identity{Name: who.name, Expires: who.expires}
	for _, g := range who.grants {
		out.Grants = append(out.Grants, client.Grant{Scope: string(g.Scope), Projects: g.Projects})
	}
	return out
}
