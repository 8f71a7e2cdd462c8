package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Sample is a call of an operation, to copy. Documents have them as x-codeSamples.
type Sample struct {
	Lang   string `json:"lang"`
	Source string `json:"source"`
}

// addSamples gives each operation a call by curl, and one in Go.
func addSamples(doc *huma.OpenAPI) {
	for path, item := range doc.Paths {
		for method, op := range Operations(item) {
			c := call{doc: doc, method: method, path: path, op: op}
			op.Extensions = map[string]any{"x-codeSamples": []Sample{{"curl", c.curl()}, {"Go", c.inGo()}}}
		}
	}
}

// call is an operation with values for what it needs.
type call struct {
	doc          *huma.OpenAPI
	method, path string
	op           *huma.Operation
}

// values are for parameters whose descriptions have no example.
var values = map[string]string{
	"id": "t97", "name": "api", "project": "api", "number": "142", "commit": exampleCommit, "path": "dist/app.tar.gz", "secret": "SECRET", "file": "api.svg",
}

func (c call) value(p *huma.Param) string {
	if p.Schema != nil && len(p.Schema.Examples) > 0 {
		return fmt.Sprint(p.Schema.Examples[0])
	}
	if v, ok := values[p.Name]; ok {
		return v
	}
	return strings.ToUpper(p.Name)
}

// target is the path with its parameters, and the query that cannot be left out.
func (c call) target() string {
	path, query := c.path, url.Values{}
	for _, p := range c.op.Parameters {
		switch {
		case p.In == "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(c.value(p)))
		case p.In == "query" && p.Required:
			query.Set(p.Name, c.value(p))
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

// body is an example of what is sent as JSON; empty where nothing is.
func (c call) body() string {
	if c.op.RequestBody == nil {
		return ""
	}
	media := c.op.RequestBody.Content["application/json"]
	if media == nil || media.Schema == nil {
		return ""
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("  ", "  ")
	if err := enc.Encode(c.example(media.Schema, 3)); err != nil {
		return ""
	}
	return strings.TrimSpace(out.String())
}

// example makes a value that a schema allows: what must be there, and no more.
func (c call) example(s *huma.Schema, depth int) any {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		if ready, ok := examples()[name]; ok {
			return ready
		}
		if s = c.doc.Components.Schemas.Map()[name]; s == nil {
			return map[string]any{}
		}
	}
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0]
	case len(s.Enum) > 0:
		return s.Enum[0]
	case depth == 0:
		return nil
	}
	switch s.Type {
	case huma.TypeObject:
		out := map[string]any{}
		for name, p := range s.Properties {
			if slices.Contains(s.Required, name) {
				out[name] = c.example(p, depth-1)
			}
		}
		return out
	case huma.TypeArray:
		if s.Items != nil && s.Items.Type == huma.TypeString {
			return []any{exampleCommit}
		}
		return []any{}
	case huma.TypeBoolean:
		return true
	case huma.TypeInteger, huma.TypeNumber:
		return 1
	}
	return "text"
}

func (c call) curl() string {
	parts := []string{"curl -s"}
	if c.method == "DELETE" || c.method == "PUT" || c.method == "POST" && c.op.RequestBody == nil {
		parts[0] += " -X " + c.method
	}
	if len(c.op.Security) > 0 {
		parts = append(parts, `-H "Authorization: Bearer $RUNNER_TOKEN"`)
	}
	if body := c.body(); body != "" {
		parts = append(parts, `-H "Content-Type: application/json"`, "-d '"+strings.ReplaceAll(body, "'", `'\''`)+"'")
	} else if c.op.RequestBody != nil {
		for _, kind := range []string{"application/json", "application/x-www-form-urlencoded", "application/x-git-packed-objects"} {
			if c.op.RequestBody.Content[kind] != nil {
				parts = append(parts, `-H "Content-Type: `+kind+`"`, "--data-binary @FILE")
				break
			}
		}
	}
	parts = append(parts, `"$RUNNER_URL`+c.target()+`"`)
	return strings.Join(parts, " \\\n  ")
}

// inGo is the call of package client that does it, or else one of net/http.
func (c call) inGo() string {
	if text, ok := goCalls[c.op.OperationID]; ok {
		return "c := client.New(os.Getenv(\"RUNNER_URL\"), os.Getenv(\"RUNNER_TOKEN\"))\n" + text
	}
	body := "nil"
	if text := c.body(); text != "" {
		body = "strings.NewReader(`" + text + "`)"
	}
	out := fmt.Sprintf("req, err := http.NewRequestWithContext(ctx, %q, os.Getenv(\"RUNNER_URL\")+%q, %s)\nif err != nil {\n\treturn err\n}\n", c.method, c.target(), body)
	if len(c.op.Security) > 0 {
		out += "req.Header.Set(\"Authorization\", \"Bearer \"+os.Getenv(\"RUNNER_TOKEN\"))\n"
	}
	if body != "nil" {
		out += "req.Header.Set(\"Content-Type\", \"application/json\")\n"
	}
	return out + "resp, err := http.DefaultClient.Do(req)"
}
