package source

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSubmodules(t *testing.T) {
	lib := newRepo(t)
	lib.write("lib.go", "package lib\n")
	lib.write(".gitattributes", "lib.txt eol=crlf\n")
	lib.write("lib.txt", "one\n")
	root := filepath.Dir(lib.dir)
	if err := os.Rename(lib.dir, filepath.Join(root, "lib")); err != nil {
		t.Fatal(err)
	}
	lib.dir = filepath.Join(root, "lib")
	lib.commit("lib")
	mid := &repo{t: t, dir: filepath.Join(root, "mid"), now: lib.now}
	gitIn(t, root, 0, "", "init", "-q", "-b", "main", "mid")
	top := &repo{t: t, dir: filepath.Join(root, "top"), now: lib.now}
	gitIn(t, root, 0, "", "init", "-q", "-b", "main", "top")
	g := serve(t, root)
	mid.write("mid.txt", "mid\n")
	mid.git("submodule", "--quiet", "add", g.url(lib), "deep/lib")
	mid.commit("mid")
	top.write("top.txt", "top\n")
	top.git("submodule", "--quiet", "add", g.url(mid), "vendor/mid")
	top.git("config", "-f", ".gitmodules", "submodule.vendor/mid.url", "../../mid/.git")
	top.commit("top")
	remote := Remote{URL: g.url(top)}

	s := open(t, inProcess)
	clone := filepath.Join(t.TempDir(), "clone")
	gitIn(t, root, 0, "", "clone", "-q", remote.URL, clone)
	sameTree(t, snapshot(t, s, remote, SnapshotOptions{}).Dir, clone)

	gitIn(t, clone, 0, "", "submodule", "--quiet", "update", "--init", "--recursive")
	with := snapshot(t, s, remote, SnapshotOptions{Submodules: true})
	sameTree(t, with.Dir, clone)

	t.Run("git status is clean", func(t *testing.T) {
		work := workspace(t, s, with, GitDirOptions{Ref: "refs/heads/main", RemoteURL: remote.URL})
		if out := gitIn(t, work, 0, "", "status", "--porcelain"); out != "" {
			t.Errorf("git status says %q", out)
		}
	})
	t.Run("a file URL is refused", func(t *testing.T) {
		top.git("config", "-f", ".gitmodules", "submodule.vendor/mid.url", "file:///etc")
		top.commit("evil")
		got, err := s.Fetch(t.Context(), remote, Want{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Snapshot(t.Context(), remote, got.Commit, SnapshotOptions{Submodules: true})
		if kindOf(t, err) != KindSubmodule || !strings.Contains(err.Error(), "vendor/mid") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("this machine is refused", func(t *testing.T) {
		other := serve(t, root) // same machine, another port
		top.git("config", "-f", ".gitmodules", "submodule.vendor/mid.url", other.url(mid))
		top.commit("evil")
		got, err := s.Fetch(t.Context(), remote, Want{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Snapshot(t.Context(), remote, got.Commit, SnapshotOptions{Submodules: true})
		if kindOf(t, err) != KindSubmodule || !strings.Contains(err.Error(), "own machine") || other.requests > 0 {
			t.Errorf("got %v, %d requests", err, other.requests)
		}
	})
}

// TestAStrangerReadsNoPrivateSubmodule: .gitmodules of a fork may name every repository that the project's token opens.
func TestAStrangerReadsNoPrivateSubmodule(t *testing.T) {
	lib := newRepo(t)
	lib.write("private", "text\n")
	lib.commit("lib")
	root := filepath.Dir(lib.dir)
	top := &repo{t: t, dir: filepath.Join(root, "top"), now: lib.now}
	gitIn(t, root, 0, "", "init", "-q", "-b", "main", "top")
	g := serve(t, root)
	top.git("submodule", "--quiet", "add", g.url(lib), "lib")
	top.commit("top")
	g.user, g.password = "bot", "sesame"
	remote := Remote{URL: g.url(top), Username: "bot", Token: "sesame"}
	s := open(t, inProcess)
	got, err := s.Fetch(t.Context(), remote, Want{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // before it was laid out with credentials, and after
		_, err := s.Snapshot(t.Context(), remote, got.Commit, SnapshotOptions{Submodules: true, Stranger: true})
		if kindOf(t, err) != KindSubmodule || !strings.Contains(err.Error(), "only public submodules") {
			t.Errorf("a stranger: %v", err)
		}
		with := snapshot(t, s, remote, SnapshotOptions{Submodules: true})
		if _, err := os.Stat(filepath.Join(with.Dir, "lib", "private")); err != nil {
			t.Error(err)
		}
	}
}

func TestModuleRemotes(t *testing.T) {
	secret := Remote{URL: "https://forge.example/org/app.git", Username: "u", Token: "t", KnownHosts: []byte("k"), AllowFile: true}
	for raw, want := range map[string]Remote{
		"../lib.git":                      {URL: "https://forge.example/org/lib.git", Username: "u", Token: "t"},
		"../../other/lib":                 {URL: "https://forge.example/other/lib", Username: "u", Token: "t"},
		"./sub":                           {URL: "https://forge.example/org/app.git/sub", Username: "u", Token: "t"},
		"https://FORGE.example/x/y":       {URL: "https://FORGE.example/x/y", Username: "u", Token: "t"},
		"git@forge.example:org/lib.git":   {URL: "https://forge.example/org/lib.git", Username: "u", Token: "t"},
		"https://elsewhere.example/x":     {URL: "https://elsewhere.example/x"},
		"http://forge.example/x":          {URL: "http://forge.example/x"},
		"https://forge.example:8443/x":    {URL: "https://forge.example:8443/x"},
		"ssh://git@elsewhere.example/lib": {URL: "ssh://git@elsewhere.example/lib"},
		"file:///etc":                     {URL: "file:///etc"},
	} {
		got, _, err := moduleRemote(secret, raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got.URL != want.URL || got.Token != want.Token || got.Username != want.Username || got.AllowFile {
			t.Errorf("%s: got %+v, want %+v", raw, got, want)
		}
	}
}
