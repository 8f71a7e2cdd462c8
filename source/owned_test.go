package source

import (
	"bytes"
	"encoding/hex"
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

// sharing is a mirror into which ada sent what she works on, and from which bob is to learn nothing of it.
type sharing struct {
	*testing.T
	r      *repo
	s      *Store
	remote Remote
	base   string // of the file that ada changed
	head   string // commit that was pushed
	hers   string // commit that ada sent
	ref    string // its ref
	blob   string // her file
}

func newSharing(t *testing.T) *sharing {
	t.Helper()
	r, _, remote := served(t)
	h := &sharing{T: t, r: r, s: open(t, inProcess), remote: remote, base: strings.Repeat("a line that makes a delta worth its while\n", 500)}
	r.write("big", h.base)
	h.head = r.commit("big")
	if _, err := h.s.Fetch(t.Context(), remote, Want{}); err != nil {
		t.Fatal(err)
	}
	h.hers = h.edit(h.base + "only ada has seen this\n").Commit
	h.blob = r.git("rev-parse", h.hers+":big")
	var err error
	if h.ref, err = h.send("ada", h.hers, packFor(t, r, h.hers, h.head)); err != nil {
		t.Fatal(err)
	}
	return h
}

// edit changes the file, and commits the working tree as a laptop does.
func (h *sharing) edit(text string) worktree.Tree {
	h.Helper()
	h.r.write("big", text)
	tree, err := worktree.Commit(h.Context(), h.r.dir, "")
	if err != nil {
		h.Fatal(err)
	}
	return tree
}

func (h *sharing) send(who, commit string, pack []byte) (string, error) {
	ref := SubmitRef(time.Now(), who, commit[:12])
	_, err := h.s.Receive(h.Context(), h.remote.URL, ref, commit, bytes.NewReader(pack), maxPack)
	return ref, err
}

func (h *sharing) known(who string, commits ...string) []string {
	h.Helper()
	got, err := h.s.Known(h.Context(), h.remote.URL, who, commits)
	if err != nil {
		h.Fatal(err)
	}
	return got
}

// refusal is what somebody hears who sends a tree that names a blob, and leaves the blob out.
func (h *sharing) refusal(who, id string) string {
	h.Helper()
	name, err := hex.DecodeString(id)
	if err != nil {
		h.Fatal(err)
	}
	tree := h.r.pipe("100644 blob "+id+"\tx\n", "mktree", "--missing")
	commit := h.r.git("commit-tree", "-p", h.head, "-m", "x", tree)
	pack := packOf(1, h.r.git("cat-file", "commit", commit)+"\n", 2, "100644 x\x00"+string(name))
	if _, err = h.send(who, commit, pack); err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), id, "ID")
}

func TestNobodyIsToldOfWhatOthersSubmitted(t *testing.T) {
	h := newSharing(t)
	if strings.Contains(h.ref, "ada") {
		t.Errorf("the ref %s says whose it is", h.ref)
	}
	for range 2 { // also from packs that are open already
		if got := h.known("ada", h.hers, h.head); len(got) != 2 {
			t.Errorf("ada is told of %v only", got)
		}
		for _, who := range []string{"bob", ""} {
			if got := h.known(who, h.hers, h.head); !slices.Equal(got, []string{h.head}) {
				t.Errorf("%q is told of %v", who, got)
			}
		}
	}
}

func TestNothingStandsOnWhatOthersSubmitted(t *testing.T) {
	h := newSharing(t)
	if why := h.refusal("ada", h.blob); why != "" {
		t.Errorf("ada cannot build on her own: %s", why)
	}
	theirs, nobodys := h.refusal("bob", h.blob), h.refusal("bob", strings.Repeat("3", 40))
	if theirs == "" || theirs != nobodys {
		t.Errorf("bob hears %q of what ada has, and %q of what nobody has", theirs, nobodys)
	}

	more := h.edit(h.base + "only ada has seen this\nand more\n")
	onHers := h.r.git("commit-tree", "-p", h.hers, "-m", "x", more.Tree)
	deltas := packFor(t, h.r, onHers, h.hers)
	if _, err := h.send("bob", onHers, deltas); err == nil || !strings.Contains(err.Error(), "a delta's base is neither in the pack nor in the mirror") {
		t.Errorf("bob's delta on what ada has: %v", err)
	}
	if _, err := h.send("ada", onHers, deltas); err != nil {
		t.Errorf("ada's delta on what she has: %v", err)
	}
	fsck(t, h.s, h.remote.URL)
}

