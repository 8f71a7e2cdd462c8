package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// apiDoc is as much of an OpenAPI document as its pages show.
type apiDoc struct {
	Info struct{ Version, Description string }
	Tags []struct{ Name, Description string }

	Paths      map[string]map[string]*apiOperation
	Components struct{ Schemas map[string]*apiSchema }
}

type apiOperation struct {
	ID          string `json:"operationId"`
	Summary     string
	Description string
	Tags        []string
	Parameters  []apiParameter
	Body        *apiBody `json:"requestBody"`
	Responses   map[string]apiBody
	Security    []map[string][]string
	Samples     []struct{ Lang, Source string } `json:"x-codeSamples"`

	Method, Path string `json:"-"`
}

type apiParameter struct {
	Name, In, Description string
	Required              bool
	Schema                *apiSchema
}

// apiBody is what is sent or answered, by its kinds.
type apiBody struct {
	Description string
	Headers     map[string]apiParameter
	Content     map[string]struct{ Schema *apiSchema }
}

type apiSchema struct {
	Ref         string `json:"$ref"`
	Type        any
	Format      string
	Description string
	Enum        []any
	Default     any
	Examples    []any
	Items       *apiSchema
	Properties  map[string]*apiSchema
	Required    []string
	Values      any `json:"additionalProperties"`
	Minimum     *float64
	Maximum     *float64
	MaxLength   *int
	MaxItems    *int
}

func readAPIDoc(text []byte) (*apiDoc, error) {
	doc := new(apiDoc)
	if err := json.Unmarshal(text, doc); err != nil {
		return nil, fmt.Errorf("reading the OpenAPI document: %w", err)
	}
	for path, item := range doc.Paths {
		for method, op := range item {
			op.Method, op.Path = strings.ToUpper(method), path
		}
	}
	return doc, nil
}

// operations are those of a tag, by path and then in the order in which things are made, changed and removed.
func (d *apiDoc) operations(tag string) (out []*apiOperation) {
	methods := []string{"get", "post", "put", "patch", "delete"}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range methods {
			if op := d.Paths[path][method]; op != nil && slices.Contains(op.Tags, tag) {
				out = append(out, op)
			}
		}
	}
	return out
}

func (d *apiDoc) operation(id string) *apiOperation {
	for _, item := range d.Paths {
		for _, op := range item {
			if op.ID == id {
				return op
			}
		}
	}
	return nil
}

// Needs says what an operation asks of whoever calls it.
func (op *apiOperation) Needs() string {
	scope, free := "", false
	for _, way := range op.Security {
		free = free || len(way) == 0
		for _, scopes := range way {
			scope = strings.Join(scopes, " ")
		}
	}
	switch {
	case scope == "":
		return "nothing"
	case free:
		return scope + ", or a public project"
	}
	return scope
}

// problemKind is the kind of every error.
const problemKind = "application/problem+json"

// Good are the answers that are no errors.
func (op *apiOperation) Good() map[string]apiBody {
	out := maps.Clone(op.Responses)
	maps.DeleteFunc(out, func(_ string, b apiBody) bool { _, is := b.Content[problemKind]; return is })
	return out
}

// apiProblem is an error that an operation may answer with.
type apiProblem struct{ Status, Text string }

// Problems are the errors, by their statuses.
func (op *apiOperation) Problems() (out []apiProblem) {
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		if _, is := op.Responses[status].Content[problemKind]; is {
			out = append(out, apiProblem{status, op.Responses[status].Description})
		}
	}
	return out
}

// Changes tells that an operation changes something.
func (op *apiOperation) Changes() bool { return op.Method != "GET" }

// typeText is a type as people read it: a few words, with the name of a type that has a page of its own among them.
type typeText struct{ Before, Name, After string }

// Text is the type of what a schema describes.
func (s *apiSchema) Text() typeText {
	if s == nil {
		return typeText{Before: "anything"}
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return typeText{Name: name}
	}
	switch kind := s.kind(); {
	case kind == "array":
		of := s.Items.Text()
		of.Before = "list of " + of.Before
		return of
	case kind == "object" && len(s.Properties) == 0:
		if values, ok := s.Values.(map[string]any); ok {
			return typeText{Before: "mapping of names to " + plainType(values)}
		}
		return typeText{Before: "mapping"}
	default:
		return typeText{Before: plainType(map[string]any{"type": kind, "format": s.Format})}
	}
}

func (s *apiSchema) kind() string {
	switch t := s.Type.(type) {
	case string:
		return t
	case []any:
		if len(t) > 0 {
			return fmt.Sprint(t[0])
		}
	}
	return ""
}

func plainType(s map[string]any) string {
	switch s["type"] {
	case "string":
		switch s["format"] {
		case "date-time":
			return "time"
		case "binary":
			return "bytes"
		}
		return "text"
	case "integer", "number":
		return "number"
	case "boolean":
		return "true or false"
	case "object":
		return "mapping"
	case "array":
		return "list"
	}
	if ref, ok := s["$ref"].(string); ok {
		return strings.TrimPrefix(ref, "#/components/schemas/")
	}
	return "anything"
}

// Words are what a text, or each of a list, can be.
func (s *apiSchema) Words() (out []string) {
	if s == nil {
		return nil
	}
	if s.Items != nil {
		s = s.Items
	}
	for _, w := range s.Enum {
		if text := fmt.Sprint(w); text != "" {
			out = append(out, text)
		}
	}
	return out
}

// Limits says how large or long a value may be, and what it is when it is left out.
func (s *apiSchema) Limits() string {
	if s == nil {
		return ""
	}
	var out []string
	if s.Default != nil {
		out = append(out, fmt.Sprintf("default %v", s.Default))
	}
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		out = append(out, fmt.Sprintf("%v to %v", *s.Minimum, *s.Maximum))
	case s.Minimum != nil:
		out = append(out, fmt.Sprintf("at least %v", *s.Minimum))
	case s.Maximum != nil:
		out = append(out, fmt.Sprintf("at most %v", *s.Maximum))
	}
	if s.MaxLength != nil {
		out = append(out, fmt.Sprintf("at most %d characters", *s.MaxLength))
	}
	return strings.Join(out, "; ")
}

// apiField is a property with its name.
type apiField struct {
	Name     string
	Required bool
	*apiSchema
}

// Schema is what the field holds, by the name that parameters have it under.
func (f apiField) Schema() *apiSchema { return f.apiSchema }

// Fields are the properties of a type: those that are always there first.
func (s *apiSchema) Fields() (out []apiField) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		out = append(out, apiField{name, slices.Contains(s.Required, name), s.Properties[name]})
	}
	slices.SortStableFunc(out, func(a, b apiField) int { return truesFirst(a.Required, b.Required) })
	return out
}

// Example is the first one, as JSON with indents; empty where there is none.
func (s *apiSchema) Example() string {
	if len(s.Examples) == 0 {
		return ""
	}
	text, err := json.MarshalIndent(s.Examples[0], "", "  ")
	if err != nil {
		return ""
	}
	return string(text)
}
