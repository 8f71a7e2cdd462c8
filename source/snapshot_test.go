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