func TestAJobReadsNoSubmitsOfOthers(t *testing.T) {
	h := newSharing(t)
	bobs := h.edit(h.base + "bob's\n").Commit
	ref, err := h.send("bob", bobs, packFor(t, h.r, bobs, h.head))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ref, commit string
		sees        bool
	}{{ref, bobs, false}, {"refs/heads/main", h.head, false}, {h.ref, h.hers, true}} {
		snap, err := h.s.Snapshot(t.Context(), h.remote, c.commit, SnapshotOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(snap.Release)
		work := workspace(t, h.s, snap, GitDirOptions{Ref: c.ref, RemoteURL: h.remote.URL})
		gitIn(t, work, 0, "", "fsck", "--full", "--strict")
		objects := gitIn(t, work, 0, "", "cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
		if strings.Contains(objects, h.blob) != c.sees {
			t.Errorf("the job of %s can read what ada sent: %t", c.ref, !c.sees)
		}
	}
}

func TestMaintenanceKeepsSubmitsApart(t *testing.T) {
	h := newSharing(t)
	for _, who := range []string{"ada", "bob", "bob"} {
		commit := h.edit(h.base + who + time.Now().String()).Commit
		if _, err := h.send(who, commit, packFor(t, h.r, commit, h.head)); err != nil {
			t.Fatal(err)
		}
	}
	m, err := mirrorOf(h.s.opts.Dir, h.remote.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.pruned(); err != nil {
		t.Fatal(err)
	}
	before := len(packsOf(t, h.s, h.remote.URL))
	ageBy(t, m.pruneMark(), 2*pruneEvery)
	if err := h.s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := packsOf(t, h.s, h.remote.URL); len(after) != 3 || before != 5 {
		t.Errorf("%d packs became %v, want one for what was pushed, for ada and for bob", before, after)
	}
	if got := h.known("bob", h.hers); len(got) != 0 {
		t.Error("bob is told of what ada sent")
	}
	if got := h.known("ada", h.hers); len(got) != 1 {
		t.Error("ada is not told of what she sent")
	}
	fsck(t, h.s, h.remote.URL)
}

func TestWhatIsPushedIsEverybodys(t *testing.T) {
	h := newSharing(t)
	h.edit(h.base + "only ada has seen this\n")
	pushed := h.r.commit("what ada did")
	if _, err := h.send("ada", pushed, packFor(t, h.r, pushed, h.head)); err != nil {
		t.Fatal(err)
	}
	if got, err := h.s.Fetch(t.Context(), h.remote, Want{Ref: "refs/heads/main", Commit: pushed}); err != nil || got.Commit != pushed {
		t.Fatalf("%+v, %v", got, err)
	}
	if got := h.known("bob", pushed, h.hers); !slices.Equal(got, []string{pushed}) {
		t.Errorf("bob is told of %v", got)
	}
	if why := h.refusal("bob", h.blob); why != "" {
		t.Errorf("bob cannot build on what was pushed: %s", why)
	}
	fsck(t, h.s, h.remote.URL)
}

func TestSubmitsOfOnePersonArePutTogether(t *testing.T) {
	h := newSharing(t)
	for range defaultPacks/ownersShare + 1 {
		commit := h.edit(h.base + time.Now().String()).Commit
		if _, err := h.send("bob", commit, packFor(t, h.r, commit, h.head)); err != nil {
			t.Fatal(err)
		}
	}
	before := len(packsOf(t, h.s, h.remote.URL))
	if err := h.s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := packsOf(t, h.s, h.remote.URL)
	if len(after) >= before || !slices.ContainsFunc(after, func(p string) bool { return strings.Contains(p, ownerOf("ada")) }) {
		t.Errorf("%d packs became %v", before, after)
	}
	if got := h.known("bob", h.hers); len(got) != 0 {
		t.Error("bob is told of what ada sent")
	}
	fsck(t, h.s, h.remote.URL)
}
