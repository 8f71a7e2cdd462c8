package worktree

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheCallersEnvironmentDoesNotLeadAstray(t *testing.T) {
	dir, git := repo(t)
	write(t, dir, "f", "x")
	other, _ := repo(t)
	t.Setenv("GIT_DIR", filepath.Join(other, ".git"))
	t.Setenv("GIT_INDEX_FILE", filepath.Join(other, "nonsense"))
	tree := commit(t, dir)
	if tree.Root != dir || tree.Files != 1 {
		t.Errorf("inside a hook of another repository, the tree is %+v", tree)
	}
	os.Unsetenv("GIT_DIR")
	os.Unsetenv("GIT_INDEX_FILE")
	if out := git("status", "--porcelain"); out != "?? f" {
		t.Errorf("status is %q", out)
	}
}

func TestTheRemoteIsToldWithoutCredentials(t *testing.T) {
	dir, git := repo(t)
	write(t, dir, "f", "x")
	for _, c := range []struct{ do, want string }{
		{"remote add fork https://me:secret@example.com/fork.git", "https://example.com/fork.git"},
		{"remote add other git@example.com:other.git", ""},
		{"remote add origin ssh://git@example.com/origin.git", "ssh://git@example.com/origin.git"},
		{"config branch.main.remote other", "git@example.com:other.git"},
		{"checkout -q -b elsewhere", "ssh://git@example.com/origin.git"},
	} {
		git(strings.Fields(c.do)...)
		if got := commit(t, dir).RemoteURL; got != c.want {
			t.Errorf("after git %s: %q, want %q", c.do, got, c.want)
		}
	}
}

func TestTroubleIsExplained(t *testing.T) {
	dir, git := repo(t)
	bare := t.TempDir()
	git("init", "-q", "--bare", bare)
	var said *Error
	for name, dir := range map[string]string{"not git": t.TempDir(), "bare": bare, "missing": "/nonexistent/x"} {
		if _, err := Commit(t.Context(), dir, ""); !errors.As(err, &said) || said.Message == "" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Commit(t.Context(), dir, ""); err == nil || !strings.Contains(err.Error(), "git is not installed") {
		t.Errorf("without git: %v", err)
	}
}

func TestTheAuthorIsWhoGitSays(t *testing.T) {
	dir, git := repo(t)
	write(t, dir, "f", "x")
	git("config", "user.name", "Ada")
	git("config", "user.email", "ada@example.com")
	tree := commit(t, dir)
	if got := git("show", "-s", "--format=%an <%ae>", tree.Commit); got != "Ada <ada@example.com>" {
		t.Errorf("the author is %s", got)
	}
}

// TestATreeOfWindowsIsTheOneThatGitWouldCommit has git's settings of an installation there: lines that end in CRLF, and a file
// system that knows no executable bits.
func TestATreeOfWindowsIsTheOneThatGitWouldCommit(t *testing.T) {
	dir, git := repo(t)
	write(t, dir, "build.sh", "#!/bin/sh\n")
	write(t, dir, "main.c", "int x;\n")
	if err := os.Chmod(filepath.Join(dir, "build.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	git("add", "-A")
	git("commit", "-qm", "first")
	git("config", "core.autocrlf", "true")
	git("config", "core.fileMode", "false")
	write(t, dir, "build.sh", "#!/bin/sh\r\nmake\r\n")
	write(t, dir, "main.c", "int x;\r\n")
	write(t, dir, "sub/new.c", "int y;\r\n")
	if err := os.Chmod(filepath.Join(dir, "build.sh"), 0o644); err != nil {
		t.Fatal(err)
	}
	tree := commit(t, filepath.Join(dir, "sub"))
	if tree.Changed != 2 {
		t.Errorf("%d files changed, want the script and the new one", tree.Changed)
	}
	if got := git("ls-tree", "-r", "--format=%(objectmode) %(path)", tree.Commit); got != "100755 build.sh\n100644 main.c\n100644 sub/new.c" {
		t.Errorf("the tree holds\n%s", got)
	}
	for _, name := range []string{"build.sh", "main.c", "sub/new.c"} {
		if text := git("cat-file", "blob", tree.Commit+":"+name); strings.Contains(text, "\r") {
			t.Errorf("%s is sent with CRLF: %q", name, text)
		}
	}
	// What the build makes of it comes back in the form that files have here.
	p := newPatch(t, dir, tree, job(t, nil, map[string]string{"build.sh": "#!/bin/sh\nmake all\n"}))
	if err := p.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "build.sh")); err != nil || string(text) != "#!/bin/sh\r\nmake all\r\n" {
		t.Errorf("build.sh is %q (%v) after the patch", text, err)
	}
}
