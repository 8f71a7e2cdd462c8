package openapi

import (
	_ "embed"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// description is what the source says of one type and of its fields, these by their names in JSON.
type description struct {
	Type   string            `json:"type,omitempty"`
	Fields map[string]string `json:"fields,omitempty"`
}

//go:embed descriptions.json
var descriptionsJSON []byte

// descriptions are by the names of the schemas.
var descriptions = func() (out map[string]description) {
	if err := json.Unmarshal(descriptionsJSON, &out); err != nil {
		panic("descriptions.json: " + err.Error())
	}
	return out
}()

// Complete adds to a document what types cannot say. It is called once, when every operation is in it.
func Complete(doc *huma.OpenAPI) {
	schemas := doc.Components.Schemas.Map()
	for name, schema := range schemas {
		describe(name, schema)
	}
	for at, words := range vocabulary() {
		name, field, _ := strings.Cut(at, ".")
		if schema := schemas[name]; schema != nil && schema.Properties[field] != nil {
			setWords(schema.Properties[field], words)
		}
	}
	for name, example := range examples() {
		if schema := schemas[name]; schema != nil {
			schema.Examples = []any{example}
		}
	}
	addSamples(doc)
	doc.Tags = usedTags(doc)
}

// describe gives a schema and its properties the comments of their type, where they have nothing of their own.
func describe(name string, schema *huma.Schema) {
	d, ok := descriptions[name]
	if !ok && strings.HasPrefix(name, "Page") {
		d = descriptions["Page"]
	}
	if schema.Description == "" {
		schema.Description = d.Type
	}
	for field, text := range d.Fields {
		if p := schema.Properties[field]; p != nil && p.Description == "" {
			p.Description = text
		}
	}
}

// setWords lists what a text, or each text of a list, can be.
func setWords(schema *huma.Schema, words []string) {
	if schema.Items != nil {
		schema = schema.Items
	}
	schema.Enum = nil
	for _, w := range words {
		schema.Enum = append(schema.Enum, w)
	}
}

// usedTags are the tags that some operation has, in the order in which people read of them.
func usedTags(doc *huma.OpenAPI) (out []*huma.Tag) {
	used := map[string]bool{}
	for _, item := range doc.Paths {
		for _, op := range Operations(item) {
			for _, tag := range op.Tags {
				used[tag] = true
			}
		}
	}
	for _, t := range tags {
		if used[t.Name] {
			out = append(out, &huma.Tag{Name: t.Name, Description: t.Description})
			delete(used, t.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		out = append(out, &huma.Tag{Name: name})
	}
	return out
}

// Operations are those of a path, by their methods.
func Operations(item *huma.PathItem) map[string]*huma.Operation {
	out := map[string]*huma.Operation{}
	for method, op := range map[string]*huma.Operation{
		"GET": item.Get, "PUT": item.Put, "POST": item.Post, "DELETE": item.Delete, "PATCH": item.Patch, "HEAD": item.Head, "OPTIONS": item.Options,
	} {
		if op != nil {
			out[method] = op
		}
	}
	return out
}
