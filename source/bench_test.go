package source

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/figures"
)

// benchmarkRepo is 6,000 files in 51 MB that deflate like source code.
func benchmarkRepo(b *testing.B) (*repo, Remote) {
	r := newRepo(b)
	rng := rand.New(rand.NewPCG(3, 4))
	words := make([]string, 2000)
	for i := range words {
		words[i] = fmt.Sprintf("%c%x", 'a'+i%26, rng.Uint32()>>rng.IntN(28))
	}
	for i := range 6000 {
		var t strings.Builder
		for t.Len() < 8500 {
			t.WriteString(words[rng.IntN(len(words))])
			t.WriteString([]string{" ", " ", ".", "(", ")\n"}[rng.IntN(5)])
		}
		r.write(fmt.Sprintf("pkg%d/dir%d/file%d.go", i%20, i%60, i), t.String())
	}
	r.commit("all")
	r.git("repack", "-a", "-d", "-q")
	return r, Remote{URL: serve(b, filepath.Dir(r.dir)).url(r)}
}

// BenchmarkFigureClone measures how a commit becomes a tree, over HTTP: of a repository never seen before against git clone
// --depth 1, and of one commit more, with three files changed, against git fetch and git checkout in a clone that is there.
// The copy made of links that the daemon prepares within seconds of each snapshot is prepared outside of the clock. What is
// made is removed at the end, because some file systems are slow to create files where many were just deleted.
func BenchmarkFigureClone(b *testing.B) {
	r, remote := benchmarkRepo(b)
	turn := 0
	figures.Run(b, "clone-cold", "s", func(b *testing.B) (ours, theirs float64) {
		clone := filepath.Join(b.TempDir(), "clone")
		s := open(b)
		turn++
		return inTurns(turn, func() {
			source(b, s, remote)
		}, func() {
			gitIn(b, r.dir, 0, "", "clone", "-q", "--depth", "1", remote.URL, clone)
		})
	})
	s, clone := open(b), filepath.Join(b.TempDir(), "clone")
	gitIn(b, r.dir, 0, "", "clone", "-q", remote.URL, clone)
	source(b, s, remote)
	figures.Run(b, "clone-next", "s", func(b *testing.B) (ours, theirs float64) {
		turn++
		for i := range 3 {
			r.write(fmt.Sprintf("pkg%d/dir%d/file%d.go", i, i, i), fmt.Sprintf("turn %d\n%s", turn, strings.Repeat("changed\n", 1000)))
		}
		id := r.commit("one more")
		if err := s.Prepare(b.Context()); err != nil {
			b.Fatal(err)
		}
		syscall.Sync() // neither is to wait for what the commit and the preparation left to be written
		return inTurns(turn, func() {
			source(b, s, remote)
		}, func() {
			gitIn(b, clone, 0, "", "fetch", "-q")
			gitIn(b, clone, 0, "", "checkout", "-q", id)
		})
	})
}

// source is what a build does: it fetches the tip, and lays it out.
func source(b *testing.B, s *Store, remote Remote) {
	b.Helper()
	got, err := s.Fetch(b.Context(), remote, Want{})
	if err != nil {
		b.Fatal(err)
	}
	snap, err := s.Snapshot(b.Context(), remote, got.Commit, SnapshotOptions{})
	if err != nil {
		b.Fatal(err)
	}
	snap.Release()
}

// inTurns measures two things in seconds, the one or the other first.
func inTurns(turn int, ours, theirs func()) (o, t float64) {
	timed := func(do func()) float64 {
		began := time.Now()
		do()
		return time.Since(began).Seconds()
	}
	if turn%2 == 0 {
		o = timed(ours)
		return o, timed(theirs)
	}
	t = timed(theirs)
	return timed(ours), t
}

// BenchmarkPresent measures what a build asks for whose commit is here and laid out: nothing starts a child or asks the remote.
// The mirror has 10,000 refs, as after years of branches and tags, and 50 packs, as between two repackings.
func BenchmarkPresent(b *testing.B) {
	r, _, remote := served(b)
	s := open(b)
	var many strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&many, "create refs/%s/name-%d HEAD\n", []string{"heads/some", "tags"}[i%2], i)
	}
	r.pipe(many.String(), "update-ref", "--stdin")
	r.git("pack-refs", "--all")
	for i := range 50 {
		r.write(fmt.Sprintf("d%d/f", i), fmt.Sprint(i))
		r.commit("next")
		if _, err := s.Fetch(b.Context(), remote, Want{}); err != nil {
			b.Fatal(err)
		}
	}
	snap := snapshot(b, s, remote, SnapshotOptions{})
	want := Want{Ref: "refs/heads/main", Commit: snap.Commit}
	n, dir := 0, b.TempDir()
	for name, call := range map[string]func() error{
		"Fetch":  func() error { _, err := s.Fetch(b.Context(), remote, want); return err },
		"Pushed": func() error { _, err := s.Pushed(b.Context(), remote, snap.Commit); return err },
		"ReadFile": func() error {
			_, err := s.ReadFile(b.Context(), remote.URL, snap.Commit, "buildspec.yml", 1<<20)
			return err
		},
		"NoFile": func() error {
			_, err := s.ReadFile(b.Context(), remote.URL, snap.Commit, "buildspec.yaml", 1<<20)
			if !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("a file that is not there: %w", err)
			}
			return nil
		},
		"Snapshot": func() error {
			snap, err := s.Snapshot(b.Context(), remote, snap.Commit, SnapshotOptions{})
			if err == nil {
				snap.Release()
			}
			return err
		},
		"GitDir": func() error {
			n++
			job := filepath.Join(dir, fmt.Sprint(n))
			return s.GitDir(b.Context(), snap, filepath.Join(job, "upper"), GitDirOptions{
				Ref: "refs/heads/main", RemoteURL: remote.URL, ObjectsPath: "/objects", HostObjectsDir: filepath.Join(job, "objects"),
			})
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := call(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
