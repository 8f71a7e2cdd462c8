// Package contract holds answers of the API against the OpenAPI document that describes them, for tests.
package contract

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pb33f/jsonschema/v6"
)

// Document is an OpenAPI document, with the schemas that were needed so far.
type Document struct {
	mu       sync.Mutex
	tree     map[string]any
	compiler *jsonschema.Compiler
}

// here is what the document is called within itself.
const here = "daemon:openapi.json"

// Read reads a document.
func Read(text []byte) (*Document, error) {
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	d := &Document{compiler: jsonschema.NewCompiler()}
	var ok bool
	if d.tree, ok = tree.(map[string]any); !ok {
		return nil, errors.New("an OpenAPI document is an object")
	}
	d.compiler.AssertFormat()
	return d, d.compiler.AddResource(here, tree)
}

// Answer tells in what an answer in JSON does not fit its description: its status, and everything in it. Fields that are not
// described do not fit.
func (d *Document) Answer(method, path string, status int, kind string, body []byte) error {
	return d.fits(body, "paths", path, strings.ToLower(method), "responses", strconv.Itoa(status), "content", kind, "schema")
}

// Type tells in what a value does not fit a type of the document.
func (d *Document) Type(name string, value []byte) error {
	return d.fits(value, "components", "schemas", name)
}

// Examples tells in what the examples of types do not fit those, and how many there are.
func (d *Document) Examples() (count int, err error) {
	schemas, _ := d.at("components", "schemas").(map[string]any)
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		examples, _ := d.at("components", "schemas", name, "examples").([]any)
		for _, example := range examples {
			count++
			schema, err := d.schema("components", "schemas", name)
			if err == nil {
				err = schema.Validate(example)
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("the example of %s: %w", name, err))
			}
		}
	}
	return count, errors.Join(errs...)
}

func (d *Document) at(steps ...string) (at any) {
	at = d.tree
	for _, step := range steps {
		object, _ := at.(map[string]any)
		at = object[step]
	}
	return at
}

// steps escapes a name in a JSON pointer that is the fragment of a URL.
var steps = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")

func (d *Document) schema(way ...string) (*jsonschema.Schema, error) {
	if d.at(way...) == nil {
		return nil, errors.New("the document does not describe that")
	}
	place := here + "#"
	for _, step := range way {
		place += "/" + steps.Replace(step)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.compiler.Compile(place)
}

func (d *Document) fits(body []byte, way ...string) error {
	schema, err := d.schema(way...)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}
