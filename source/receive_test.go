package source

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/source/worktree"
)

const maxPack = 64 << 20

// submit does what a laptop does.
func submit(t testing.TB, s *Store, r *repo, url, ref string) (worktree.Tree, Resolved, int64) {
	t.Helper()
	tree, err := worktree.Commit(t.Context(), r.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	ask, err := worktree.Ancestors(t.Context(), tree.Root, tree.Commit, 64)
	if err != nil {
		t.Fatal(err)
	}
	have, err := s.Known(t.Context(), url, "", ask)
	if err != nil {
		t.Fatal(err)
	}
	var pack bytes.Buffer
	n, _, err := worktree.Pack(t.Context(), tree.Root, tree.Commit, have, &pack)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Receive(t.Context(), url, ref, tree.Commit, &pack, maxPack)
	if err != nil {
		t.Fatal(err)
	}
	return tree, got, n
}

func TestSubmit(t *testing.T) {
	for _, mirrorFirst := range []bool{true, false} {
		r, _, remote := served(t)
		variety(r)
		r.commit("variety")
		s := open(t, func(o *Options) {
			if !mirrorFirst {
				o.Worker = nil
			}
		})
		if mirrorFirst {
			if _, err := s.Fetch(t.Context(), remote, Want{}); err != nil {
				t.Fatal(err)
			}
		}
		r.write("src/main.go", "package main // dirty\n")
		r.write("untracked.txt", "untracked\n")
		r.write(".gitignore", "ignored\n")
		r.write("ignored", "ignored\n")
		tree, got, size := submit(t, s, r, remote.URL, "refs/runner/submit/one")
		if got.Commit != tree.Commit || got.Tree != tree.Tree || got.Ref != "refs/runner/submit/one" {
			t.Errorf("%+v for %+v", got, tree)
		}
		if mirrorFirst && size > 4096 {
			t.Errorf("a small change was sent as %d bytes", size)
		}
		fsck(t, s, remote.URL)

		// Its build takes the usual path, without the network.
		again, err := s.Fetch(t.Context(), Remote{URL: remote.URL}, Want{Ref: "refs/runner/submit/one", Commit: tree.Commit})
		if err != nil || again.Tree != tree.Tree || again.Ref != "refs/runner/submit/one" {
			t.Errorf("%+v, %v", again, err)
		}
		snap, err := s.Snapshot(t.Context(), Remote{URL: remote.URL}, tree.Commit, SnapshotOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer snap.Release()
		gitIn(t, r.dir, 0, "", "clean", "-q", "-X", "-f")
		r.git("checkout-index", "-q", "-f", "a.crlf") // the others are as git wrote them, or dirty
		work := workspace(t, s, snap, GitDirOptions{Ref: "refs/runner/submit/one", RemoteURL: remote.URL})
		if out := gitIn(t, work, 0, "", "status", "--porcelain"); out != "" {
			t.Errorf("git status says %q", out)
		}
		if out := gitIn(t, work, 0, "", "show", "HEAD:untracked.txt"); out != "untracked" {
			t.Errorf("untracked.txt is %q", out)
		}

		// The second time, next to nothing is sent; the third time, nothing.
		r.write("src/main.go", "package main // dirtier\n")
		_, _, size = submit(t, s, r, remote.URL, "refs/runner/submit/two")
		if mirrorFirst && size > 4096 {
			t.Errorf("the second time, %d bytes were sent", size)
		}
		_, _, size = submit(t, s, r, remote.URL, "refs/runner/submit/three")
		if size > 40 {
			t.Errorf("the third time, %d bytes were sent", size)
		}
		fsck(t, s, remote.URL)

		// A push of the same work is fetched as ever.
		r.write("pushed.txt", "pushed\n")
		head := r.commit("pushed")
		if got, err := s.Fetch(t.Context(), remote, Want{}); err != nil || got.Commit != head {
			t.Errorf("%+v, %v", got, err)
		}
		fsck(t, s, remote.URL)
	}
}

func TestOldSubmitsArePruned(t *testing.T) {
	r, _, remote := served(t)
	s := open(t, inProcess)
	if _, err := s.Fetch(t.Context(), remote, Want{}); err != nil {
		t.Fatal(err)
	}
	r.write("large", strings.Repeat("not easily deflated? yes it is\n", 1000))
	ref := refsSubmit + day(time.Now()) + "/one"
	tree, _, _ := submit(t, s, r, remote.URL, ref)
	m, err := mirrorOf(s.opts.Dir, remote.URL)
	if err != nil {
		t.Fatal(err)
	}
	known := func() bool {
		got, err := s.Known(t.Context(), remote.URL, "", []string{tree.Commit, tree.Head, "nonsense"})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(got, tree.Head) {
			t.Error("HEAD is not known")
		}
		return slices.Contains(got, tree.Commit)
	}
	prune := func() {
		t.Helper()
		ageBy(t, m.pruneMark(), 2*pruneEvery)
		if err := s.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		fsck(t, s, remote.URL)
	}
	if err := s.Maintain(t.Context()); err != nil { // leaves the mark
		t.Fatal(err)
	}
	prune()
	if !known() {
		t.Fatal("a submit that is still named was pruned")
	}
	all, err := readRefs(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	all[refsSubmit+day(time.Now().Add(-s.opts.KeepCommits-48*time.Hour))+"/one"] = all[ref]
	delete(all, ref)
	if err := all.write(m.dir); err != nil {
		t.Fatal(err)
	}
	prune()
	if known() {
		t.Error("an old submit was not pruned")
	}
}

// packOf makes a packfile of whole objects: a type and bytes each.
func packOf(objects ...any) []byte {
	var b bytes.Buffer
	b.WriteString("PACK\x00\x00\x00\x02")
	_ = binary.Write(&b, binary.BigEndian, uint32(len(objects)/2))
	for i := 0; i < len(objects); i += 2 {
		kind, body := objects[i].(int), objects[i+1].(string)
		size := len(body)
		c := byte(kind<<4 | size&15)
		for size >>= 4; size > 0; size >>= 7 {
			b.WriteByte(c | 128)
			c = byte(size & 127)
		}
		b.WriteByte(c)
		z := zlib.NewWriter(&b)
		_, _ = z.Write([]byte(body))
		z.Close()
	}
	sum := sha1.Sum(b.Bytes())
	return append(b.Bytes(), sum[:]...)
}

func TestHostilePacksAreRefused(t *testing.T) {
	r, _, remote := served(t)
	s := open(t, inProcess)
	if _, err := s.Fetch(t.Context(), remote, Want{}); err != nil {
		t.Fatal(err)
	}
	r.write("new.txt", "new\n")
	tree, err := worktree.Commit(t.Context(), r.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if _, _, err := worktree.Pack(t.Context(), r.dir, tree.Commit, []string{tree.Head}, &buf); err != nil {
		t.Fatal(err)
	}
	good := buf.Bytes()
	commitBody := gitIn(t, r.dir, 0, "", "cat-file", "commit", tree.Commit) + "\n"
	loose := r.pipe("stray\n", "hash-object", "-w", "--stdin")
	stray := r.pipe(tree.Commit+"\n"+loose+"\n^"+tree.Head+"\n", "pack-objects", "--revs", "--stdout", "-q") + "\n"
	strayPack := []byte(strings.TrimSuffix(stray, "\n"))
	huge := packOf(3, strings.Repeat("\x00", 100<<20))
	cycle := []byte("PACK\x00\x00\x00\x02\x00\x00\x00\x01")
	cycle = append(cycle, 0x70|4)
	cycle = append(cycle, bytes.Repeat([]byte{7}, 20)...)
	for name, c := range map[string]struct {
		pack   []byte
		commit string
		kind   Kind
	}{
		"truncated":              {good[:len(good)-30], tree.Commit, KindCorrupt},
		"empty":                  {nil, tree.Commit, KindCorrupt},
		"not a pack":             {[]byte("hello"), tree.Commit, KindCorrupt},
		"changed":                {append(append([]byte{}, good[:len(good)/2]...), append([]byte{good[len(good)/2] ^ 1}, good[len(good)/2+1:]...)...), tree.Commit, KindCorrupt},
		"another commit":         {good, strings.Repeat("12", 20), KindCorrupt},
		"no tree":                {packOf(1, commitBody), tree.Commit, KindCorrupt},
		"a stray object":         {strayPack, tree.Commit, KindCorrupt},
		"a commit that is none":  {packOf(1, "tree nonsense\n"), gitHash(t, r, "commit", "tree nonsense\n"), KindCorrupt},
		"a blob as a commit":     {packOf(3, "hello"), gitHash(t, r, "blob", "hello"), KindCorrupt},
		"a delta without a base": {cycle, tree.Commit, KindCorrupt},
		"more than it may have":  {append(append([]byte{}, good...), make([]byte, maxPack)...), tree.Commit, KindTooLarge},
		"a bomb, stray":          {huge, tree.Commit, KindCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Receive(t.Context(), remote.URL, "refs/runner/submit/evil", c.commit, bytes.NewReader(c.pack), maxPack)
			if kind := kindOf(t, err); kind != c.kind {
				t.Errorf("kind %s, want %s: %v", kind, c.kind, err)
			}
		})
	}
	t.Run("another ref", func(t *testing.T) {
		for _, ref := range []string{"refs/heads/main", "refs/runner/submit/../../heads/main", "refs/runner/submit/a b"} {
			if _, err := s.Receive(t.Context(), remote.URL, ref, tree.Commit, bytes.NewReader(good), maxPack); err == nil {
				t.Errorf("%s was written", ref)
			}
		}
	})
	t.Run("a sender that gives up", func(t *testing.T) {
		pr, pw := io.Pipe()
		go func() {
			_, _ = pw.Write(good[:20])
			pw.CloseWithError(io.ErrUnexpectedEOF)
		}()
		if _, err := s.Receive(t.Context(), remote.URL, "refs/runner/submit/evil", tree.Commit, pr, maxPack); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Receive(ctx, remote.URL, "refs/runner/submit/evil", tree.Commit, bytes.NewReader(good), maxPack); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	// Nothing of all that stayed, and the good pack is still taken.
	m, err := mirrorOf(s.opts.Dir, remote.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{s.tmp(), m.staging()} {
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
	all, err := readRefs(m.dir)
	if err != nil || slices.ContainsFunc(keys(all), func(n string) bool { return strings.HasPrefix(n, refsSubmit) }) {
		t.Errorf("refs %v, %v", all, err)
	}
	if _, err := s.Receive(t.Context(), remote.URL, "refs/runner/submit/good", tree.Commit, bytes.NewReader(good), maxPack); err != nil {
		t.Error(err)
	}
	fsck(t, s, remote.URL)
}

func keys(r refs) (out []string) {
	for n := range r {
		out = append(out, n)
	}
	return out
}

func gitHash(t testing.TB, r *repo, kind, body string) string {
	t.Helper()
	return r.pipe(body, "hash-object", "--literally", "-t", kind, "--stdin")
}
