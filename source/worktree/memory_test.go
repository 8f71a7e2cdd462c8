package worktree

import (
	"context"
	"crypto/rand"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeDaemon has what was sent to it.
type fakeDaemon struct {
	has  []string
	sent []string
	size int64
}

func (d *fakeDaemon) Known(_ context.Context, ids []string) (known []string, _ error) {
	for _, id := range ids {
		if slices.Contains(d.has, id) {
			known = append(known, id)
		}
	}
	return append(known, strings.Repeat("1", 40)), nil // nobody here has heard of that one
}

func (d *fakeDaemon) Submit(_ context.Context, commit string, pack io.Reader) (err error) {
	d.size, err = io.Copy(io.Discard, pack)
	d.has, d.sent = append(d.has, commit), append(d.sent, commit)
	return err
}

// indexes lists what is kept of a working tree's index.
func indexes(t *testing.T, cache string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(cache, "*", "index-*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTheSecondSubmitSendsWhatChangedSince(t *testing.T) {
	dir, git := repo(t)
	cache := t.TempDir()
	write(t, dir, "f", "x")
	git("add", "-A")
	git("commit", "-qm", "first")
	write(t, dir, "untracked", strings.Repeat(rand.Text(), 20_000)+rand.Text())
	noise := make([]byte, 1<<20)
	_, _ = rand.Read(noise)
	write(t, dir, "noise", string(noise))
	d := &fakeDaemon{}
	send := func() int64 {
		t.Helper()
		tree, err := Commit(t.Context(), dir, cache)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := tree.Send(t.Context(), d)
		if err != nil || sent.Commit != tree.Commit || sent.Bytes != d.size {
			t.Fatalf("%+v, %v", sent, err)
		}
		// What is remembered changes nothing of what is sent.
		if plain := commit(t, dir); plain.Tree != tree.Tree || plain.Files != tree.Files || plain.Changed != tree.Changed {
			t.Fatalf("with its memory the tree is %+v, without %+v", tree, plain)
		}
		return sent.Bytes
	}
	if n := send(); n < 1<<20 {
		t.Errorf("the first submit sent %d bytes", n)
	}
	write(t, dir, "f", "y")
	if n := send(); n > 2000 {
		t.Errorf("one file of a byte changed, and %d bytes were sent", n)
	}
	if n := send(); n > 100 {
		t.Errorf("nothing changed, and %d bytes were sent", n)
	}
	if all := indexes(t, cache); len(all) != 1 {
		t.Errorf("kept: %v", all)
	}
	d.has = nil // a daemon that forgot
	if n := send(); n < 1<<20 {
		t.Errorf("a daemon that has nothing was sent %d bytes", n)
	}
	if git("status", "--porcelain") != "M f\n?? noise\n?? untracked" {
		t.Errorf("the user's index changed: %s", git("status", "--porcelain"))
	}
}

func TestTheIndexOfTheLastSubmitIsNotTrustedTooFar(t *testing.T) {
	dir, git := repo(t)
	cache := t.TempDir()
	write(t, dir, "f", "x")
	git("add", "-A")
	git("commit", "-qm", "first")
	write(t, dir, "new", "new\n")
	same := func(when string) {
		t.Helper()
		tree, err := Commit(t.Context(), dir, cache)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		git("fsck", "--no-dangling", tree.Commit)
		if plain := commit(t, dir); plain.Tree != tree.Tree {
			t.Errorf("%s: the tree differs from what a fresh index gives", when)
		}
	}
	same("at first")
	git("add", "new")
	same("after the user's index changed")
	git("reset", "-q")
	same("after a reset")
	git("gc", "-q", "--prune=now")
	same("after git collected what it names")
	for _, path := range indexes(t, cache) {
		if err := os.WriteFile(path, []byte("no index"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	same("after it was damaged")
	if err := os.Remove(filepath.Join(dir, "new")); err != nil {
		t.Fatal(err)
	}
	same("after a file went")

	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := Commit(t.Context(), dir, cache); err != nil {
				t.Errorf("four at once: %v", err)
			}
		})
	}
	all.Wait()

	// Old memories go.
	old := filepath.Join(cache, "old")
	if err := os.Mkdir(old, 0o700); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-2 * memoryAge)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	same("with an old memory beside it")
	if _, err := os.Stat(old); err == nil {
		t.Error("the memory of a tree that nobody submits stays")
	}
}

func TestACacheThatCannotBeWrittenToIsDoneWithout(t *testing.T) {
	dir, _ := repo(t)
	write(t, dir, "f", "x")
	file := filepath.Join(t.TempDir(), "file")
	write(t, filepath.Dir(file), "file", "no directory")
	gone := t.TempDir()
	first, err := Commit(t.Context(), dir, gone)
	if err != nil {
		t.Fatal(err)
	}
	first.memory.dir = file // as if it went meanwhile
	first.memory.hasSent(first.Commit)
	if got := first.memory.sent(); len(got) != 0 {
		t.Errorf("a file remembers %v", got)
	}
	if w, err := first.memory.index(filepath.Join(dir, ".git", "index"), false); err != nil {
		t.Errorf("the index cannot be copied: %v", err)
	} else {
		w.keep()
	}
	if tree, err := Commit(t.Context(), dir, file); err != nil || tree.Tree != first.Tree {
		t.Errorf("with a file for a cache: %+v, %v", tree, err)
	}
}
