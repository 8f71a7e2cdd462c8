package web

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/runner-ci/runner/client"
)

func (s *Site) routeBuildActions() {
	const build = "POST /projects/{project}/builds/{number}/"
	s.action(build+"stop", s.stopBuild)
	s.action(build+"retry", s.retryBuild)
	s.action(build+"resume", s.resumeBuild)
	s.page("GET /projects/{project}/builds/{number}/rerun", s.rerun)
	s.action(build+"rerun", s.startRerun)
}

// buildActions is what the visitor may do with a build. The API decides again.
type buildActions struct {
	Stop, Retry, RetryFailed, Resume, Rerun bool
	Shell                                   string // the command that opens one, where that works
}

// Any tells whether there is a button at all.
func (a buildActions) Any() bool { return a != buildActions{} }

func actionsFor(v *visit, b client.Build, project *client.Project) buildActions {
	admin := may(v.who, "admin", b.Project)
	// A build that is trusted, or of which nobody can tell before its source was had, is its admins' alone.
	mine := admin || may(v.who, "submit", b.Project) && !b.Trusted && b.Commit != ""
	ended, c := !b.Ended.IsZero(), countJobs(b.Jobs)
	shell := ""
	if mine {
		shell = shellCommand(b)
	}
	return buildActions{
		Shell: shell,
		Stop:  mine && !ended, Retry: mine && ended, RetryFailed: mine && ended && b.Status != "SUCCEEDED" && c.passed > 0,
		Resume: mine && c.paused > 0, Rerun: admin && project != nil && !strings.HasPrefix(b.Ref, client.Submits) && b.Commit != "",
	}
}

// shellCommand opens a shell in what is kept of the first job that failed, or at a breakpoint; "" where there is nothing to go into.
func shellCommand(b client.Build) string {
	for _, at := range []string{"failed", "running"} {
		for i := range b.Jobs {
			j := &b.Jobs[i]
			if at == "failed" && j.Kept == nil || at == "running" && (j.Paused.IsZero() || !j.Ended.IsZero()) {
				continue
			}
			command := "runner shell " + b.ID + " --at " + at
			if len(b.Jobs) > 1 {
				command += " --job " + j.ID
			}
			return command
		}
	}
	return ""
}

func (s *Site) stopBuild(v *visit) (string, error) {
	id, err := buildID(v)
	if err == nil {
		_, err = s.Client.Stop(v.Context(), id)
	}
	return buildPath(id), err
}

func (s *Site) retryBuild(v *visit) (string, error) {
	id, err := buildID(v)
	if err != nil {
		return "", err
	}
	t, err := s.Client.Retry(v.Context(), id, v.PostForm.Get("failed") == "true")
	if err != nil {
		return "", err
	}
	return s.made(v, t, buildPath(id))
}

func (s *Site) resumeBuild(v *visit) (string, error) {
	id, err := buildID(v)
	if err == nil {
		_, err = s.Client.Resume(v.Context(), id, v.PostForm.Get("job"))
	}
	return buildPath(id), err
}

// made waits a little for the build that a trigger makes, and returns the path of its page: of another one while there is none.
func (s *Site) made(v *visit, t client.Trigger, otherwise string) (string, error) {
	t, err := s.decided(v, t)
	if err != nil || len(t.Builds) == 0 {
		return otherwise, err
	}
	return buildPath(t.Builds[len(t.Builds)-1]), nil
}

// rerunPage is a form with which a build is run again, with changes.
type rerunPage struct {
	Build  client.Build
	Image  string // that the project's builds have unless they say another
	Fields []startField
}

func (s *Site) rerun(v *visit) (*view, error) {
	b, err := s.theBuild(v)
	if err != nil {
		return nil, err
	}
	project, err := s.Client.Project(v.Context(), b.Project)
	if err != nil {
		return nil, err
	}
	p := &rerunPage{Build: b, Image: project.Image}
	chosen := map[string]string{}
	for _, c := range b.Parameters {
		chosen[c.Name] = c.Value
	}
	p.Fields = startFields(project.BuildParameters, func(name string) (string, bool) {
		value, ok := chosen[name]
		return value, ok
	})
	return &view{
		Template: "rerun", Title: "Rerun " + b.ID, Data: p,
		Crumbs: []crumb{{b.Project, projectPath(b.Project)}, {"#" + strconv.Itoa(b.Number), buildPath(b.ID)}, {Text: "Rerun with changes"}},
	}, nil
}

func (s *Site) startRerun(v *visit) (string, error) {
	id, err := buildID(v)
	if err != nil {
		return "", err
	}
	form := v.PostForm
	start := client.Start{
		Project: v.PathValue("project"), Ref: strings.TrimSpace(form.Get("ref")), Commit: strings.TrimSpace(form.Get("commit")),
		Image: strings.TrimSpace(form.Get("image")), Debug: form.Get("debug") == "true", Parameters: map[string]string{},
	}
	if start.Env, err = readEnv(form.Get("env")); err != nil {
		return "", err
	}
	for name, values := range form {
		if name, is := strings.CutPrefix(name, paramPrefix); is && values[0] != "" {
			start.Parameters[name] = values[0]
		}
	}
	t, err := s.Client.Start(v.Context(), start)
	if err != nil {
		return "", err
	}
	return s.made(v, t, buildPath(id))
}

// readEnv reads variables, NAME=value on a line each.
func readEnv(text string) (map[string]string, error) {
	env := map[string]string{}
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, &client.Error{
				Status: http.StatusUnprocessableEntity, Detail: "line " + strconv.Itoa(n+1) + " of the variables is no NAME=value: " + clip(line, 80),
				Hint: "go back, and give each variable a line of its own",
			}
		}
		env[strings.TrimSpace(name)] = value
	}
	return env, nil
}
