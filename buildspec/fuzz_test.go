package buildspec

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// FuzzParse holds the promises of the package over any bytes: no panic, an *Error or a plan, places inside the
// text, nothing that a terminal would obey, and a plan that survives being stored.
func FuzzParse(f *testing.F) {
	cases, _ := filepath.Glob(vectors + "/*.txt")
	for _, path := range cases {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if file.Name == "buildspec.yml" {
				f.Add(file.Data)
			}
		}
	}
	for _, text := range []string{"&a", "*a", "!!str", "? ", "- - -", "[{", "a: |\n", "<<: *a", "%YAML 1.2\n---\n", "\"\\\n", "a: &a\n  <<: *a\n", "!00\t"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		spec, err := Parse(DefaultFile, data)
		if err != nil {
			var failed *Error
			if !errors.As(err, &failed) || len(failed.Errors()) == 0 || err.Error() == "" {
				t.Fatalf("an error without a problem: %#v", err)
			}
			checkProblems(t, failed.Problems, DefaultFile)
			return
		}
		checkProblems(t, spec.Warnings, DefaultFile)
		plan, err := spec.Plan(Options{})
		if err != nil {
			return // too many jobs, or too large
		}
		checkPlan(t, plan)
	})
}

// checkPlan holds what every plan promises.
func checkPlan(t *testing.T, plan *Plan) {
	t.Helper()
	ids := map[string]bool{}
	for _, j := range plan.Jobs {
		whole := len(j.Phases) == 4 || j.Buildspec != DefaultFile // another file, which nobody read
		if ids[j.ID] || j.ID == "" || j.Name == "" || j.Shell == "" || !whole {
			t.Fatalf("a job is not complete: %+v", j)
		}
		ids[j.ID] = true
	}
	if len(ids) == 0 {
		t.Fatal("a plan without jobs")
	}
	raw, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	var back Plan
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(&back)
	if err != nil || !reflect.DeepEqual(raw, again) {
		t.Fatalf("a stored plan reads back differently: %v", err)
	}
}
