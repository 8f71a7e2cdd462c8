package source

import (
	"os"
	"sync"
	"testing"
	"time"
)

func TestWhatIsOnTheShelfIsNeverBehind(t *testing.T) {
	r, _, remote := served(t)
	s := open(t, func(o *Options) { o.MaxPacks = 1 })
	m, err := mirrorOf(s.opts.Dir, remote.URL)
	if err != nil {
		t.Fatal(err)
	}
	var commits, bodies []string
	read := func() {
		t.Helper()
		for i, commit := range commits {
			got, err := s.ReadFile(t.Context(), remote.URL, commit, "README.md", 1<<20)
			if err != nil || string(got) != bodies[i] {
				t.Errorf("commit %d has README.md %q (%v), want %q", i, got, err, bodies[i])
			}
		}
	}
	at := func(when time.Time) {
		t.Helper()
		if err := os.Chtimes(m.packs(), when, when); err != nil {
			t.Fatal(err)
		}
	}
	for _, body := range []string{"one\n", "two\n", "three\n"} {
		r.write("README.md", body)
		commits, bodies = append(commits, r.commit(body)), append(bodies, body)
		if _, err := s.Fetch(t.Context(), remote, Want{}); err != nil {
			t.Fatal(err)
		}
		at(time.Now().Add(time.Hour)) // as just now: nothing may rest on the directory's time
		read()
		if len(s.shelf.by) != 0 {
			t.Error("packs are on the shelf whose directory may still change unseen")
		}
		at(time.Now().Add(time.Duration(len(commits)-10) * time.Minute))
		read()
		if len(s.shelf.by) != 1 {
			t.Errorf("%d mirrors are on the shelf", len(s.shelf.by))
		}
	}
	held, err := s.shelf.open(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.shelf.by) != 0 {
		t.Error("packs that were deleted are still on the shelf")
	}
	if packs, _ := os.ReadDir(m.packs()); len(packs) != 2 {
		t.Errorf("%d files are left of the packs: the shelf kept Maintain from deleting", len(packs))
	}
	id, _ := parseCommit(commits[2])
	if _, err := newMetadata(held.Objects).commit(id); err != nil {
		t.Errorf("reading what was deleted meanwhile: %v", err)
	}
	held.close()
	read()
}

func TestManyReadersOfTheShelf(t *testing.T) {
	_, _, remote := served(t)
	s := open(t)
	got, err := s.Fetch(t.Context(), remote, Want{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mirrorOf(s.opts.Dir, remote.URL)
	if err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Minute)
	if err := os.Chtimes(m.packs(), old, old); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, err := s.ReadFile(t.Context(), remote.URL, got.Commit, "README.md", 1<<20); err != nil {
					t.Error(err)
					return
				}
				s.shelf.clear()
			}
		})
	}
	wg.Wait()
}
