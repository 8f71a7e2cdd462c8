package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/config"
)

// noRobots is said of every answer but the pages that may be indexed.
const noRobots = "noindex, nofollow"

// indexedPages are the patterns of the pages that search engines may have of a public project that lets them: what it is and
// how its builds ended, and nothing that costs more to make.
var indexedPages = map[string]bool{"GET /projects/{project}": true, "GET /projects/{project}/builds/{number}": true}

func (a *api) routeRobots() {
	addPublic(a, huma.Operation{
		OperationID: "robots", Method: http.MethodGet, Path: "/robots.txt", Tags: []string{"documentation"},
		Summary: "What robots may read: nothing, or pages of public projects that let them", Responses: described("text/plain", &huma.Schema{Type: huma.TypeString}),
	}, func(context.Context, *struct{}) (*huma.StreamResponse, error) {
		names, err := a.indexed()
		if err != nil {
			return nil, err
		}
		return tagged("text/plain; charset=utf-8", []byte(robotsText(a.Base, names))), nil
	})
}

// indexed are the projects whose pages search engines may have.
func (a *api) indexed() (names []string, err error) {
	err = a.Scheduler.EachProject(func(p *config.Project) {
		if p.Indexed(a.Robots()) {
			names = append(names, p.Name)
		}
	})
	slices.Sort(names)
	return names, err
}

// robotsText is robots.txt as RFC 9309 has it: of two rules that match, the longer one counts.
func robotsText(base string, projects []string) string {
	var b strings.Builder
	b.WriteString("User-agent: *\n")
	for _, name := range projects {
		path := base + "/projects/" + url.PathEscape(name)
		fmt.Fprintf(&b, "Allow: %s$\nAllow: %s/builds/\nDisallow: %s/builds/*/\nDisallow: %s/builds/*?\n", path, path, path, path)
	}
	if len(projects) > 0 {
		fmt.Fprintf(&b, "Allow: %s/assets/\n", base)
	}
	b.WriteString("Disallow: /\n")
	return b.String()
}

// tellRobots says of an answer whether search engines may keep it.
func (a *api) tellRobots(w http.ResponseWriter, r *http.Request, pattern string) {
	if indexedPages[pattern] && r.URL.RawQuery == "" {
		p, err := a.Scheduler.Project(strings.Split(r.URL.Path, "/")[2])
		if err == nil && p.Indexed(a.Robots()) {
			return
		}
	}
	w.Header().Set("X-Robots-Tag", noRobots)
}
