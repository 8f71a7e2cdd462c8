package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

// need is what an operation asks of whoever calls it.
type need struct {
	scope access.Scope
	of    reach
	open  bool // nothing has to be had for a project that is public
}

// reach says within what the scope has to be had.
type reach int

const (
	// ofDaemon is what concerns the daemon as a whole: a scope within some projects is not enough.
	ofDaemon reach = iota
	// ofProject is what concerns the project, build or trigger that the input names.
	ofProject
	// ofBuild is the same; builds that are trusted need the scope admin, since they may be given secrets.
	ofBuild
	// ofAny shows each caller what it may see.
	ofAny
)

// needs is what every operation needs. An operation that is not here cannot be added.
var needs = map[string]need{
	"daemon":  {access.Read, ofAny, false},
	"whoami":  {access.Read, ofAny, false},
	"openapi": {access.Read, ofAny, false},
	"drain":   {access.Admin, ofDaemon, false},

	"backup":  {access.Admin, ofDaemon, false},
	"status":  {access.Admin, ofDaemon, false}, // it names builds of every project
	"metrics": {access.Read, ofDaemon, false},

	"overview": {access.Read, ofAny, true},
	"queue":    {access.Read, ofAny, false},

	"list-builds":  {access.Read, ofAny, true},
	"show-build":   {access.Read, ofProject, true},
	"watch-build":  {access.Read, ofProject, true},
	"watch-all":    {access.Read, ofAny, true},
	"read-log":     {access.Read, ofProject, true},
	"log-lines":    {access.Read, ofProject, true},
	"search-log":   {access.Read, ofProject, true},
	"log-outline":  {access.Read, ofProject, true},
	"log-events":   {access.Read, ofProject, true},
	"stop-build":   {access.Submit, ofBuild, false},
	"retry-build":  {access.Submit, ofBuild, false},
	"resume-build": {access.Submit, ofBuild, false},
	"open-shell":   {access.Submit, ofBuild, false}, // permitShell asks for more where a job has more

	"explain-build": {access.Read, ofProject, true},
	// What projects give their jobs is shown to whoever may see their settings.
	"show-environment": {access.Read, ofProject, false},
	"project-stats":    {access.Read, ofProject, true},
	"list-branches":    {access.Read, ofProject, true},

	"list-artifacts": {access.Read, ofProject, true},
	"list-reports":   {access.Read, ofProject, true},
	"read-artifact":  {access.Read, ofProject, true},
	"read-archive":   {access.Read, ofProject, true},

	"preview-artifacts": {access.Read, ofProject, true},

	"list-tests":      {access.Read, ofProject, true},
	"list-coverage":   {access.Read, ofProject, true},
	"rank-tests":      {access.Read, ofProject, false},
	"test-history":    {access.Read, ofProject, false},
	"list-quarantine": {access.Read, ofProject, false},

	"list-inbox":    {access.Read, ofAny, false},
	"list-triggers": {access.Read, ofAny, false},
	"show-trigger":  {access.Read, ofProject, false},
	"approve":       {access.Admin, ofProject, false},
	"start":         {access.Admin, ofProject, false}, // what is started by hand may be trusted

	"list-schedules": {access.Read, ofAny, false},

	"list-projects": {access.Read, ofAny, false},
	"show-project":  {access.Read, ofProject, false},
	// A project's settings name files and variables of the daemon, and may make jobs privileged.
	"put-project":    {access.Admin, ofDaemon, false},
	"remove-project": {access.Admin, ofDaemon, false},
	"feed":           {access.Feed, ofAny, true},
	"project-feed":   {access.Feed, ofProject, true},
	"show-badge":     {access.Read, ofProject, false},
	"show-webhook":   {access.Read, ofProject, false},
	// It asks the forge with the daemon's tokens, and may show a secret.
	"connect-webhook": {access.Admin, ofDaemon, false},
	"remove-webhook":  {access.Admin, ofDaemon, false},
	"known-commits":   {access.Submit, ofProject, false},
	"submit":          {access.Submit, ofProject, false},

	"list-secrets":  {access.Admin, ofAny, false},
	"put-secret":    {access.Admin, ofProject, false},
	"remove-secret": {access.Admin, ofProject, false},
	"audit-secrets": {access.Admin, ofAny, false},

	"list-caches":  {access.Read, ofDaemon, false},
	"remove-cache": {access.Admin, ofDaemon, false},

	"list-project-caches":  {access.Read, ofProject, false},
	"remove-project-cache": {access.Admin, ofProject, false},

	"list-tokens":  {access.Admin, ofDaemon, false},
	"create-token": {access.Admin, ofDaemon, false},
	"remove-token": {access.Admin, ofDaemon, false},
	"audit":        {access.Admin, ofDaemon, false},
}

