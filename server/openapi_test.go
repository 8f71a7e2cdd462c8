package server

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/jsonschema/v6"
	"github.com/pb33f/libopenapi"
	"github.com/pb33f/libopenapi-validator/schema_validation"

	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/server/openapi"
)

// theDocument is the document of all routes as JSON, with the schemas of answers that were compiled already.
var theDocument struct {
	sync.Mutex
	tree     map[string]any
	compiler *jsonschema.Compiler
}

const documentURL = "daemon:openapi.json"

// answerSchema is what the document says of an answer in JSON; nil where it describes none of that status.
func answerSchema(t *testing.T, method, path, status, kind string) *jsonschema.Schema {
	t.Helper()
	d := &theDocument
	d.Lock()
	defer d.Unlock()
	if d.tree == nil {
		tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(OpenAPI("test")))
		if err != nil {
			t.Fatal(err)
		}
		d.tree, d.compiler = tree.(map[string]any), jsonschema.NewCompiler()
		d.compiler.AssertFormat()
		if err := d.compiler.AddResource(documentURL, tree); err != nil {
			t.Fatal(err)
		}
	}
	at := any(d.tree)
	place := ""
	for _, step := range []string{"paths", path, strings.ToLower(method), "responses", status, "content", kind, "schema"} {
		if at, _ = at.(map[string]any)[step]; at == nil {
			return nil
		}
		place += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(step)
	}
	schema, err := d.compiler.Compile(documentURL + "#" + place)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// misfit tells in what a body does not fit a schema.
func misfit(schema *jsonschema.Schema, body []byte) error {
	if schema == nil {
		return errors.New("the document describes no such answer")
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// fits holds an answer of JSON against the document: its status is described, and so is everything in it. Every test of this
// package that asks the daemon for something looks at that, too.
func (d *daemon) fits(r *http.Request, resp *http.Response, body []byte) {
	d.t.Helper()
	_, pattern := d.handler.mux.Handler(r)
	_, operation := d.handler.needs[pattern]
	known := operation || d.handler.public[pattern]
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if !known || !strings.HasSuffix(kind, "json") || r.Method == http.MethodHead || kind == "application/openapi+json" {
		return
	}
	method, path, _ := strings.Cut(pattern, " ")
	if err := misfit(answerSchema(d.t, method, path, strconv.Itoa(resp.StatusCode), kind), body); err != nil {
		d.t.Errorf("%s %s answers %d, which does not fit the document: %v\n%.2000s", r.Method, r.URL.Path, resp.StatusCode, err, body)
	}
}

// fitting has the answers that a client gets looked at.
type fitting struct{ d *daemon }

func (f fitting) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !strings.Contains(resp.Header.Get("Content-Type"), "json") {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	f.d.fits(r, resp, body)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

func TestTheDocumentIsValid(t *testing.T) {
	doc, err := libopenapi.NewDocument(OpenAPI("test"))
	if err != nil {
		t.Fatal(err)
	}
	if ok, errs := schema_validation.ValidateOpenAPIDocument(doc); !ok {
		for _, e := range errs {
			t.Error(e.Message, e.Reason, e.SchemaValidationErrors)
		}
	}
}

func TestTheDocumentIsThatOfTheServer(t *testing.T) {
	d := newDaemon(t)
	resp, text := d.do(http.MethodGet, "/openapi.json", nil, nil)
	if resp.StatusCode != http.StatusOK || !bytes.Equal(text, OpenAPI("test")) {
		t.Error("the document without a daemon is not the one that a daemon serves")
	}
	described := map[string]bool{}
	for path, item := range d.handler.huma.OpenAPI().Paths {
		for method, op := range openapi.Operations(item) {
			described[method+" "+path] = true
			if !slices.Contains(d.handler.mux.patterns, method+" "+path) {
				t.Errorf("%s %s is described, and no route", method, path)
			}
			for _, p := range op.Parameters {
				if p.In != "path" && p.Description == "" {
					t.Errorf("%s: parameter %s has no description", op.OperationID, p.Name)
				}
			}
		}
	}
	for _, pattern := range d.handler.mux.patterns {
		if !described[pattern] {
			t.Errorf("%s is a route, and not described", pattern)
		}
	}
	for _, tag := range d.handler.huma.OpenAPI().Tags {
		if tag.Description == "" {
			t.Errorf("tag %s has no description", tag.Name)
		}
	}
}

func TestUnknownFieldsAreFound(t *testing.T) {
	schema := answerSchema(t, http.MethodGet, "/api/v1/whoami", "200", "application/json")
	for body, fits := range map[string]bool{
		`{"name":"ada","grants":[]}`: true, `{"name":"ada","grants":[],"shoe":44}`: false, `{"grants":[]}`: false, `{"name":7,"grants":[]}`: false,
		`{"name":"ada","grants":[],"expires":"tomorrow"}`: false,
	} {
		if err := misfit(schema, []byte(body)); (err == nil) != fits {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// TestExamplesFitTheirSchemas: people copy them.
func TestExamplesFitTheirSchemas(t *testing.T) {
	answerSchema(t, http.MethodGet, "/healthz", "200", "application/json") // reads the document
	schemas := theDocument.tree["components"].(map[string]any)["schemas"].(map[string]any)
	looked := 0
	for name, s := range schemas {
		examples, _ := s.(map[string]any)["examples"].([]any)
		for _, example := range examples {
			looked++
			schema, err := theDocument.compiler.Compile(documentURL + "#/components/schemas/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(example); err != nil {
				t.Errorf("the example of %s: %v", name, err)
			}
		}
	}
	if looked < 10 {
		t.Errorf("%d examples were looked at", looked)
	}
}

// TestWordsAreThoseOfTheScheduler: a status or a kind that the document does not list would break whoever believes it.
func TestWordsAreThoseOfTheScheduler(t *testing.T) {
	doc := New(Options{Version: "test"}).(*api).huma.OpenAPI()
	listed := func(schema, field string) (out []string) {
		for _, w := range doc.Components.Schemas.Map()[schema].Properties[field].Enum {
			out = append(out, w.(string))
		}
		return out
	}
	for _, s := range []scheduler.Status{scheduler.InProgress, scheduler.Succeeded, scheduler.Failed, scheduler.Fault, scheduler.TimedOut, scheduler.Stopped} {
		if !slices.Contains(listed("Build", "status"), string(s)) {
			t.Errorf("status %s is not listed", s)
		}
	}
	text, err := os.ReadFile("../scheduler/model.go")
	if err != nil {
		t.Fatal(err)
	}
	for kind, at := range map[string][2]string{"TriggerKind": {"Trigger", "kind"}, "Outcome": {"Trigger", "outcome"}, "JobState": {"Job", "state"}} {
		found := 0
		for _, line := range strings.Split(string(text), "\n") {
			fields := strings.Fields(line)
			if len(fields) < 3 || !slices.Contains(fields, kind) || !strings.Contains(line, `= "`) {
				continue
			}
			found++
			word := strings.Split(line, `"`)[1]
			if !slices.Contains(listed(at[0], at[1]), word) {
				t.Errorf("%s %q is not listed", kind, word)
			}
		}
		if found < 3 {
			t.Errorf("%d words of %s were found in the scheduler", found, kind)
		}
	}
}
