package buildspec

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what the parser says into the cases of testdata")

// TestGolden runs the cases of testdata; testdata/README.md tells their form. They are the language's published
// vectors: a change to one of them is a change to the language.
func TestGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	for _, path := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) { golden(t, path) })
	}
}

func golden(t *testing.T, path string) {
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range archive.Files {
		files[f.Name] = f.Data
	}
	var opts Options
	if raw, ok := files["options.json"]; ok {
		if err := json.Unmarshal(raw, &opts); err != nil {
			t.Fatalf("options.json: %v", err)
		}
	}
	got := map[string]string{}
	plan, problems := outcome(t, files["buildspec.yml"], opts)
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
		if got[name] != string(files[name]) {
			t.Errorf("%s differs\ngot:\n%s\nwant:\n%s", name, got[name], files[name])
		}
	}
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

func asJSON(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func rewrite(t *testing.T, path string, archive *txtar.Archive, got map[string]string) {
	t.Helper()
	kept := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		if f.Name == "buildspec.yml" || f.Name == "options.json" {
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
