package worktree

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// job is what a job left: files by name, links as "-> target".
func job(t *testing.T, gone []string, files map[string]string) Left {
	t.Helper()
	l := Left{Files: filepath.Join(t.TempDir(), "files"), Gone: gone}
	for name, text := range files {
		if to, ok := strings.CutPrefix(text, "-> "); ok {
			at := filepath.Join(l.Files, name)
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(to, at); err != nil {
				t.Fatal(err)
			}
			continue
		}
		write(t, l.Files, name, text)
	}
	return l
}

// patched is a repository with dirty files, and its commit.
func patched(t *testing.T) (dir string, git func(...string) string, tree Tree) {
	t.Helper()
	dir, git = repo(t)
	write(t, dir, ".gitignore", "*.log\n")
	write(t, dir, ".gitattributes", "*.bat text eol=crlf\n")
	for _, name := range []string{"a.go", "b.go", "c.go", "run.bat"} {
		write(t, dir, name, name+"\n")
	}
	git("add", "-A")
	git("commit", "-qm", "first")
	write(t, dir, "a.go", "dirty\n")
	write(t, dir, "untracked.go", "untracked\n")
	return dir, git, commit(t, dir)
}

func newPatch(t *testing.T, dir string, tree Tree, left ...Left) Patch {
	t.Helper()
	p, err := NewPatch(t.Context(), dir, tree.Commit, left)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPatchIsWhatTheJobChanged(t *testing.T) {
	dir, git, tree := patched(t)
	left := job(t, []string{"b.go"}, map[string]string{
		"a.go": "formatted\n", "untracked.go": "untracked\n", "gen/new.go": "made\n", "noise.log": "ignored\n",
		"run.bat": "run.bat\r\n", "link": "-> a.go",
	})
	if err := os.Chmod(filepath.Join(left.Files, "gen/new.go"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := newPatch(t, filepath.Join(dir), tree, left)
	if want := []string{"a.go", "b.go", "gen/new.go", "link"}; !slices.Equal(p.Paths, want) {
		t.Errorf("it changes %v, want %v", p.Paths, want)
	}
	if !strings.Contains(p.Stat, "4 files changed") {
		t.Errorf("its stat is %s", p.Stat)
	}
	before := git("ls-files", "--stage")
	if err := p.Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := git("status", "--porcelain", "-uall"); got != "M a.go\n D b.go\n?? gen/new.go\n?? link\n?? untracked.go" {
		t.Errorf("the working tree is\n%s", got)
	}
	if after := git("ls-files", "--stage"); after != before {
		t.Error("the user's index was changed")
	}
	text, err := os.ReadFile(filepath.Join(dir, "a.go"))
	info, serr := os.Stat(filepath.Join(dir, "gen/new.go"))
	if err != nil || serr != nil || string(text) != "formatted\n" || info.Mode()&0o100 == 0 {
		t.Errorf("a.go is %q (%v), gen/new.go %v (%v)", text, err, info, serr)
	}
	if again := newPatch(t, dir, commit(t, dir), left); len(again.Paths) != 0 || len(again.Diff) != 0 {
		t.Errorf("once applied, it still changes %v", again.Paths)
	}
}

func TestAPatchLeavesAloneWhatChangedMeanwhile(t *testing.T) {
	dir, git, tree := patched(t)
	p := newPatch(t, dir, tree, job(t, nil, map[string]string{"a.go": "dirty\nand more\n", "c.go": "formatted\n", "new.go": "new\n"}))
	for name, change := range map[string]func(){
		"an edit": func() { write(t, dir, "a.go", "dirtier\n") },
		"a file that is there now": func() {
			git("checkout", "-q", "a.go")
			write(t, dir, "a.go", "dirty\n")
			write(t, dir, "new.go", "mine\n")
		},
		"a deletion": func() {
			_ = os.Remove(filepath.Join(dir, "new.go"))
			_ = os.Remove(filepath.Join(dir, "c.go"))
		},
	} {
		change()
		before := git("status", "--porcelain", "-uall")
		if err := p.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), "nothing was applied") {
			t.Errorf("after %s: %v", name, err)
		}
		if after := git("status", "--porcelain", "-uall"); after != before {
			t.Errorf("after %s the working tree changed from\n%s\nto\n%s", name, before, after)
		}
	}
}

func TestHostilePatchesAreRefused(t *testing.T) {
	dir, git, tree := patched(t)
	outside := filepath.Join(t.TempDir(), "outside")
	before := git("status", "--porcelain", "-uall")
	for name, left := range map[string][]Left{
		"git's directory":            {job(t, nil, map[string]string{".git/hooks/post-checkout": "#!/bin/sh\ntouch " + outside})},
		"the same, below":            {job(t, nil, map[string]string{"sub/.GIT/config": "[core]\n"})},
		"the same on Windows":        {job(t, nil, map[string]string{"git~1/config": "[core]\n"})},
		"a link out":                 {job(t, nil, map[string]string{"l": "-> " + outside})},
		"a link up":                  {job(t, nil, map[string]string{"sub/l": "-> ../../x"})},
		"a removal elsewhere":        {job(t, []string{"../x"}, nil)},
		"a removal of git's":         {job(t, []string{".git/config"}, nil)},
		"a removal of a root":        {job(t, []string{"/etc/passwd"}, nil)},
		"two that disagree":          {job(t, nil, map[string]string{"a.go": "1"}), job(t, nil, map[string]string{"a.go": "2"})},
		"two that disagree on being": {job(t, nil, map[string]string{"a.go": "1"}), job(t, []string{"a.go"}, nil)},
		"a name with a backslash":    {job(t, nil, map[string]string{`..\x`: "1"})},
	} {
		if p, err := NewPatch(t.Context(), dir, tree.Commit, left); err == nil {
			t.Errorf("%s: it is taken, and changes %v", name, p.Paths)
		}
	}
	// A file where a directory is a link out: git writes beyond no link.
	if err := os.Symlink(filepath.Dir(outside), filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	p := newPatch(t, dir, commit(t, dir), job(t, nil, map[string]string{"out/outside": "x"}))
	if err := p.Apply(t.Context()); err == nil {
		if _, err := os.Lstat(outside); err == nil {
			t.Error("a file was written outside of the tree")
		}
	}
	if _, err := os.Lstat(outside); err == nil {
		t.Error("something ran, or was written, outside of the tree")
	}
	_ = os.RemoveAll(filepath.Join(dir, "out"))
	if after := git("status", "--porcelain", "-uall"); after != before {
		t.Errorf("the working tree changed from\n%s\nto\n%s", before, after)
	}
	if _, err := NewPatch(t.Context(), dir, strings.Repeat("12", 20), nil); err == nil || !strings.Contains(err.Error(), "does not have the commit") {
		t.Errorf("a commit that is not here: %v", err)
	}
}
