package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/runner-ci/runner/client"
)

func (s *Site) routeBuild() {
	s.page("GET /projects/{project}/builds/{number}", s.build)
}

// buildID is the id of the build that a path names.
func buildID(v *visit) (string, error) {
	n, err := strconv.Atoi(v.PathValue("number"))
	if err != nil || n < 1 {
		return "", &client.Error{Status: http.StatusNotFound, Detail: "builds are numbered from 1, and this is no number: " + v.PathValue("number"), Hint: "the page of the project lists its builds"}
	}
	return v.PathValue("project") + "#" + strconv.Itoa(n), nil
}

func (s *Site) build(v *visit) (*view, error) {
	id, err := buildID(v)
	if err != nil {
		return nil, err
	}
	b, err := s.Client.Build(v.Context(), id)
	if err != nil {
		return nil, err
	}
	shown := &view{
		Template: "build", Title: b.ID + " " + word(b.Status), Icon: icon(b.Status), Data: b,
		Crumbs: []crumb{{b.Project, projectPath(b.Project)}, {Text: "#" + strconv.Itoa(b.Number)}},
	}
	if class(b.Status) == "run" {
		shown.Events = eventsPath(b.Project, b.Number)
	}
	return shown, nil
}

// icon is that of the window for a status.
func icon(status string) string {
	return map[string]string{"ok": "good", "no": "bad", "run": "busy"}[class(status)]
}

// eventsPath is where the API tells of a build's changes.
func eventsPath(project string, number int) string {
	return "/api/v1/builds/" + url.PathEscape(project) + "/" + strconv.Itoa(number) + "/events"
}