// within is an input that names a project, whose it is.
type within interface{ project() string }

// ofTrigger is an input that names a trigger, which may be of several projects.
type ofTrigger interface{ trigger() string }

// aimed is an input that names what is to be changed, for the audit log.
type aimed interface{ object() string }

func (in *BuildInput) project() string     { return in.Project }
func (in *BuildInput) object() string      { return in.id() }
func (in *ProjectInput) project() string   { return in.Name }
func (in *ProjectInput) object() string    { return in.Name }
func (in *triggerIn) trigger() string      { return in.ID }
func (in *approveIn) trigger() string      { return in.ID }
func (in *approveIn) object() string       { return in.ID }
func (in *startIn) project() string        { return in.Body.Project }
func (in *startIn) object() string         { return in.Body.Project }
func (in *SecretInput) project() string    { return in.Project }
func (in *SecretInput) object() string     { return in.Name }
func (in *putSecretIn) project() string    { return in.Body.Project }
func (in *putSecretIn) object() string     { return in.Body.Name }
func (in *cacheIn) object() string         { return in.ID }
func (in *ownCacheIn) object() string      { return in.ID }
func (in *drainIn) object() string         { return map[bool]string{true: "on", false: "off"}[in.Body.On] }
func (in *removeTokenIn) object() string   { return in.Name }
func (in *createTokenIn) object() string   { return in.Body.Name }
func (in *projectBadgeIn) project() string { return in.Name }

// permit tells whether the caller may do to what the input names what needs n. To whoever may not see a project the answer
// is that there is none of that name, and it is given without a look at which there are.
func (a *api) permit(ctx context.Context, n need, in any) error {
	who := caller(ctx)
	if n.open {
		if in, ok := in.(within); ok && a.isPublic(in.project()) {
			return nil
		}
	}
	if who.nobody && n.of != ofAny {
		return unauthorized()
	}
	if n.of == ofAny || who.grants.May(access.Admin, access.Everything) {
		return nil // ofAny: that the scope is had somewhere was seen before
	}
	if n.of == ofDaemon {
		if !who.grants.May(n.scope, access.Everything) {
			return forbidden(who, fmt.Sprintf("this concerns the daemon as a whole, and needs the scope %s for every project", n.scope))
		}
		return nil
	}
	switch in := in.(type) {
	case ofTrigger:
		return a.permitTrigger(who, n.scope, in.trigger())
	case within:
		if err := permitProject(who, n.scope, in); err != nil || n.of != ofBuild {
			return err
		}
		return a.permitTrusted(who, in)
	}
	return fmt.Errorf("nobody said of which project %T is", in)
}

func permitProject(who *identity, scope access.Scope, in within) error {
	name := in.project()
	switch {
	case who.grants.May(scope, name):
		return nil
	case name == access.Everything, who.grants.May(access.Read, name):
		return forbidden(who, fmt.Sprintf("this needs the scope %s for project %s", scope, name))
	}
	if build, ok := in.(interface{ id() string }); ok {
		return fmt.Errorf("build %s: %w", build.id(), scheduler.ErrNotFound)
	}
	return fmt.Errorf("project %q: %w; runner project ls shows the names", name, scheduler.ErrNotFound)
}

