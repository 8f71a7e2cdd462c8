package buildspec

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// schema is the part of JSON Schema that schema.json uses for keys.
type schema struct {
	Ref                  string             `json:"$ref"`
	Description          string             `json:"description"`
	AllOf                []*schema          `json:"allOf"`
	Not                  *schema            `json:"not"`
	Properties           map[string]*schema `json:"properties"`
	AdditionalProperties json.RawMessage    `json:"additionalProperties"`
	Defs                 map[string]*schema `json:"$defs"`
}

// TestSchemaAgrees holds schema.json and the parser's tables together, key by key and section by section: the same
// keys, the same ones refused, the same sections closed to others, a description for each.
func TestSchemaAgrees(t *testing.T) {
	raw, err := os.ReadFile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var root schema
	if err := json.Unmarshal(raw, &root); err != nil {
		t.Fatal(err)
	}
	for _, s := range allSections() {
		at := &root
		for name := range strings.SplitSeq(s.name, ".") {
			if s.name == "" {
				break
			}
			if at = root.properties(at)[name]; at == nil {
				t.Fatalf("schema.json has no %s", s.name)
			}
		}
		props := root.properties(at)
		want, got := []string{}, slices.Sorted(maps.Keys(props))
		for _, k := range s.keys {
			want = append(want, k.name)
			p := props[k.name]
			switch {
			case p == nil:
			case (p.Not != nil) != k.refused:
				t.Errorf("%s: refused is %v in the parser and %v in schema.json", s.path(k.name), k.refused, p.Not != nil)
			case p.Description == "":
				t.Errorf("%s has no description in schema.json", s.path(k.name))
			}
		}
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Errorf("keys %s: schema.json has %v, the parser %v", s.in(), got, want)
		}
		if closed := string(at.AdditionalProperties) == "false"; closed != s.closed {
			t.Errorf("%s: closed is %v in the parser and %v in schema.json", s.name, s.closed, closed)
		}
	}
}

// properties are the keys of a mapping, its own and those it refers to.
func (root *schema) properties(s *schema) map[string]*schema {
	all := maps.Clone(s.Properties)
	if all == nil {
		all = map[string]*schema{}
	}
	for _, part := range s.AllOf {
		maps.Copy(all, root.properties(part))
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
		maps.Copy(all, root.properties(root.Defs[name]))
	}
	return all
}

// TestDocumentation: docs/buildspec.md names every key, as supported or as refused.
func TestDocumentation(t *testing.T) {
	raw, err := os.ReadFile("../docs/buildspec.md")
	if err != nil {
		t.Fatal(err)
	}
	supported, refused, ok := strings.Cut(string(raw), "## Refused for now")
	if !ok {
		t.Fatal(`docs/buildspec.md has no heading "Refused for now"`)
	}
	for _, s := range allSections() {
		for _, k := range s.keys {
			part, where := supported, "above"
			if k.refused {
				part, where = refused, "below"
			}
			if !strings.Contains(part, "`"+k.name+"`") {
				t.Errorf("docs/buildspec.md lacks `%s` (%s) %s its heading \"Refused for now\"", k.name, s.path(k.name), where)
			}
		}
	}
}
