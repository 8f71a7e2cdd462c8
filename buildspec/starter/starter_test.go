package starter

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/runner-ci/runner/buildspec"
)

var update = flag.Bool("update", false, "write what is got into the cases of testdata")

// want is the file of a case that holds what is to be written; the others are the repository. Its comment, above the
// files, holds what is found and noted.
const want = "want: " + buildspec.DefaultFile

// TestWrite holds each repository of testdata against the buildspec written for it, and that against the parser:
// neither error nor warning.
func TestWrite(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("testdata has %d cases: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			repository := fstest.MapFS{}
			wanted := ""
			for _, f := range archive.Files {
				if f.Name == want {
					wanted = string(f.Data)
					continue
				}
				repository[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
			}
			got, err := Write(repository, ".")
			if err != nil {
				t.Fatal(err)
			}
			told := ""
			for _, text := range got.Found {
				told += "found " + text + "\n"
			}
			for _, text := range got.Notes {
				told += "note " + text + "\n"
			}
			if *update {
				updateCase(t, file, archive, got.Text, told)
				return
			}
			if got.Text != wanted {
				t.Errorf("wrote:\n%s\nwant:\n%s", got.Text, wanted)
			}
			if comment := string(archive.Comment); told != comment {
				t.Errorf("told:\n%s\nwant:\n%s", told, comment)
			}
			valid(t, got.Text)
		})
	}
}

func updateCase(t *testing.T, file string, archive *txtar.Archive, text, told string) {
	t.Helper()
	archive.Comment = []byte(told)
	files := archive.Files[:0]
	for _, f := range archive.Files {
		if f.Name != want {
			files = append(files, f)
		}
	}
	archive.Files = append(files, txtar.File{Name: want, Data: []byte(text)})
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// valid holds that a buildspec is taken without a word.
func valid(t *testing.T, text string) {
	t.Helper()
	spec, err := buildspec.Parse(buildspec.DefaultFile, []byte(text))
	if err != nil {
		t.Fatalf("what was written is not valid: %v\n%s", err, text)
	}
	plan, err := spec.Plan(buildspec.Options{})
	if err != nil {
		t.Fatalf("what was written makes no plan: %v\n%s", err, text)
	}
	for _, w := range plan.Warnings {
		t.Errorf("what was written is warned of: %s", w)
	}
	for _, job := range plan.Jobs {
		if job.Image == "" {
			t.Errorf("the job %s has no image", job.ID)
		}
	}
}
