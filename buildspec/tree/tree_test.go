package tree

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const plain = "version: 0.2\nenv: {image: busybox}\nphases: {build: {commands: [echo hello]}}\n"

// write makes a file, with its folders.
func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestReaderStaysInTheRepository: what a batch names is read beneath the root, whatever paths and links say.
func TestReaderStaysInTheRepository(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "repository")
	write(t, filepath.Join(top, "secret.yml"), "secret")
	write(t, filepath.Join(dir, "ci", "a.yml"), plain)
	for name, target := range map[string]string{
		"inside.yml": "ci/a.yml", "outside.yml": "../secret.yml", "absolute.yml": filepath.Join(top, "secret.yml"), "folder": "..", "loop.yml": "loop.yml",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.yml"), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	read := reader(root)
	for _, name := range []string{"ci/a.yml", "./ci/../ci/a.yml", "inside.yml", `ci\a.yml`} {
		if text, err := read(name); err != nil || string(text) != plain {
			t.Errorf("%s: %q, %v; want the file", name, text, err)
		}
	}
	for _, name := range []string{"../secret.yml", filepath.Join(top, "secret.yml"), "outside.yml", "absolute.yml", "folder/secret.yml", "loop.yml", "pipe.yml", "ci", "ci/b.yml", ""} {
		if text, err := read(name); err == nil {
			t.Errorf("%s: read %q, want an error", name, text)
		}
	}
	if _, err := read("ci/b.yml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestRootIsTheRepositoryThatAFileLiesIn(t *testing.T) {
	top := t.TempDir()
	write(t, filepath.Join(top, "outer", ".git", "HEAD"), "")
	write(t, filepath.Join(top, "outer", "ci", "a.yml"), plain)
	write(t, filepath.Join(top, "outer", "module", ".git"), "gitdir: ../.git/modules/module\n") // a submodule, or a linked worktree
	write(t, filepath.Join(top, "outer", "module", "deep", "a.yml"), plain)
	write(t, filepath.Join(top, "none", "sub", "a.yml"), plain)
	t.Chdir(filepath.Join(top, "none"))
	for file, want := range map[string]string{
		"../outer/ci/a.yml": "outer", "../outer/module/deep/a.yml": "outer/module", "sub/a.yml": "none", "../a.yml": "", Stdin: "none",
	} {
		if got, err := Root(file); err != nil || got != filepath.Join(top, want) {
			t.Errorf("Root(%s) = %s, %v; want %s", file, got, err, want)
		}
	}
	for file, want := range map[string]string{"../outer/ci/a.yml": "ci/a.yml", "sub/a.yml": "sub/a.yml", Stdin: StdinName} {
		if got := pathInRepository(file); got != want {
			t.Errorf("pathInRepository(%s) = %s, want %s", file, got, want)
		}
	}
}

func TestReadTellsWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "buildspec.yaml", plain)
	large, err := os.Create("large.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(large.Truncate(maxBytes+1), large.Close()); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"buildspec.yml": "there is buildspec.yaml; name that", ".": "name the file in it: buildspec.yml", "": "name a file", "large.yml": "",
	} {
		_, err := Read(file, nil)
		var told *Error
		if !errors.As(err, &told) || !strings.Contains(told.Hint, want) {
			t.Errorf("Read(%q): %v, want the hint %q", file, err, want)
		}
	}
	if text, err := Read(Stdin, strings.NewReader(plain)); err != nil || string(text) != plain {
		t.Errorf("standard input: %q, %v", text, err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { _ = os.WriteFile(pipe, []byte(plain), 0) }()
	if text, err := Read(pipe, nil); err != nil || string(text) != plain {
		t.Errorf("a pipe, as shells make for <(command): %q, %v", text, err)
	}
}

func TestJudgeIsAlone(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "buildspec.yml", plain)
	if v := Judge("buildspec.yml", nil); !v.Valid || len(v.Jobs) != 1 || v.Problems == nil || v.Err != nil {
		t.Errorf("a valid file: %+v", v)
	}
	if v := Judge("missing.yml", nil); v.Valid || v.Err == nil || v.Trouble == "" {
		t.Errorf("a missing file: %+v", v)
	}
	if v := Judge(Stdin, strings.NewReader("version: 3")); v.Valid || len(v.Problems) == 0 || v.Problems[0].File != StdinName {
		t.Errorf("a wrong file: %+v", v)
	}
	plan, v := Expand("buildspec.yml", "alpine", nil)
	if plan == nil || !v.Valid || plan.Jobs[0].Image != "busybox" {
		t.Errorf("a plan: %+v, %+v", plan, v)
	}
}
