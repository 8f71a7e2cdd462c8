package server

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/runner-ci/runner/forge"
	"github.com/runner-ci/runner/server/openapi"
)

// The security schemes of the OpenAPI document.
const (
	bearer     = "token"
	session    = "session"
	feedScheme = "feed"
)

var securitySchemes = map[string]*huma.SecurityScheme{
	bearer: {Type: "http", Scheme: "bearer", Description: "A token of the daemon's: runner token create makes one. What it must at least allow stands with each operation."},
	session: {
		Type: "apiKey", In: "cookie", Name: "runner",
		Description: "A browser's session, opened by POST /login. Over TLS the cookie is called __Host-runner.",
	},
	feedScheme: {Type: "apiKey", In: "query", Name: "token", Description: "A token of the scope feed, which opens feeds and nothing else."},
}

// newDocument is the OpenAPI document before any operation is in it.
func newDocument(version string) *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Runner", Version: version,
			Description: "The API of a Runner daemon, by which its commands and pages do all that they do. Lists come in pages: pass next as cursor. " +
				"Errors are problem+json. Answers of GET have an ETag, and If-None-Match gets a 304 for what is known already; HEAD is answered wherever GET is.",
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
		},
		Components: &huma.Components{
			Schemas:         huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
			SecuritySchemes: securitySchemes,
		},
	}
}

// routeOpenAPI serves the document. It is complete now, as every operation is in it, and written when it is first asked for: that
// takes half as long as all else that is made at the start, and few daemons are ever asked.
func (a *api) routeOpenAPI() {
	add(a, huma.Operation{
		OperationID: "openapi", Method: http.MethodGet, Path: "/openapi.json", Tags: []string{"documentation"},
		Summary:   "This document",
		Responses: described("application/openapi+json", &huma.Schema{Type: huma.TypeObject}),
	}, func(context.Context, *struct{}) (*huma.StreamResponse, error) {
		return tagged("application/openapi+json", a.document()), nil
	})
	complete(a.huma.OpenAPI())
	a.document = sync.OnceValue(func() []byte { return written(a.huma.OpenAPI()) })
}

// schemaOf is the schema of a type, for what huma cannot see that it is answered.
func schemaOf[T any](a *api) *huma.Schema {
	return a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}

// described is an answer of one kind, for the OpenAPI document.
func described(kind string, schema *huma.Schema) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{kind: {Schema: schema}}}}
}

// complete adds to a document what no operation says of itself.
func complete(doc *huma.OpenAPI) {
	openapi.Complete(doc)
	for _, item := range doc.Paths {
		for method, op := range openapi.Operations(item) {
			describeHeaders(method, op)
		}
	}
}

// written is a document as it is served.
func written(doc *huma.OpenAPI) []byte {
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic("the OpenAPI document cannot be written: " + err.Error()) // it is made of our own types, and the same for everybody
	}
	return append(text, '\n')
}

// describeHeaders adds what the middleware does to every operation of a kind.
func describeHeaders(method string, op *huma.Operation) {
	text := func(about string) *huma.Param {
		return &huma.Param{Description: about, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	ok := op.Responses[strconv.Itoa(http.StatusOK)]
	if method == http.MethodGet && ok != nil && hasTag(ok) {
		ok.Headers = map[string]*huma.Param{"ETag": text("stands for what is answered")}
		op.Responses[strconv.Itoa(http.StatusNotModified)] = &huma.Response{Description: "It is still what If-None-Match names"}
		known := text("ETags of what is known already")
		known.Name, known.In = "If-None-Match", "header"
		op.Parameters = append(op.Parameters, known)
	}
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		if r := op.Responses[strconv.Itoa(status)]; r != nil {
			r.Headers = map[string]*huma.Param{"Retry-After": text("seconds after which another try makes sense")}
		}
	}
}

// hasTag tells whether an answer is of a kind that tagging tags.
func hasTag(r *huma.Response) bool {
	for kind := range r.Content {
		if taggedKinds[kind] {
			return true
		}
	}
	return false
}

// OpenAPI returns the document of the API, without a daemon.
func OpenAPI(version string) []byte {
	return New(Options{Version: version, Forges: forge.All()}).(*api).document()
}

// tagged is an answer that is not huma's to write, in one piece.
func tagged(kind string, body []byte) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		_, w := humago.Unwrap(hctx)
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(http.StatusOK)
		_, _ = bytes.NewReader(body).WriteTo(w) // to a client that is gone there is nothing to say
	}}
}
