package web

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/runner-ci/runner/client"
)

func (s *Site) routeStart() {
	s.page("GET /projects/{project}/start", s.startPage)
	s.route("POST /projects/{project}/start", s.start)
}

// startForm is the form that starts a build by hand.
type startForm struct {
	projectHead
	Ref, Commit string
	Fields      []startField
	Refs        []string
	Problem     *client.Error // why it was not started
}

// startField is one parameter of the project's builds.
type startField struct {
	client.ParameterSetting
	Name, Value string
}

// paramPrefix begins the names of the fields of parameters.
const paramPrefix = "param."

// fill takes from a request what was typed, else each parameter's default.
func (f *startForm) fill(r *http.Request) {
	f.Ref, f.Commit = strings.TrimSpace(r.FormValue("ref")), strings.TrimSpace(r.FormValue("commit"))
	f.Fields = startFields(f.Settings.BuildParameters, func(name string) (string, bool) {
		typed, ok := r.Form[paramPrefix+name]
		return strings.Join(typed[:min(1, len(typed))], ""), ok
	})
}

// startFields are the parameters of a project, each with what was chosen, else its default.
func startFields(settings map[string]client.ParameterSetting, chosen func(name string) (string, bool)) (fields []startField) {
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		field := startField{ParameterSetting: settings[name], Name: name, Value: settings[name].Default}
		if value, ok := chosen(name); ok {
			field.Value = value
		}
		fields = append(fields, field)
	}
	return fields
}

// ask is what the API is asked for. What has no default and was left empty is not sent.
func (f *startForm) ask() client.Start {
	start := client.Start{Project: f.Name, Ref: f.Ref, Commit: f.Commit, Parameters: map[string]string{}}
	for _, p := range f.Fields {
		if p.Value != "" || p.Default != "" {
			start.Parameters[p.Name] = p.Value
		}
	}
	return start
}

// startHead begins the page, for those who may start builds.
func (s *Site) startHead(v *visit) (f startForm, err error) {
	h, err := s.head(v, "start")
	switch {
	case err != nil:
		return f, err
	case !v.known():
		return f, &client.Error{Status: http.StatusUnauthorized}
	case !h.MayStart:
		return f, &client.Error{
			Status: http.StatusForbidden, Detail: "starting builds of " + h.Name + " by hand needs the scope admin for it, since they may be trusted",
			Hint: "an admin makes tokens with runner token create; runner submit builds your working tree without it",
		}
	}
	f = startForm{projectHead: h}
	branches, err := s.Client.Branches(v.Context(), h.Name, "", 50)
	f.Refs = branchNames(branches.Items)
	return f, err
}

func (f startForm) view() *view {
	return &view{Template: "start", Title: "Start a build of " + f.Name, Crumbs: f.crumbs("start a build"), Data: f}
}

func (s *Site) startPage(v *visit) (*view, error) {
	f, err := s.startHead(v)
	if err != nil {
		return nil, err
	}
	f.fill(v.Request)
	return f.view(), nil
}

// madeWithin bounds how long an action waits for the build that its trigger makes.
const madeWithin = 10 * time.Second

// start starts the build and goes to it, or shows the form again with what was typed and what is wrong with it.
func (s *Site) start(w http.ResponseWriter, v *visit) error {
	v.Body = http.MaxBytesReader(w, v.Body, maxForm)
	f, err := s.startHead(v)
	if err != nil {
		return err
	}
	f.fill(v.Request)
	t, err := s.Client.Start(v.Context(), f.ask())
	if err == nil {
		t, err = s.decided(v, t)
	}
	var p *client.Error
	switch {
	case errors.As(err, &p) && p.Status != http.StatusUnauthorized:
		f.Problem = p
		return s.write(w, v, p.Status, f.view())
	case err != nil:
		return err
	}
	to := projectPath(f.Name)
	if len(t.Builds) > 0 {
		to = buildPath(t.Builds[0])
	}
	http.Redirect(w, v.Request, s.path(to), http.StatusSeeOther)
	return nil
}

// decided waits a while for what becomes of a trigger. One that is still pending then is no error.
func (s *Site) decided(v *visit, t client.Trigger) (client.Trigger, error) {
	ctx, cancel := context.WithTimeout(v.Context(), madeWithin)
	defer cancel()
	got, err := s.Client.WaitTrigger(ctx, t.ID)
	switch {
	case err != nil && ctx.Err() != nil && v.Context().Err() == nil:
		return t, nil
	case err == nil && got.Outcome == "skipped":
		return got, &client.Error{Status: http.StatusUnprocessableEntity, Detail: "nothing was built: " + got.Reason}
	}
	return got, err
}
