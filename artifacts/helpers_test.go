package artifacts

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// turns is how often something is done: a few times, or many in slow runs.
func turns[N int | uint64](few, many N) N {
	if os.Getenv("RUNNER_SLOW") != "" {
		return many
	}
	return few
}

// newStore opens a store that does not wait for the disk: what a test needs of it, does not need a power cut.
func newStore(t testing.TB) *Store {
	t.Helper()
	s, _ := newStoreAt(t, filepath.Join(t.TempDir(), "artifacts.db"))
	s.db.NoSync = true
	return s
}

func newStoreAt(t testing.TB, path string) (*Store, *clock) {
	t.Helper()
	c := &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	s, err := Open(path, Options{Now: c.now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s, c
}

// clean fails the test when the store's invariants do not hold.
func clean(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Check(t.Context(), func(p string) { t.Errorf("check: %s", p) }); err != nil {
		t.Fatalf("check: %v", err)
	}
}

// entry is one entry of a test's tar. Kind 0 is a regular file.
type entry struct {
	name string
	body []byte
	kind byte
	link string
	mode int64
	time time.Time
}

func text(name, body string) entry { return entry{name: name, body: []byte(body)} }

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Size: int64(len(e.body)), Typeflag: e.kind, Linkname: e.link, Mode: e.mode, ModTime: e.time}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if e.mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func put(t testing.TB, s *Store, id string, entries ...entry) Set {
	t.Helper()
	set, err := s.PutTar(t.Context(), id, SetMeta{Name: id + "-name"}, bytes.NewReader(tarOf(t, entries...)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// content reads one file of a set, and fails the test when it cannot.
func content(t testing.TB, s *Store, id, path string) []byte {
	t.Helper()
	r, _, err := s.OpenFile(t.Context(), id, path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func appendLog(t testing.TB, s *Store, id string, frame uint64, p []byte) {
	t.Helper()
	if err := s.AppendLog(t.Context(), id, frame, p); err != nil {
		t.Fatal(err)
	}
}

func readAll(t testing.TB, r io.ReadCloser) []byte {
	t.Helper()
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func collect(t testing.TB, s *Store) Freed {
	t.Helper()
	freed, err := s.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return freed
}

func stats(t testing.TB, s *Store) Stats {
	t.Helper()
	st, err := s.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// noise returns n bytes that do not compress, the same for the same seed.
func noise(seed uint64, n int) []byte {
	var key [32]byte
	key[0], key[1], key[2] = byte(seed), byte(seed>>8), byte(seed>>16)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

// prose returns n bytes that compress well.
func prose(seed uint64, n int) []byte {
	words := []string{"ok", "compiling", "github.com/runner-ci/runner", "PASS", "coverage", "of", "statements", "\n", "--- FAIL"}
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 0, n+32)
	for len(b) < n {
		b = append(append(b, words[r.IntN(len(words))]...), ' ')
	}
	return b[:n]
}
