package web

import (
	"maps"
	"net/http"
	"slices"

	"github.com/runner-ci/runner/client"
)

// The pages of the API show the OpenAPI document that every daemon has: an index, a page for each operation, one for each type.
func (s *Site) routeAPI() {
	s.page("GET /api", s.apiIndex)
	s.page("GET /api/operations/{id}", s.apiOperation)
	s.page("GET /api/types/{name}", s.apiType)
}

// apiGroup is the operations of a tag.
type apiGroup struct {
	Name, Description string
	Operations        []*apiOperation
}

type apiIndex struct {
	*apiDoc
	Groups []apiGroup
	Types  []string
}

func (s *Site) apiDocument(v *visit) (*apiDoc, error) {
	text, err := s.Client.OpenAPI(v.Context())
	if err != nil {
		return nil, err
	}
	return readAPIDoc(text)
}

func (s *Site) apiIndex(v *visit) (*view, error) {
	doc, err := s.apiDocument(v)
	if err != nil {
		return nil, err
	}
	out := apiIndex{apiDoc: doc, Types: slices.Sorted(maps.Keys(doc.Components.Schemas))}
	for _, t := range doc.Tags {
		out.Groups = append(out.Groups, apiGroup{t.Name, t.Description, doc.operations(t.Name)})
	}
	return &view{Template: "api", Title: "API", Crumbs: []crumb{{Text: "API"}}, Data: out}, nil
}

func (s *Site) apiOperation(v *visit) (*view, error) {
	doc, err := s.apiDocument(v)
	if err != nil {
		return nil, err
	}
	op := doc.operation(v.PathValue("id"))
	if op == nil {
		return nil, &client.Error{Status: http.StatusNotFound, Detail: "the API has no operation of that name", Hint: "the page of the API lists all"}
	}
	return &view{Template: "apioperation", Title: op.ID, Crumbs: []crumb{{"API", "/api"}, {Text: op.ID}}, Data: op}, nil
}

// apiNamed is a type with its name, and who uses it.
type apiNamed struct {
	Name string
	*apiSchema
	UsedBy []*apiOperation
	PartOf []string // types that have it in them
}

func (s *Site) apiType(v *visit) (*view, error) {
	doc, err := s.apiDocument(v)
	if err != nil {
		return nil, err
	}
	name := v.PathValue("name")
	schema := doc.Components.Schemas[name]
	if schema == nil {
		return nil, &client.Error{Status: http.StatusNotFound, Detail: "the API has no type of that name", Hint: "the page of the API lists all"}
	}
	out := apiNamed{Name: name, apiSchema: schema}
	for _, t := range doc.Tags {
		for _, op := range doc.operations(t.Name) {
			if op.speaksOf(name) {
				out.UsedBy = append(out.UsedBy, op)
			}
		}
	}
	for _, other := range slices.Sorted(maps.Keys(doc.Components.Schemas)) {
		for _, f := range doc.Components.Schemas[other].Fields() {
			if f.Text().Name == name && !slices.Contains(out.PartOf, other) {
				out.PartOf = append(out.PartOf, other)
			}
		}
	}
	return &view{Template: "apitype", Title: name, Crumbs: []crumb{{"API", "/api"}, {Text: name}}, Data: out}, nil
}

// speaksOf tells whether a type is sent to an operation, or answered by it unless as an error.
func (op *apiOperation) speaksOf(name string) bool {
	bodies := slices.Collect(maps.Values(op.Responses))
	if op.Body != nil {
		bodies = append(bodies, *op.Body)
	}
	for _, b := range bodies {
		for kind, media := range b.Content {
			if media.Schema != nil && kind != problemKind && media.Schema.Text().Name == name {
				return true
			}
		}
	}
	return false
}
