//go:build linux

package agent

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// indexed writes files, and an index of them as the daemon writes it.
func indexed(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	when := time.Unix(1_700_000_000, 0)
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	out := []byte("DIRC\x00\x00\x00\x02")
	out = binary.BigEndian.AppendUint32(out, uint32(len(names)))
	for _, name := range names {
		path, text := filepath.Join(dir, name), files[name]
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		mode, body := uint32(treeText), text
		if to, ok := strings.CutPrefix(text, "-> "); ok {
			mode, body = treeLink, to
			if err := os.Symlink(to, path); err != nil {
				t.Fatal(err)
			}
		} else {
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, when, when); err != nil {
				t.Fatal(err)
			}
		}
		began := len(out)
		for _, word := range []uint32{0, 0, uint32(when.Unix()), 0, 0, 0, mode, 0, 0, uint32(len(body))} {
			out = binary.BigEndian.AppendUint32(out, word)
		}
		id := blobID(strings.NewReader(body), int64(len(body)))
		out = append(append(out, id[:]...), byte(len(name)>>8), byte(len(name)))
		out = append(out, name...)
		out = append(out, make([]byte, 8-(len(out)-began)%8)...)
	}
	if err := os.MkdirAll(filepath.Join(dir, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".git", "index"), append(out, make([]byte, 20)...), 0o644); err != nil {
		t.Fatal(err)
	}
}

func begun(dir string, patterns ...string) *patching {
	return beginPatch(&wire.Job{Dir: dir, Secondary: []wire.ArtifactSpec{{ID: "other", Files: []string{"**/*"}}, {ID: wire.PatchID, Files: patterns}}})
}

func TestAPatchHasWhatDiffersFromTheTree(t *testing.T) {
	dir := t.TempDir()
	indexed(t, dir, map[string]string{
		"a.go": "a\n", "b/same.go": "same\n", "b/touched.go": "touched\n", "b/edited.go": "before\n", "gone.go": "gone\n", "other.txt": "x\n",
		"link.go": "-> a.go", "samelink.go": "-> a.go", "exec.go": "e\n", strings.Repeat("n", 40) + ".go": "long\n",
	})
	p := begun(dir, "**/*.go")
	for _, do := range []error{
		os.WriteFile(filepath.Join(dir, "b/touched.go"), []byte("touched\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "b/edited.go"), []byte("after!\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "b/new.go"), []byte("new\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "other.txt"), []byte("y\n"), 0o644),
		os.WriteFile(filepath.Join(dir, ".git/x.go"), []byte("x\n"), 0o644),
		os.WriteFile(filepath.Join(dir, ".git/index"), []byte("nonsense"), 0o644), // a job's own index counts for nothing
		os.Remove(filepath.Join(dir, "gone.go")), os.Remove(filepath.Join(dir, "link.go")),
		os.Symlink("b/same.go", filepath.Join(dir, "link.go")), os.Chmod(filepath.Join(dir, "exec.go"), 0o755),
	} {
		if do != nil {
			t.Fatal(do)
		}
	}
	files, gone, err := p.changes(t.Context(), dir)
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimPrefix(f.name, wire.PatchFiles)+f.link)
	}
	if want := []string{"b/edited.go", "b/new.go", "exec.go", "link.gob/same.go"}; err != nil || !slices.Equal(names, want) || !slices.Equal(gone, []string{"gone.go"}) {
		t.Errorf("differing are %v, gone %v (%v); want %v and gone.go", names, gone, err, want)
	}
}

func TestNoPatchIsMadeOfWhatCannotBeCompared(t *testing.T) {
	dir := t.TempDir()
	if p := begun(dir, "**/*.go"); !strings.Contains(p.why, "index") {
		t.Errorf("without an index: %q", p.why)
	}
	indexed(t, dir, map[string]string{"a": "a"})
	if p := begun(dir, "[", "a"); p.why == "" {
		t.Error("a malformed pattern is taken")
	}
	whole, err := os.ReadFile(filepath.Join(dir, ".git/index"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(whole) - 20 {
		if err := os.WriteFile(filepath.Join(dir, ".git/index"), whole[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		if p := begun(dir, "a"); p.why == "" {
			t.Fatalf("an index of %d bytes is taken", n)
		}
	}
	if beginPatch(&wire.Job{Dir: dir}) != nil {
		t.Error("a job without x-runner.patch looks at its tree")
	}
	if err := os.WriteFile(filepath.Join(dir, ".git/index"), whole, 0o644); err != nil {
		t.Fatal(err)
	}
	p := begun(dir, "**/*")
	for n := range maxPatchFiles + 2 {
		if err := os.WriteFile(filepath.Join(dir, strings.Repeat("x", 1+n%7)+time.Duration(n).String()), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := p.changes(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "more than 5000 files") {
		t.Errorf("of too many files: %v", err)
	}
}
