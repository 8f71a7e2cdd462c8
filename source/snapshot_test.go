package source

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// snapshot fetches a repository's default branch and lays it out.
func snapshot(t testing.TB, s *Store, remote Remote, opts SnapshotOptions) *Snapshot {
	t.Helper()
	got, err := s.Fetch(t.Context(), remote, Want{})
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot(t.Context(), remote, got.Commit, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(snap.Release)
	return snap
}

// sameTree compares two directories file by file: names, types, permissions, bytes, targets. .git is passed over.
func sameTree(t testing.TB, got, want string) {
	t.Helper()
	list := func(root string) map[string]string {
		all := make(map[string]string)
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(root, path)
			if d.Name() == ".git" {
				if d.IsDir() {
					return filepath.SkipDir
				}
				return nil
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			body := ""
			switch {
			case info.Mode().IsRegular():
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				body = string(data)
			case info.Mode()&fs.ModeSymlink != 0:
				body, _ = os.Readlink(path)
			}
			all[rel] = fmt.Sprintf("%v %s", info.Mode(), body)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	a, b := list(got), list(want)
	for name, v := range b {
		if a[name] != v {
			t.Errorf("%q: got %.200q, want %.200q", name, a[name], v)
		}
	}
	for name := range a {
		if _, ok := b[name]; !ok {
			t.Errorf("%q is too much", name)
		}
	}
}

// variety fills a repository with what trees can hold.
func variety(r *repo) {
	rng := rand.New(rand.NewPCG(7, 7))
	for i := range 80 {
		var b strings.Builder
		for range rng.IntN(200) {
			fmt.Fprintf(&b, "%d %d\n", i, rng.IntN(1000))
		}
		r.write(fmt.Sprintf("many/d%d/e%d/file%d.txt", i%7, i%3, i), b.String())
	}
	r.write("large.bin", strings.Repeat("0123456789abcdef", 200_000))
	r.write("empty", "")
	r.write("run.sh", "#!/bin/sh\necho hi\n")
	if err := os.Chmod(filepath.Join(r.dir, "run.sh"), 0o755); err != nil {
		r.t.Fatal(err)
	}
	r.write("name\nwith newline", "x")
	r.write("spaß 🙂", "x")
	r.write("a\\b", "x")
	for name, target := range map[string]string{"link": "run.sh", "dangling": "nowhere/at all", "up": "../../../etc/passwd", "dirlink": "many"} {
		if err := os.Symlink(target, filepath.Join(r.dir, name)); err != nil {
			r.t.Fatal(err)
		}
	}
	r.write(".gitattributes", "*.crlf text eol=crlf\n*.auto text=auto eol=crlf\n*.id ident\n*.u16 working-tree-encoding=UTF-16LE-BOM\n/many/** -text\n")
	r.write("sub/.gitattributes", "*.crlf -text\nx.txt eol=crlf\n")
	for _, name := range []string{"a.crlf", "sub/a.crlf", "b.auto", "sub/x.txt", "x.txt", "c.id"} {
		r.write(name, "one\ntwo $Id$\nthree\n")
	}
	r.write("sub/bin.auto", "\x00\n\x01\n")
}

func TestSnapshotIsWhatGitChecksOut(t *testing.T) {
	r, _, remote := served(t)
	variety(r)
	r.commit("variety")
	for i := range 3 { // so that the packs hold deltas
		r.write(fmt.Sprintf("many/d0/e0/file%d.txt", 0), strings.Repeat(fmt.Sprintln("changed", i), 300))
		r.commit("change")
	}
	r.git("repack", "-a", "-d", "-q")
	for name, change := range map[string]func(*Options){"in a child": func(*Options) {}, "in process": inProcess} {
		t.Run(name, func(t *testing.T) {
			s := open(t, change)
			snap := snapshot(t, s, remote, SnapshotOptions{})
			clone := filepath.Join(t.TempDir(), "clone")
			gitIn(t, r.dir, 0, "", "clone", "-q", "-c", "core.autocrlf=false", remote.URL, clone)
			sameTree(t, snap.Dir, clone)
			err := filepath.WalkDir(snap.Dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				info, err := d.Info()
				if err == nil && !info.ModTime().Equal(time.Unix(r.now, 0)) {
					t.Errorf("%s: time %v, want %v", path, info.ModTime(), time.Unix(r.now, 0))
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			fsck(t, s, remote.URL)
		})
	}
}

func TestSnapshotIsMadeOnce(t *testing.T) {
	r, g, remote := served(t)
	s := open(t)
	head, err := s.Fetch(t.Context(), remote, Want{})
	if err != nil {
		t.Fatal(err)
	}
	before := g.requests
	var wg sync.WaitGroup
	dirs := make([]string, 8)
	for i := range dirs {
		wg.Go(func() {
			snap, err := s.Snapshot(t.Context(), remote, head.Commit, SnapshotOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			defer snap.Release()
			info, err := os.Stat(snap.Dir)
			if err != nil {
				t.Error(err)
				return
			}
			dirs[i] = fmt.Sprint(snap.Dir, info.Sys())
		})
	}
	wg.Wait()
	for _, d := range dirs {
		if d != dirs[0] {
			t.Errorf("%s is another snapshot than %s", d, dirs[0])
		}
	}
	if g.requests != before {
		t.Error("the network was asked for a snapshot")
	}
	if left, _ := os.ReadDir(s.tmp()); len(left) != 0 {
		t.Errorf("left in tmp: %v", left)
	}
	if _, err := s.Snapshot(t.Context(), remote, strings.Repeat("12", 20), SnapshotOptions{}); kindOf(t, err) != KindUnknownCommit {
		t.Errorf("of an unknown commit: %v", err)
	}
	_ = r
}

// plant makes a commit of a tree that git would not make by itself, and lets main name it.
func plant(r *repo, tree string) {
	r.t.Helper()
	r.now += 60
	commit := r.pipe("planted\n", "commit-tree", tree)
	r.git("update-ref", "refs/heads/main", commit)
}

// rawTree writes a tree object of any entries: "mode name", with the object's name.
func rawTree(r *repo, entries ...[3]string) string {
	r.t.Helper()
	var b bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&b, "%s %s\x00", e[0], e[1])
		for i := 0; i < 40; i += 2 {
			var c byte
			fmt.Sscanf(e[2][i:i+2], "%02x", &c)
			b.WriteByte(c)
		}
	}
	return r.pipe(b.String(), "hash-object", "-t", "tree", "-w", "--literally", "--stdin")
}

func TestHostileTreesAreRefused(t *testing.T) {
	r := newRepo(t)
	remote := Remote{URL: "file://" + r.dir, AllowFile: true}
	blob := r.pipe("evil\n", "hash-object", "-w", "--stdin")
	link := r.pipe("/tmp", "hash-object", "-w", "--stdin")
	inner := rawTree(r, [3]string{"100644", "config", blob})
	for name, c := range map[string]struct {
		entries [][3]string
		kind    Kind
	}{
		".git":                     {[][3]string{{"40000", ".git", inner}}, KindUnsafe},
		".GIT":                     {[][3]string{{"40000", ".GIT", inner}}, KindUnsafe},
		".git as a file":           {[][3]string{{"100644", ".git", blob}}, KindUnsafe},
		".git deeper":              {[][3]string{{"40000", "a", rawTree(r, [3]string{"40000", ".git", inner})}}, KindUnsafe},
		"git~1":                    {[][3]string{{"40000", "GIT~1", inner}}, KindUnsafe},
		".git with a dot":          {[][3]string{{"40000", ".git. .", inner}}, KindUnsafe},
		".git with a stream":       {[][3]string{{"40000", ".git::$INDEX_ALLOCATION", inner}}, KindUnsafe},
		".git, invisibly not":      {[][3]string{{"40000", ".g\u200cit", inner}}, KindUnsafe},
		"..":                       {[][3]string{{"40000", "..", inner}}, KindUnsafe},
		".":                        {[][3]string{{"40000", ".", inner}}, KindUnsafe},
		"a slash":                  {[][3]string{{"100644", "a/../../b", blob}}, KindUnsafe},
		"absolute":                 {[][3]string{{"100644", "/tmp/runner-evil", blob}}, KindUnsafe},
		"too long a name":          {[][3]string{{"100644", strings.Repeat("x", 256), blob}}, KindUnsafe},
		"a link, then a directory": {[][3]string{{"120000", "a", link}, {"40000", "a", inner}}, KindUnsafe},
		"a directory, then a link": {[][3]string{{"40000", "a", inner}, {"120000", "a", link}}, KindUnsafe},
		"a file twice":             {[][3]string{{"100644", "a", blob}, {"100644", "a", blob}}, KindUnsafe},
		".gitmodules as a link":    {[][3]string{{"120000", ".gitmodules", link}}, KindUnsafe},
		"an empty link":            {[][3]string{{"120000", "a", r.pipe("", "hash-object", "-w", "--stdin")}}, KindUnsafe},
		"a mode that is none":      {[][3]string{{"10644", "a", blob}}, KindCorrupt},
		"a tree as a blob":         {[][3]string{{"100644", "a", inner}}, KindCorrupt},
		"an unknown encoding": {[][3]string{{"100644", ".gitattributes", r.pipe("* working-tree-encoding=EBCDIC\n", "hash-object", "-w", "--stdin")},
			{"100644", "a", blob}}, KindAttributes},
	} {
		t.Run(name, func(t *testing.T) {
			plant(r, rawTree(r, c.entries...))
			s := open(t, inProcess)
			got, err := s.Fetch(t.Context(), remote, Want{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Snapshot(t.Context(), remote, got.Commit, SnapshotOptions{})
			if kind := kindOf(t, err); kind != c.kind {
				t.Errorf("kind %s, want %s: %v", kind, c.kind, err)
			}
			for _, d := range []string{"snapshots", "tmp"} {
				left, _ := filepath.Glob(filepath.Join(s.opts.Dir, d, "*"))
				for _, l := range left {
					if !strings.HasSuffix(l, ".lock") {
						t.Errorf("left behind: %s", l)
					}
				}
			}
			if _, err := os.Lstat("/tmp/config"); err == nil {
				t.Error("a file was written through a link")
			}
		})
	}
}

func TestLimitsOnATree(t *testing.T) {
	r, _, remote := served(t)
	r.write("a", strings.Repeat("x", 5000))
	r.commit("more")
	for name, change := range map[string]func(*Options){
		"bytes": func(o *Options) { o.TreeBytes = 4000 },
		"files": func(o *Options) { o.TreeFiles = 3 },
	} {
		s := open(t, change, inProcess)
		got, err := s.Fetch(t.Context(), remote, Want{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Snapshot(t.Context(), remote, got.Commit, SnapshotOptions{}); kindOf(t, err) != KindTooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLFSIsRefusedByName(t *testing.T) {
	const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
	r, _, remote := served(t)
	// As a laptop with LFS commits it: the pointer is the blob.
	blob := r.pipe(pointer, "hash-object", "-w", "--stdin")
	r.pipe("100644 "+blob+"\tassets/logo.psd\n", "update-index", "--add", "--index-info")
	r.git("commit", "-q", "-m", "a pointer without the attribute")
	s := open(t, inProcess)
	snapshot(t, s, remote, SnapshotOptions{})

	attrs := r.pipe("*.psd filter=lfs diff=lfs merge=lfs -text\n", "hash-object", "-w", "--stdin")
	r.pipe("100644 "+attrs+"\t.gitattributes\n", "update-index", "--add", "--index-info")
	r.git("commit", "-q", "-m", "with it")
	got, err := s.Fetch(t.Context(), remote, Want{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Snapshot(t.Context(), remote, got.Commit, SnapshotOptions{})
	if kindOf(t, err) != KindLFS || !strings.Contains(err.Error(), "assets/logo.psd") {
		t.Errorf("got %v", err)
	}

	whole := r.pipe("the whole file, in spite of the attribute\n", "hash-object", "-w", "--stdin")
	r.pipe("100644 "+whole+"\tassets/logo.psd\n", "update-index", "--add", "--index-info")
	r.git("commit", "-q", "-m", "the file itself")
	snapshot(t, s, remote, SnapshotOptions{})
}

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

func TestEvict(t *testing.T) {
	r, _, remote := served(t)
	s := open(t, inProcess)
	homes := make(map[string]string)
	var order []string
	for i := range 4 {
		r.write("f", strings.Repeat("x", 1000*(i+1)))
		r.commit("next")
		snap := snapshot(t, s, remote, SnapshotOptions{})
		homes[snap.Commit] = snap.home
		order = append(order, snap.Commit)
		if i != 3 {
			snap.Release()
		}
		old := time.Now().Add(-time.Duration(10-i) * time.Hour)
		if err := os.Chtimes(snap.home+".lock", old, old); err != nil {
			t.Fatal(err)
		}
	}
	there := func() (got []int) {
		for i, c := range order {
			if _, err := os.Stat(homes[c]); err == nil {
				got = append(got, i)
			}
		}
		return got
	}
	keep := func(c string) bool { return c == order[1] }
	for _, c := range []struct {
		age   time.Duration
		bytes int64
		want  string
	}{{24 * time.Hour, 1 << 30, "[0 1 2 3]"}, {9*time.Hour + 30*time.Minute, 0, "[1 2 3]"}, {0, 1, "[1 3]"}, {time.Hour, 1, "[1 3]"}} {
		if err := s.Evict(t.Context(), keep, c.age, c.bytes); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(there()); got != c.want {
			t.Errorf("after age %v, bytes %d: %s are left, want %s", c.age, c.bytes, got, c.want)
		}
	}
	snapshot(t, s, remote, SnapshotOptions{}) // of the newest, which was held all the time
}

func TestASnapshotOfAFormerBootIsMadeAnew(t *testing.T) {
	_, _, remote := served(t)
	s := open(t, inProcess)
	snap := snapshot(t, s, remote, SnapshotOptions{})
	snap.Release()
	meta := filepath.Join(snap.home, "meta.json")
	data, err := os.ReadFile(meta)
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Replace(data, []byte(bootID()), []byte("another"), 1)
	if err := os.WriteFile(meta, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(snap.Dir, "README.md"), 0); err != nil { // as a power cut may leave it
		t.Fatal(err)
	}
	again := snapshot(t, s, remote, SnapshotOptions{})
	if body, _ := os.ReadFile(filepath.Join(again.Dir, "README.md")); string(body) != "hello\n" {
		t.Errorf("README.md is %q", body)
	}
}

func TestCheckFindsDamage(t *testing.T) {
	_, _, remote := served(t)
	s := open(t)
	snap := snapshot(t, s, remote, SnapshotOptions{})
	if err := os.WriteFile(filepath.Join(snap.Dir, "README.md"), []byte("hellO\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	packs, _ := filepath.Glob(filepath.Join(s.opts.Dir, "mirrors", "*", "objects", "pack", "*.pack"))
	if err := os.Chmod(packs[0], 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(packs[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0xff}, 40); err != nil {
		t.Fatal(err)
	}
	f.Close()
	var all []string
	if err := s.Check(t.Context(), func(p string) { all = append(all, p) }); err != nil {
		t.Fatal(err)
	}
	said := strings.Join(all, "\n")
	for _, want := range []string{"README.md", "checksum"} {
		if !strings.Contains(said, want) {
			t.Errorf("nothing about %s in:\n%s", want, said)
		}
	}
}

func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"a", ".git", ".GIT ", "git~1", "..", "a/b", ".g\u200dit", ".git\\x", "\xff.git"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if checkName(name) != "" {
			return
		}
		if strings.ContainsAny(name, "/\x00") || name == "" || name == "." || name == ".." || strings.EqualFold(name, ".git") {
			t.Errorf("%q passed", name)
		}
		// Whatever passes stays where it is put.
		if joined := filepath.Join("/top", name); filepath.Dir(joined) != "/top" {
			t.Errorf("%q leads to %q", name, joined)
		}
	})
}

func FuzzParseTree(f *testing.F) {
	f.Add([]byte("100644 a\x00" + strings.Repeat("x", 20)))
	f.Add([]byte("40000 dir\x00" + strings.Repeat("y", 20) + "120000 l\x00" + strings.Repeat("z", 20)))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = parseTree([20]byte{}, data)
		_, _, _ = commitLinks([20]byte{}, data)
	})
}

func FuzzLocate(f *testing.F) {
	for _, s := range []string{"https://a/b", "git@h:p", "ssh://u@h:2222/p", "file:///x", "/x", "https://u:p@h/x", "h:p"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		l, err := locate(raw)
		if err != nil {
			return
		}
		again, err := locate(l.String())
		if err != nil || again.String() != l.String() || again.key() != l.key() {
			t.Errorf("%q became %q, then %q (%v)", raw, l, again, err)
		}
	})
}
