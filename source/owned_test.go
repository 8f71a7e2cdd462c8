package source

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/source/worktree"
)

// packFor is what a laptop would send if it were told that the daemon has the commits in have.
func packFor(t testing.TB, r *repo, commit string, have ...string) []byte {
	t.Helper()
	var pack bytes.Buffer
	if _, _, err := worktree.Pack(t.Context(), r.dir, commit, have, &pack); err != nil {
		t.Fatal(err)
	}
	return pack.Bytes()
}

// packsOf lists the packs of a mirror.
func packsOf(t testing.TB, s *Store, url string) []string {
	t.Helper()
	m, err := mirrorOf(s.opts.Dir, url)
	if err != nil {
		t.Fatal(err)
	}
	packs, err := filepath.Glob(filepath.Join(m.packs(), "*.pack"))
	if err != nil {
		t.Fatal(err)
	}
	return packs
}

// TestASubmitIsItsSendersAlone sends what ada works on, and looks whether bob can find out: by asking, by sending what
// relies on it, and from wideltas a job.
func TestASubmitIsItsSendersAlone(t *testing.T) {
	r, _, remote := served(t)
	base := strings.Repeat("a line that makes a delta worth its while\n", 500)
	r.write("big", base)
	r.commit("big")
	s := open(t, inProcess)
	head, err := s.Fetch(t.Context(), remote, Want{})
	if err != nil {
		t.Fatal(err)
	}
	send := func(who, commit string, pack []byte) (string, error) {
		ref := SubmitRef(time.Now(), who, commit[:12])
		_, err := s.Receive(t.Context(), remote.URL, ref, commit, bytes.NewReader(pack), maxPack)
		return ref, err
	}
	known := func(who string, commits ...string) []string {
		t.Helper()
		got, err := s.Known(t.Context(), remote.URL, who, commits)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	secret := base + "only ada has seen this\n"
	r.write("big", secret)
	tree, err := worktree.Commit(t.Context(), r.dir)
	if err != nil {
		t.Fatal(err)
	}
	adas, err := send("ada", tree.Commit, packFor(t, r, tree.Commit, head.Commit))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(adas, "ada-") {
		t.Errorf("the ref %s says whose it is", adas)
	}

	t.Run("asked", func(t *testing.T) {
		for range 2 { // also from packs that are open already
			if got := known("ada", tree.Commit, head.Commit); len(got) != 2 {
				t.Errorf("ada is told of %v only", got)
			}
			for _, who := range []string{"bob", ""} {
				if got := known(who, tree.Commit, head.Commit); !slices.Equal(got, []string{head.Commit}) {
					t.Errorf("%q is told of %v", who, got)
				}
			}
		}
	})

	blob := r.git("rev-parse", tree.Commit+":big")
	missing := strings.Repeat("3", 40)
	// refusal is what somebody hears who sends a tree that names an object, and leaves the object out.
	refusal := func(who, id string) string {
		t.Helper()
		name, err := hex.DecodeString(id)
		if err != nil {
			t.Fatal(err)
		}
		tree := r.pipe("100644 blob "+id+"\tx\n", "mktree", "--missing")
		commit := r.git("commit-tree", "-p", head.Commit, "-m", "x", tree)
		pack := packOf(1, r.git("cat-file", "commit", commit)+"\n", 2, "100644 x\x00"+string(name))
		if _, err = send(who, commit, pack); err == nil {
			return ""
		}
		return strings.ReplaceAll(err.Error(), id, "ID")
	}
	t.Run("named", func(t *testing.T) {
		if why := refusal("ada", blob); why != "" {
			t.Errorf("ada cannot build on her own: %s", why)
		}
		theirs, nobodys := refusal("bob", blob), refusal("bob", missing)
		if theirs == "" || theirs != nobodys {
			t.Errorf("bob hears %q of what ada has, and %q of what nobody has", theirs, nobodys)
		}
	})

	t.Run("as the base of a delta", func(t *testing.T) {
		r.write("big", secret+"and more\n")
		more, err := worktree.Commit(t.Context(), r.dir)
		if err != nil {
			t.Fatal(err)
		}
		onHers := r.git("commit-tree", "-p", tree.Commit, "-m", "x", more.Tree)
		deltas := packFor(t, r, onHers, tree.Commit)
		_, err = send("bob", onHers, deltas)
		if err == nil || !strings.Contains(err.Error(), "a delta's base is neither in the pack nor in the mirror") {
			t.Errorf("bob's delta on what ada has: %v", err)
		}
		if _, err := send("ada", onHers, deltas); err != nil {
			t.Errorf("ada's delta on what she has: %v", err)
		}
	})

	t.Run("from a job", func(t *testing.T) {
		r.write("big", base+"bob's\n")
		bobs, err := worktree.Commit(t.Context(), r.dir)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := send("bob", bobs.Commit, packFor(t, r, bobs.Commit, head.Commit))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			ref, commit string
			sees        bool
		}{{ref, bobs.Commit, false}, {"refs/heads/main", head.Commit, false}, {adas, tree.Commit, true}} {
			snap, err := s.Snapshot(t.Context(), remote, c.commit, SnapshotOptions{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(snap.Release)
			work := workspace(t, s, snap, GitDirOptions{Ref: c.ref, RemoteURL: remote.URL})
			gitIn(t, work, 0, "", "fsck", "--full", "--strict")
			objects := gitIn(t, work, 0, "", "cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
			if strings.Contains(objects, blob) != c.sees {
				t.Errorf("the job of %s can read what ada sent: %t", c.ref, !c.sees)
			}
		}
	})

	t.Run("after maintenance", func(t *testing.T) {
		m, err := mirrorOf(s.opts.Dir, remote.URL)
		if err != nil {
			t.Fatal(err)
		}
		before := len(packsOf(t, s, remote.URL))
		if err := os.WriteFile(m.pruneMark(), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		ageBy(t, m.pruneMark(), 2*pruneEvery)
		if err := s.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := packsOf(t, s, remote.URL); len(after) != 3 || before <= 3 {
			t.Errorf("%d packs became %v, want one for each", before, after)
		}
		if got := known("bob", tree.Commit); len(got) != 0 {
			t.Error("bob is told of what ada sent")
		}
		if got := known("ada", tree.Commit); len(got) != 1 {
			t.Error("ada is not told of what she sent")
		}
		fsck(t, s, remote.URL)
	})

	t.Run("until it is pushed", func(t *testing.T) {
		r.write("big", secret)
		pushed := r.commit("what ada did")
		if _, err := send("ada", pushed, packFor(t, r, pushed, head.Commit)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Fetch(t.Context(), remote, Want{Ref: "refs/heads/main", Commit: pushed}); err != nil || got.Commit != pushed {
			t.Fatalf("%+v, %v", got, err)
		}
		if got := known("bob", pushed, tree.Commit); !slices.Equal(got, []string{pushed}) {
			t.Errorf("bob is told of %v", got)
		}
		if why := refusal("bob", blob); why != "" {
			t.Errorf("bob cannot build on what was pushed: %s", why)
		}
		fsck(t, s, remote.URL)
	})
}
