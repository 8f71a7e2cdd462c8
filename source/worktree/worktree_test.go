package worktree

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// repo makes a git repository and returns a function that runs git in it.
func repo(t *testing.T) (dir string, git func(args ...string) string) {
	t.Helper()
	dir = t.TempDir()
	git = func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("init", "-q", "--initial-branch=main")
	return dir, git
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func commit(t *testing.T, dir string) Tree {
	t.Helper()
	tree, err := Commit(t.Context(), dir, "")
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestTheTreeHoldsWhatTheWorkingTreeHolds(t *testing.T) {
	dir, git := repo(t)
	write(t, dir, "kept", "kept\n")
	write(t, dir, "edited", "before\n")
	write(t, dir, "removed", "x\n")
	write(t, dir, ".gitignore", "*.log\n")
	write(t, dir, ".gitattributes", "*.txt text\n")
	git("add", "-A")
	git("commit", "-qm", "first")
	git("remote", "add", "origin", "https://example.com/api.git")
	write(t, dir, "edited", "after\n")
	write(t, dir, "sub/new", "new\n")
	write(t, dir, "noise.log", "ignored\n")
	write(t, dir, "crlf.txt", "a\r\nb\r\n") // a clean filter: git stores it with LF
	if err := os.Remove(filepath.Join(dir, "removed")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("kept", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "kept"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "staged", "staged\n")
	git("add", "staged")
	before := git("status", "--porcelain")

	tree := commit(t, filepath.Join(dir, "sub")) // from below the root, too
	if tree.Root != dir || tree.Branch != "main" || tree.RemoteURL != "https://example.com/api.git" || tree.Head != git("rev-parse", "HEAD") {
		t.Errorf("the tree is %+v", tree)
	}
	got := strings.Split(git("ls-tree", "-r", "--format=%(objectmode) %(path)", tree.Commit), "\n")
	want := []string{
		"100644 .gitattributes", "100644 .gitignore", "100644 crlf.txt", "100644 edited", "100755 kept",
		"120000 link", "100644 staged", "100644 sub/new",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the tree holds %q, want %q", got, want)
	}
	if tree.Files != len(want) || tree.Changed != 7 {
		t.Errorf("%d files, %d changed; want %d and 7", tree.Files, tree.Changed, len(want))
	}
	if text := git("show", tree.Commit+":edited"); text != "after" {
		t.Errorf("the edited file is %q", text)
	}
	if text := git("cat-file", "blob", tree.Commit+":crlf.txt"); strings.Contains(text, "\r") {
		t.Errorf("the clean filter was not applied: %q", text)
	}
	if after := git("status", "--porcelain"); after != before {
		t.Errorf("the user's index changed from\n%s\nto\n%s", before, after)
	}
	if parent := git("rev-parse", tree.Commit+"^"); parent != tree.Head {
		t.Errorf("the parent is %s, want HEAD", parent)
	}
	if again := commit(t, dir); again.Commit != tree.Commit {
		t.Errorf("the same tree made %s, then %s", tree.Commit, again.Commit)
	}
}

func TestARepositoryWithoutACommitCanBeSent(t *testing.T) {
	dir, git := repo(t)
	write(t, dir, "buildspec.yml", "version: 0.2\n")
	tree := commit(t, dir)
	if tree.Head != "" || tree.Files != 1 || git("show", tree.Commit+":buildspec.yml") != "version: 0.2" {
		t.Errorf("the tree is %+v", tree)
	}
}

func TestOutsideARepositoryTheErrorSaysWhatToDo(t *testing.T) {
	_, err := Commit(t.Context(), t.TempDir(), "")
	if err == nil || !strings.Contains(err.Error(), "git init") {
		t.Errorf("got %v", err)
	}
}

func TestAPackHoldsWhatTheOtherSideLacks(t *testing.T) {
	dir, git := repo(t)
	for i := range 50 {
		write(t, dir, fmt.Sprintf("f%02d", i), strings.Repeat(fmt.Sprintln("line", i), 200))
	}
	git("add", "-A")
	git("commit", "-qm", "first")
	write(t, dir, "f07", "changed\n")
	tree := commit(t, dir)

	other, otherGit := repo(t)
	otherGit("fetch", "-q", dir, "main")
	var whole, thin bytes.Buffer
	if _, _, err := Pack(t.Context(), dir, tree.Commit, nil, &whole); err != nil {
		t.Fatal(err)
	}
	// An id that nobody here knows is no reason to fail.
	size, objects, err := Pack(t.Context(), dir, tree.Commit, []string{tree.Head, strings.Repeat("0", 40)}, &thin)
	if err != nil {
		t.Fatal(err)
	}
	if objects != 3 || size != int64(thin.Len()) || thin.Len()*5 > whole.Len() {
		t.Errorf("the thin pack has %d objects in %d bytes, want the commit, its tree and one file; the whole pack has %d bytes", objects, size, whole.Len())
	}
	index := exec.Command("git", "index-pack", "--stdin", "--fix-thin")
	index.Dir, index.Stdin = other, &thin
	if out, err := index.CombinedOutput(); err != nil {
		t.Fatalf("the pack is not accepted by git: %v\n%s", err, out)
	}
	if got := otherGit("show", tree.Commit+":f07"); got != "changed" {
		t.Errorf("the other side reads %q", got)
	}
}

func TestAncestorsReachFarWithFewQuestions(t *testing.T) {
	dir, git := repo(t)
	write(t, dir, "f", "x")
	git("add", "-A")
	var script strings.Builder
	for i := range 300 {
		fmt.Fprintf(&script, "commit refs/heads/long\ncommitter a <a@b> %d +0000\ndata 1\nx\n", 1000+i)
	}
	in := exec.Command("git", "fast-import", "--quiet")
	in.Dir, in.Stdin = dir, strings.NewReader(script.String())
	if out, err := in.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tip := git("rev-parse", "long")
	got, err := Ancestors(t.Context(), dir, tip, 32)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(git("rev-list", "long"))
	if len(got) > 32 || got[0] != tip || got[5] != all[5] {
		t.Errorf("%d ancestors, beginning with %v", len(got), got[:min(6, len(got))])
	}
	if last := slices.Index(all, got[len(got)-1]); last < 200 {
		t.Errorf("the farthest ancestor asked about is %d of 300 back", last)
	}
}