// permitTrigger wants the scope read for one of a trigger's projects, and any other for each of them.
func (a *api) permitTrigger(who *identity, scope access.Scope, id string) error {
	t, err := a.Scheduler.Trigger(id)
	if err != nil && !errors.Is(err, scheduler.ErrNotFound) {
		return err
	}
	seen := func(p string) bool { return who.grants.May(access.Read, p) }
	if err != nil || !seesTrigger(seen, &t) {
		return fmt.Errorf("trigger %q: %w", clip(id, 80), scheduler.ErrNotFound)
	}
	if scope != access.Read && slices.ContainsFunc(t.Projects, func(p string) bool { return !who.grants.May(scope, p) }) {
		return forbidden(who, fmt.Sprintf("this needs the scope %s for every project of trigger %s", scope, id))
	}
	return nil
}

// permitTrusted keeps whoever is no admin of its project from a trusted build, and from one of which nobody can tell yet: a
// retry of it may be trusted.
func (a *api) permitTrusted(who *identity, in within) error {
	build, ok := in.(interface{ id() string })
	if !ok || who.grants.May(access.Admin, in.project()) {
		return nil
	}
	may, err := a.Scheduler.MayBeTrusted(build.id())
	if err == nil && may {
		err = forbidden(who, fmt.Sprintf("build %s is trusted, or may be once its source is had, and this needs the scope admin for project %s", build.id(), in.project()))
	}
	return err
}

func forbidden(who *identity, why string) *Problem {
	return problem(http.StatusForbidden, fmt.Sprintf("%s may not do that: %s", who.name, why), "GET /api/v1/whoami says what you may do; an admin makes tokens with runner token create")
}

// isPublic tells whether anybody may look at the builds of a project.
func (a *api) isPublic(name string) bool {
	p, err := a.Scheduler.Project(name)
	return err == nil && p.Visibility == config.VisibilityPublic
}

// anybody is who has no token: it sees the projects that are public, and is nobody where there are none.
func (a *api) anybody() *identity {
	var public []string
	err := a.Scheduler.EachProject(func(p *config.Project) {
		if p.Visibility == config.VisibilityPublic {
			public = append(public, p.Name)
		}
	})
	if err != nil || len(public) == 0 {
		return nil
	}
	return &identity{nobody: true, grants: access.Grants{{Scope: access.Read, Projects: public}}}
}

// sees tells which projects the caller may read.
func sees(ctx context.Context) func(project string) bool {
	grants := caller(ctx).grants
	return func(project string) bool { return grants.May(access.Read, project) }
}

// hiddenPages bounds how many pages without a visible row are passed over for one request.
const hiddenPages = 20

// visiblePage is the first page of a list that has a row which is shown. It may be short, or empty where a long stretch of
// the list is hidden: next says whether there is more.
func visiblePage[T any](cursor string, read func(cursor string) ([]T, string, error), shown func(*T) bool) (out []T, next string, err error) {
	for range hiddenPages {
		rows, next, err := read(cursor)
		if err != nil {
			return nil, "", badCursor(cursor, err)
		}
		out = slices.DeleteFunc(rows, func(row T) bool { return !shown(&row) })
		if len(out) > 0 || next == "" {
			return out, next, nil
		}
		cursor = next
	}
	return nil, cursor, nil
}

// seesTrigger tells whether a trigger is of any project that is seen.
func seesTrigger(seen func(project string) bool, t *scheduler.Trigger) bool {
	return slices.ContainsFunc(t.Projects, seen) || seen(access.Everything)
}

// showTriggerTo shows a trigger without the projects that the caller may not see.
func showTriggerTo(ctx context.Context, t scheduler.Trigger) client.Trigger {
	out := showTrigger(t)
	seen := sees(ctx)
	out.Skipped = showSkipped(&t, seen)
	out.Projects = slices.DeleteFunc(slices.Clone(out.Projects), func(p string) bool { return !seen(p) })
	out.Builds = slices.DeleteFunc(slices.Clone(out.Builds), func(id string) bool {
		name, _, _ := strings.Cut(id, "#")
		return !seen(name)
	})
	return out
}
