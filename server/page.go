package server

import (
	"bytes"
	"context"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// buildPage is the path of a build's page.
const buildPage = "/projects/{project}/builds/{number}"

// routePages adds what people read in a browser who follow a link from a forge.
func (a *api) routePages() {
	add(a, huma.Operation{
		OperationID: "build-page", Method: http.MethodGet, Path: buildPage, Tags: []string{"builds"},
		Summary: "One build as a plain page, to which forges link",
	}, func(ctx context.Context, in *BuildInput) (*huma.StreamResponse, error) {
		b, err := a.wholeBuild(ctx, in.id())
		if err != nil {
			return nil, err
		}
		var page bytes.Buffer
		if err := buildPageHTML.Execute(&page, b); err != nil {
			return nil, err
		}
		return htmlPage(page.Bytes()), nil
	})
}

// toLogin sends a browser that may not see a page, and has not said who it is, to that of the login, which brings it back. It does
// so whether there is such a build or not.
func (a *api) toLogin(w http.ResponseWriter, r *http.Request, pattern string, who *identity) bool {
	if r.Header.Get("Authorization") != "" || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return false
	}
	switch pattern {
	case http.MethodGet + " " + buildPage:
		if who != nil && (!who.nobody || a.isPublic(strings.Split(r.URL.Path, "/")[2])) {
			return false
		}
	case http.MethodGet + " /status":
		if who != nil && !who.nobody {
			return false
		}
	default:
		return false
	}
	redirect(w, a.Base+"/login?next="+url.QueryEscape(r.URL.RequestURI()))
	return true
}

// htmlPage is an answer that shows a page in which nothing runs, and which nobody frames.
func htmlPage(page []byte) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		_, w := humago.Unwrap(hctx)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		_, _ = w.Write(page) // to a client that is gone there is nothing to say
	}}
}

//go:embed build.html
var buildHTML string

var buildPageHTML = template.Must(template.New("build").Funcs(pageFuncs).Parse(buildHTML))
