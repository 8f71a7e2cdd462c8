package buildspec

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestSchemaInStep: schema.json, which editors fetch, is what the parser's tables say.
func TestSchemaInStep(t *testing.T) {
	if *update {
		if err := os.WriteFile("schema.json", Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw, Schema()) {
		t.Error("schema.json is not what Schema returns: go test ./buildspec -run TestSchemaInStep -update")
	}
	for _, s := range allSections() {
		for _, k := range s.keys {
			if k.about == "" {
				t.Errorf("%s has no description", s.path(k.name))
			}
		}
	}
}

// TestSchemaTakesWhatIsTaken: an editor marks nothing in the cases that become plans without a warning.
func TestSchemaTakesWhatIsTaken(t *testing.T) {
	root := schemaOf(t)
	tried := 0
	eachVector(t, func(name string, archive *txtar.Archive) {
		text, opts := inputs(t, archive)
		plan, problems := outcome(t, text, opts)
		if plan == nil || len(problems) > 0 {
			return
		}
		tried++
		for _, wrong := range root.check(root.tree, valueOf(tree(t, text)), "") {
			t.Errorf("%s: %s", name, wrong)
		}
	})
	if tried < 30 {
		t.Errorf("only %d cases were tried", tried)
	}
}

// TestSchemaRefuses: what an editor must mark.
func TestSchemaRefuses(t *testing.T) {
	root := schemaOf(t)
	for name, text := range map[string]string{
		"no version":             "phases: {build: {commands: [a]}}",
		"another version":        "version: 0.3\nphases: {build: {commands: [a]}}",
		"an unknown phase":       "version: 0.2\nphases: {test: {commands: [a]}}",
		"a command like a key":   "version: 0.2\nphases: {build: {commands: [a: b]}}",
		"a wrong on-failure":     "version: 0.2\nphases: {build: {on-failure: STOP, commands: [a]}}",
		"no files":               "version: 0.2\nphases: {build: {commands: [a]}}\nreports: {unit: {file-format: JUNITXML}}",
		"a wrong format":         "version: 0.2\nphases: {build: {commands: [a]}}\nreports: {unit: {files: [a], file-format: XML}}",
		"a wrong flag":           "version: 0.2\nphases: {build: {commands: [a]}}\nartifacts: {files: [a], discard-paths: maybe}",
		"a wrong compute type":   "version: 0.2\nbatch: {build-list: [{identifier: a, env: {compute-type: BIG}}]}",
		"no parallelism":         "version: 0.2\nphases: {build: {commands: [a]}}\nbatch: {build-fanout: {}}",
		"a wrong action":         "version: 0.2\nphases: {build: {commands: [a]}}\ncache: {paths: [a], action: both}",
		"a service without name": "version: 0.2\nphases: {build: {commands: [a]}}\nx-runner: {services: {A_B: {image: a}}}",
		"a target of nothing":    "version: 0.2\nphases: {build: {commands: [a]}}\nbatch: {build-fanout: {parallelism: 2}}\nx-runner: {shards: {auto: false, target: 5m}}",
		"a list of images":       "version: 0.2\nphases: {build: {commands: [a]}}\nx-runner: {images: []}",
	} {
		if len(root.check(root.tree, valueOf(tree(t, []byte(text))), "")) == 0 {
			t.Errorf("%s: the schema takes\n%s", name, text)
		}
	}
}

func eachVector(t testing.TB, do func(name string, archive *txtar.Archive)) {
	t.Helper()
	paths, err := filepath.Glob(vectors + "/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases in %s: %v", vectors, err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		do(strings.TrimSuffix(filepath.Base(path), ".txt"), archive)
	}
}

func tree(t *testing.T, text []byte) *node {
	t.Helper()
	src, err := newSource(DefaultFile, text)
	if err != nil {
		t.Fatal(err)
	}
	root, refused := read(newReport(src))
	if refused != nil {
		t.Fatal(refused)
	}
	return root
}

// valueOf is a node as an editor's YAML reader sees it: plain words of YAML's core are no text.
func valueOf(n *node) any {
	switch n.kind {
	case scalar:
		var v any
		if n.plain && json.Unmarshal([]byte(n.text), &v) == nil {
			return v
		}
		return n.text
	case list:
		all := []any{}
		for _, item := range n.items {
			all = append(all, valueOf(item))
		}
		return all
	case mapping:
		all := map[string]any{}
		for _, e := range n.entries {
			all[e.key] = valueOf(e.value)
		}
		return all
	}
	return nil
}

func schemaOf(t *testing.T) *jsonSchema {
	t.Helper()
	s := &jsonSchema{}
	if err := json.Unmarshal(Schema(), &s.tree); err != nil {
		t.Fatal(err)
	}
	return s
}
