package server

import (
	"bytes"
	"context"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

const badgePath = "/badges/{file}"

type badgeIn struct {
	plainIn
	File   string `path:"file" maxLength:"160" example:"api.svg" doc:"name of the project, with .svg behind it"`
	Branch string `query:"branch" maxLength:"200" doc:"of this branch; default: the project's default branch"`
	Label  string `query:"label" maxLength:"40" default:"build" doc:"what the left half says"`
	Token  string `query:"token" maxLength:"64" doc:"of the badge, where its project is private: GET /api/v1/projects/{name}/badge gives the address with it"`
}

type projectBadgeIn struct {
	ProjectInput
	Branch string `query:"branch" maxLength:"200" doc:"of this branch; default: the project's default branch"`
}

func (a *api) routeBadges() {
	tags := []string{"badges"}
	addPublic(a, huma.Operation{
		OperationID: "badge", Method: http.MethodGet, Path: badgePath, Tags: tags,
		Summary: "Whether a branch passes, as a picture: passing, failing, in progress or unknown",
		Description: "The states are CodeBuild's; a build that failed, timed out, was stopped or met a broken machine is failing. " +
			"unknown stands for no build yet, and just so for a project that the asker may not see, or that does not exist.",
		Responses: described("image/svg+xml", &huma.Schema{Type: huma.TypeString}),
		Errors:    []int{http.StatusUnprocessableEntity, http.StatusTooManyRequests},
	}, a.badge)
	add(a, huma.Operation{
		OperationID: "show-badge", Method: http.MethodGet, Path: "/api/v1/projects/{name}/badge", Tags: tags,
		Summary: "The address of a project's badge, as Markdown too, and what it says now",
	}, a.showBadge)
}

// badge never tells whether there is a project: what is not to be seen looks like one without builds.
func (a *api) badge(_ context.Context, in *badgeIn) (*huma.StreamResponse, error) {
	address := a.addressOf(in.r)
	if pause := a.strangers.badges.take(address); pause > 0 {
		return &huma.StreamResponse{Body: func(hctx huma.Context) {
			_, w := humago.Unwrap(hctx)
			writeProblem(w, tooMany(w, pause, "this address asks for more badges than strangers may"))
		}}, nil
	}
	state := client.BadgeUnknown
	if name, ok := strings.CutSuffix(in.File, ".svg"); ok {
		p, err := a.Scheduler.Project(name)
		if err == nil && a.maySeeBadge(&p, in) {
			state, err = a.badgeState(&p, in.Branch)
		}
		if err != nil && problemOf(err).Status != http.StatusNotFound {
			return nil, err
		}
	}
	var picture bytes.Buffer
	if err := drawBadge(&picture, in.Label, state); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		_, w := humago.Unwrap(hctx)
		h := w.Header()
		h.Set("Cache-Control", "no-cache") // kept, and asked for again each time: proxies of forges would show an old state
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("Content-Type", "image/svg+xml")
		h.Set("Content-Security-Policy", sandboxPolicy)
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(picture.Bytes()) // to a client that is gone there is nothing to say
	}}, nil
}

// maySeeBadge tells whether a request may know how a project does: anybody where it is public, else whoever has the badge's
// token, or may look at the project anyway.
func (a *api) maySeeBadge(p *scheduler.Project, in *badgeIn) bool {
	if p.Badge == config.BadgeOff {
		return false
	}
	if p.Visibility == config.VisibilityPublic {
		return true
	}
	if in.Token != "" && p.BadgeWithToken() && a.Access != nil {
		token, err := a.Access.BadgeToken(p.Name, p.Badge)
		return err == nil && subtle.ConstantTimeCompare([]byte(token), []byte(in.Token)) == 1
	}
	who, _ := a.identify(in.r)
	return who != nil && who.grants.May(access.Read, p.Name)
}

// badgeState is how the newest build of a branch does, in CodeBuild's words.
func (a *api) badgeState(p *scheduler.Project, branch string) (string, error) {
	refs := p.DefaultRefs()
	if branch != "" {
		ref, err := fullRef(branch)
		if err != nil {
			return client.BadgeUnknown, nil // of no such branch there is a build
		}
		refs = []string{ref}
	}
	b, err := a.Scheduler.NewestBuild(p.Name, refs)
	switch {
	case err != nil || b == nil:
		return client.BadgeUnknown, err
	case b.Status == scheduler.Succeeded:
		return client.BadgePassing, nil
	case b.Status.Ended():
		return client.BadgeFailing, nil
	}
	return client.BadgeInProgress, nil
}

func (a *api) showBadge(_ context.Context, in *projectBadgeIn) (*jsonOut[client.Badge], error) {
	p, err := a.Scheduler.Project(in.Name)
	if err != nil {
		return nil, err
	}
	out := client.Badge{Project: p.Name, Branch: in.Branch}
	if out.State, err = a.badgeState(&p, in.Branch); err != nil {
		return nil, err
	}
	query := url.Values{}
	if in.Branch != "" {
		query.Set("branch", in.Branch)
	}
	switch {
	case p.Badge == config.BadgeOff:
		out.Shown, out.State = client.BadgeToNobody, client.BadgeUnknown
	case p.Visibility == config.VisibilityPublic:
		out.Shown = client.BadgeToAnybody
	case p.BadgeWithToken() && a.Access != nil:
		token, err := a.Access.BadgeToken(p.Name, p.Badge)
		if err != nil {
			return nil, err
		}
		out.Shown = client.BadgeToToken
		query.Set("token", token)
	default:
		out.Shown = client.BadgeToReaders
	}
	out.URL = a.absolute("/badges/" + url.PathEscape(p.Name) + ".svg")
	if len(query) > 0 {
		out.URL += "?" + query.Encode()
	}
	out.Page = a.absolute("/projects/" + url.PathEscape(p.Name))
	out.Markdown = "[![build](" + out.URL + ")](" + out.Page + ")"
	return answer(out)
}

// absolute is a path of ours as others have to ask for it.
func (a *api) absolute(path string) string { return a.Origin + a.Base + path }
