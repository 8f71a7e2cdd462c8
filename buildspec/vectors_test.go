package buildspec

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what the parser says into the cases of testdata")

// vectors is where the cases are; testdata/README.md tells their form.
const vectors = "testdata/vectors"

// fileSection begins the name of a section that holds another file of the commit.
const fileSection = "file: "

// TestVectors runs the language's published vectors: a change to one of them is a change to the language.
func TestVectors(t *testing.T) {
	cases, err := filepath.Glob(vectors + "/*.txt")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases in %s: %v", vectors, err)
	}
	for _, path := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) { runVector(t, path) })
	}
}

// covers is the line of a case that names sections of the fact sheet.
var covers = regexp.MustCompile(`(?m)^covers: (\d+\.\d+ .+)$`)

func runVector(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !covers.Match(archive.Comment) {
		t.Error(`the case does not say what it covers, with a line like "covers: 1.4 on-failure"`)
	}
	text, opts := inputs(t, archive)
	got := map[string]string{}
	plan, problems := outcome(t, text, opts)
	if plan != nil {
		got["plan.json"] = asJSON(t, plan)
	}
	if len(problems) > 0 {
		got["problems"] = printed(problems)
	}
	if *update {
		rewrite(t, path, archive, got)
		return
	}
	for _, name := range []string{"plan.json", "problems"} {
		if want := textOf(archive, name); got[name] != want {
			t.Errorf("%s differs\ngot:\n%s\nwant:\n%s", name, got[name], want)
		}
	}
}

func textOf(archive *txtar.Archive, name string) string {
	for _, f := range archive.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// inputs are the buildspec of a case and what its plan takes from outside. Where the case has other files, they are
// the commit's; else nothing can be read.
func inputs(t *testing.T, archive *txtar.Archive) (text []byte, opts Options) {
	t.Helper()
	others := map[string][]byte{}
	for _, f := range archive.Files {
		switch name, other := strings.CutPrefix(f.Name, fileSection); {
		case other:
			others[name] = f.Data
		case name == "buildspec.yml":
			text = f.Data
		case name == "options.json":
			if err := json.Unmarshal(f.Data, &opts); err != nil {
				t.Fatalf("options.json: %v", err)
			}
		}
	}
	if len(others) > 0 {
		opts.Read = func(path string) ([]byte, error) {
			data, ok := others[path]
			if !ok {
				return nil, errors.New("there is no such file")
			}
			return data, nil
		}
	}
	return text, opts
}

// outcome is the plan without its warnings, and all problems. There is no plan when one of them is an error.
func outcome(t *testing.T, text []byte, opts Options) (*Plan, []Problem) {
	t.Helper()
	spec, err := Parse(DefaultFile, text)
	var plan *Plan
	if err == nil {
		plan, err = spec.Plan(opts)
	}
	var failed *Error
	switch {
	case err == nil:
		problems := plan.Warnings
		plan.Warnings = nil
		return plan, problems
	case errors.As(err, &failed):
		return nil, failed.Problems
	default:
		t.Fatalf("Parse and Plan answer with *Error only, got %T: %v", err, err)
		return nil, nil
	}
}

func printed(problems []Problem) string {
	var b strings.Builder
	for i, p := range problems {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

func rewrite(t *testing.T, path string, archive *txtar.Archive, got map[string]string) {
	t.Helper()
	kept := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		if f.Name != "plan.json" && f.Name != "problems" {
			kept.Files = append(kept.Files, f)
		}
	}
	for _, name := range []string{"plan.json", "problems"} {
		if text, ok := got[name]; ok {
			kept.Files = append(kept.Files, txtar.File{Name: name, Data: []byte(text)})
		}
	}
	if err := os.WriteFile(path, txtar.Format(kept), 0o644); err != nil {
		t.Fatal(err)
	}
}
