package server

import (
	"bytes"
	"context"
	_ "embed"
	"html/template"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// routePages adds what people read in a browser who follow a link from a forge.
func (a *api) routePages() {
	add(a, huma.Operation{
		OperationID: "build-page", Method: http.MethodGet, Path: "/projects/{project}/builds/{number}", Tags: []string{"builds"},
		Summary: "One build as a plain page, to which forges link",
	}, func(_ context.Context, in *BuildInput) (*huma.StreamResponse, error) {
		b, err := a.wholeBuild(in.id())
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
