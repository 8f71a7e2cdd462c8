package openapi

import (
	"reflect"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/runner-ci/runner/client"
)

func TestCompleteSaysWhatTypesCannot(t *testing.T) {
	schemas := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	doc := &huma.OpenAPI{Components: &huma.Components{Schemas: schemas}}
	schemas.Schema(reflect.TypeFor[client.Page[client.Build]](), true, "")
	Complete(doc)
	build := schemas.Map()["Build"]
	if build.Description == "" || len(build.Examples) != 1 || len(build.Properties["status"].Enum) != len(statuses) || build.Properties["trusted"] == nil {
		t.Errorf("%+v", build)
	}
	if schemas.Map()["PageBuild"].Description == "" || schemas.Map()["Job"].Properties["attempt"].Description == "" {
		t.Error("a page or a field has no description")
	}
}

func TestEveryWordAndExampleHasItsPlace(t *testing.T) {
	for at, words := range vocabulary() {
		if len(words) == 0 {
			t.Errorf("%s has no words", at)
		}
	}
	for name := range examples() {
		if _, ok := descriptions[name]; !ok && name[:4] != "Page" {
			t.Errorf("the example of %s is of no type that is described", name)
		}
	}
}
