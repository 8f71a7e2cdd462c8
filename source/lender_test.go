package source

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// change makes of what variety left a tree in which every kind of name came, went, stayed or became another.
func change(r *repo) {
	r.t.Helper()
	r.git("rm", "-rq", "many")
	r.write("README.md", "changed\n")
	r.write("many", "a file where a directory was\n")
	r.write("src/new/file", "new\n")
	if err := os.Chmod(filepath.Join(r.dir, "src/main.go"), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(r.dir, "buildspec.yml")); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Symlink("README.md", filepath.Join(r.dir, "buildspec.yml")); err != nil {
		r.t.Fatal(err)
	}
	r.write(".gitattributes", "*.txt eol=crlf\n")
}

// sameFile tells whether a name is one file in two snapshots.
func sameFile(t testing.TB, name string, a, b *Snapshot) bool {
	t.Helper()
	one, err := os.Lstat(filepath.Join(a.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	two, err := os.Lstat(filepath.Join(b.Dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return os.SameFile(one, two)
}

// whole compares a snapshot with git's own checkout, and has git look at it as a job's.
func whole(t testing.TB, s *Store, snap *Snapshot, remote Remote) {
	t.Helper()
	clone := filepath.Join(t.TempDir(), "clone")
	gitIn(t, t.TempDir(), 0, "", "clone", "-q", "--no-checkout", remote.URL, clone)
	gitIn(t, clone, 0, "", "checkout", "-q", snap.Commit)
	sameTree(t, snap.Dir, clone)
	work := workspace(t, s, snap, GitDirOptions{Ref: "refs/heads/main"})
	if got := gitIn(t, work, 0, "", "status", "--porcelain"); got != "" {
		t.Errorf("git status: %s", got)
	}
	// With the same racy look at times that status has, nothing may be read: each entry of the index fits its file.
	if got := gitIn(t, work, 0, "", "diff-files", "--raw"); got != "" {
		t.Errorf("files that git would have to read: %s", got)
	}
	if err := s.Check(t.Context(), func(p string) { t.Errorf("check: %s", p) }); err != nil {
		t.Fatal(err)
	}
}

func TestANewSnapshotSharesWhatStayed(t *testing.T) {
	for _, prepared := range []bool{false, true} {
		t.Run(fmt.Sprintf("prepared=%t", prepared), func(t *testing.T) {
			r, _, remote := served(t)
			variety(r)
			r.write("stays.txt", "one\n")
			r.write("stays.c", "one\n")
			r.commit("variety")
			s := open(t)
			first := snapshot(t, s, remote, SnapshotOptions{})
			change(r)
			r.commit("changed")
			if prepared {
				if err := s.Prepare(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			second := snapshot(t, s, remote, SnapshotOptions{})
			if left, _ := os.ReadDir(filepath.Join(s.opts.Dir, "spares")); len(left) != 0 {
				t.Error("the spare is still there")
			}
			for name, want := range map[string]bool{"stays.c": true, "stays.txt": false, "README.md": false, "src/main.go": false} {
				if got := sameFile(t, name, first, second); got != want {
					t.Errorf("%s is one file in both: %v, want %v", name, got, want)
				}
			}
			whole(t, s, first, remote)
			whole(t, s, second, remote)
			first.Release()
			old := time.Now().Add(-time.Hour)
			if err := os.Chtimes(first.home+".lock", old, old); err != nil {
				t.Fatal(err)
			}
			if err := s.Evict(t.Context(), nil, time.Minute, 0); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Lstat(first.home); !errors.Is(err, os.ErrNotExist) {
				t.Fatal("the first snapshot is still there")
			}
			whole(t, s, second, remote)
		})
	}
}

func TestWhatAJobWritesReachesNoSnapshot(t *testing.T) {
	r, _, remote := served(t)
	s := open(t)
	first := snapshot(t, s, remote, SnapshotOptions{})
	r.write("more", "more\n")
	r.commit("more")
	second := snapshot(t, s, remote, SnapshotOptions{})
	if !sameFile(t, "README.md", first, second) {
		t.Fatal("README.md is not shared")
	}
	dir := t.TempDir()
	for _, d := range []string{"upper", "work", "merged"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	merged := filepath.Join(dir, "merged")
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", second.Dir, dir, dir)
	if out, err := exec.Command("mount", "-t", "overlay", "overlay", "-o", options, merged).CombinedOutput(); err != nil {
		t.Skipf("an overlay cannot be mounted here: %s", out)
	}
	defer func() { _ = exec.Command("umount", merged).Run() }()
	at := filepath.Join(merged, "README.md")
	f, err := os.OpenFile(at, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("by a job\n"); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	err = errors.Join(os.Chmod(at, 0o777), os.Chown(at, 1, 1), os.Chtimes(at, time.Now(), time.Now()), os.Truncate(filepath.Join(merged, "src/main.go"), 0))
	if err != nil {
		t.Fatal(err)
	}
	whole(t, s, first, remote)
	whole(t, s, second, remote)
}

func TestAFileThatIsNotWhatWasWrittenIsNotLent(t *testing.T) {
	r, _, remote := served(t)
	s := open(t)
	first := snapshot(t, s, remote, SnapshotOptions{})
	if err := os.WriteFile(filepath.Join(first.Dir, "README.md"), []byte("hellO\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.write("more", "more\n")
	r.commit("more")
	if err := s.Prepare(t.Context()); err == nil {
		t.Error("a spare was made of a damaged snapshot")
	}
	second := snapshot(t, s, remote, SnapshotOptions{})
	if body, _ := os.ReadFile(filepath.Join(second.Dir, "README.md")); string(body) != "hello\n" {
		t.Errorf("README.md is %q", body)
	}
	if !sameFile(t, "src/main.go", first, second) {
		t.Error("the undamaged file is not shared")
	}
}

func TestAFileWithAllItsNamesIsWrittenAgain(t *testing.T) {
	r, _, remote := served(t)
	s := open(t)
	first := snapshot(t, s, remote, SnapshotOptions{})
	names := t.TempDir()
	for i := 0; ; i++ {
		err := os.Link(filepath.Join(first.Dir, "README.md"), filepath.Join(names, fmt.Sprint(i)))
		if errors.Is(err, unix.EMLINK) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if i > 70_000 {
			t.Skip("files may have any number of names here")
		}
	}
	r.write("more", "more\n")
	r.commit("more")
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := snapshot(t, s, remote, SnapshotOptions{})
	if sameFile(t, "README.md", first, second) || !sameFile(t, "src/main.go", first, second) {
		t.Error("what could be shared was not, or the other way around")
	}
	whole(t, s, second, remote)
}

func TestHostileTreesAreRefusedOnASpare(t *testing.T) {
	r := newRepo(t)
	r.write("dir/config", "evil\n")
	r.write("f", "f\n")
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(r.dir, "link")); err != nil {
		t.Fatal(err)
	}
	r.commit("first")
	remote := Remote{URL: "file://" + r.dir, AllowFile: true}
	id := func(name string) string { return r.git("rev-parse", "HEAD:"+name) }
	link, f, dir := [3]string{"120000", "link", id("link")}, [3]string{"100644", "f", id("f")}, [3]string{"40000", "dir", id("dir")}
	under := [3]string{"40000", "link", id("dir")}
	first := r.git("rev-parse", "HEAD")
	for name, entries := range map[string][][3]string{
		"a link that stays, and a directory": {dir, f, link, under},
		"a directory, and a link that stays": {dir, f, under, link},
		"a file twice":                       {dir, f, f, link},
		"a directory twice":                  {dir, dir, f, link},
		"a link twice":                       {dir, f, link, link},
	} {
		t.Run(name, func(t *testing.T) {
			r.git("reset", "-q", "--hard", first)
			s := open(t, inProcess)
			snapshot(t, s, remote, SnapshotOptions{})
			if err := s.Prepare(t.Context()); err != nil {
				t.Fatal(err)
			}
			plant(r, rawTree(r, entries...))
			got, err := s.Fetch(t.Context(), remote, Want{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Snapshot(t.Context(), remote, got.Commit, SnapshotOptions{})
			if kind := kindOf(t, err); kind != KindUnsafe {
				t.Errorf("kind %s: %v", kind, err)
			}
			if left, _ := os.ReadDir(outside); len(left) != 0 {
				t.Errorf("written through a link: %v", left)
			}
			if left, _ := filepath.Glob(filepath.Join(s.opts.Dir, "tmp", "*")); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestALinkThatBecomesADirectoryIsNotFollowed(t *testing.T) {
	r := newRepo(t)
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(r.dir, "x")); err != nil {
		t.Fatal(err)
	}
	r.commit("a link")
	remote := Remote{URL: serve(t, filepath.Dir(r.dir)).url(r)}
	s := open(t)
	snapshot(t, s, remote, SnapshotOptions{})
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(r.dir, "x")); err != nil {
		t.Fatal(err)
	}
	r.write("x/file", "file\n")
	r.commit("a directory")
	whole(t, s, snapshot(t, s, remote, SnapshotOptions{}), remote)
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("written through a link: %v", left)
	}
}

func TestSparesComeAndGo(t *testing.T) {
	r, _, remote := served(t)
	s := open(t)
	first := snapshot(t, s, remote, SnapshotOptions{})
	spares := func() []string {
		all, err := filepath.Glob(filepath.Join(s.opts.Dir, "spares", "*", "meta.json"))
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	prepare := func() os.FileInfo {
		if err := s.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		all := spares()
		if len(all) != 1 {
			t.Fatalf("%d spares", len(all))
		}
		info, err := os.Stat(all[0])
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	one := prepare()
	if !os.SameFile(one, prepare()) {
		t.Error("a spare was made again")
	}
	r.write("more", "more\n")
	r.commit("more")
	got, err := s.Fetch(t.Context(), remote, Want{})
	if err != nil {
		t.Fatal(err)
	}
	// A spare of a former boot may hold anything.
	meta := spares()[0]
	data, err := os.ReadFile(meta)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(meta, []byte(strings.Replace(string(data), bootID(), "another", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(meta), "tree", "README.md")); err != nil {
		t.Fatal(err)
	}
	second, err := s.Snapshot(t.Context(), remote, got.Commit, SnapshotOptions{})
	if err != nil {
		t.Fatal(err)
	}
	whole(t, s, second, remote)
	prepare()
	first.Release()
	second.Release()
	for _, snap := range []*Snapshot{first, second} {
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(snap.home+".lock", old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Evict(t.Context(), nil, time.Minute, 0); err != nil {
		t.Fatal(err)
	}
	if left := spares(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(s.opts.Dir, "tmp", "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestADamagedSpareIsLeft(t *testing.T) {
	r, _, remote := served(t)
	s := open(t)
	snapshot(t, s, remote, SnapshotOptions{})
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	readme, _ := filepath.Glob(filepath.Join(s.opts.Dir, "spares", "*", "tree", "README.md"))
	if len(readme) != 1 || os.Remove(readme[0]) != nil {
		t.Fatal("no spare")
	}
	r.write("README.md", "changed\n")
	r.commit("changed")
	whole(t, s, snapshot(t, s, remote, SnapshotOptions{}), remote)
}

func TestWhatIsLentCountsOnce(t *testing.T) {
	a := kept{home: "a", layout: layout{ID: "a", Bytes: 100}}
	b := kept{home: "b", layout: layout{ID: "b", Base: "a", Bytes: 110, Lent: 90}}
	c := kept{home: "c", layout: layout{ID: "c", Base: "b", Bytes: 120, Lent: 100}}
	for _, x := range []struct {
		of   []kept
		want int64
	}{{[]kept{a, b, c}, 140}, {[]kept{b, c}, 130}, {[]kept{a, c}, 220}, {[]kept{c}, 120}, {nil, 0}} {
		if got := onDisk(x.of); got != x.want {
			t.Errorf("%d snapshots take %d, want %d", len(x.of), got, x.want)
		}
	}
}
