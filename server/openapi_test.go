package server

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	"github.com/pb33f/libopenapi-validator/schema_validation"

	"github.com/runner-ci/runner/internal/contract"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/server/openapi"
)

// theDocument is the document of all routes.
var theDocument = sync.OnceValues(func() (*contract.Document, error) { return contract.Read(OpenAPI("test")) })

func document(t *testing.T) *contract.Document {
	t.Helper()
	doc, err := theDocument()
	if err != nil {
		t.Fatal(err)
	}
	return doc
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
	if err := document(d.t).Answer(method, path, resp.StatusCode, kind, body); err != nil {
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

// TestExamplesFitTheirTypes: people copy them.
func TestExamplesFitTheirTypes(t *testing.T) {
	if count, err := document(t).Examples(); err != nil || count < 10 {
		t.Errorf("%d examples: %v", count, err)
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
