package artifacts

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

func quiet() Options { return Options{Logger: slog.New(slog.DiscardHandler)} }

func TestStoreComesBack(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "artifacts.db")
	for turn := range 3 {
		s, err := Open(path, Options{Logger: quiet().Logger, ChunkBytes: []int{0, 64 << 10, 2 << 20}[turn]})
		if err != nil {
			t.Fatal(err)
		}
		if turn > 0 {
			if got := content(t, s, "set", "x"); len(got) != 3<<20 {
				t.Fatalf("turn %d: %d bytes", turn, len(got))
			}
		}
		put(t, s, "set", entry{name: "x", body: noise(1, 3<<20)})
		appendLog(t, s, "log", uint64(turn+1), []byte("line\n"))
		clean(t, s)
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(path, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := readAll(t, s.ReadLog(t.Context(), "log", 0, false)); string(got) != "line\nline\nline\n" {
		t.Fatalf("log is %q", got)
	}
}

func TestAnotherProcessHasTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "artifacts.db")
	newStoreAt(t, path)
	opts := quiet()
	opts.LockTimeout = 10 * time.Millisecond
	if _, err := Open(path, opts); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Fatalf("got %v", err)
	}
}

func TestNewerFileIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "artifacts.db")
	s, err := open(path, quiet(), formatVersion+1, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	if _, err := Open(path, quiet()); !errors.Is(err, ErrNewer) {
		t.Fatalf("got %v", err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Fatal("a refused file was changed")
	}
}

func TestUpgradeCopiesFirst(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "artifacts.db")
	s, _ := newStoreAt(t, path)
	put(t, s, "set", text("a", "before"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no luck")
	bucket := func(name string, err error) migration {
		return func(tx *bolt.Tx) error {
			_, made := tx.CreateBucket([]byte(name))
			return errors.Join(made, err)
		}
	}
	if _, err := open(path, quiet(), formatVersion+2, map[uint64]migration{formatVersion: bucket("two", nil), formatVersion + 1: bucket("three", broken)}); !errors.Is(err, broken) {
		t.Fatalf("a failing step: %v", err)
	}
	if _, err := open(path, quiet(), formatVersion+2, map[uint64]migration{formatVersion: bucket("two", nil)}); err == nil || !strings.Contains(err.Error(), fmt.Sprint("format ", formatVersion+1)) {
		t.Fatalf("a missing step: %v", err)
	}
	s, err := open(path, quiet(), formatVersion+2, map[uint64]migration{formatVersion: bucket("two", nil), formatVersion + 1: bucket("three", nil)})
	if err != nil {
		t.Fatal(err)
	}
	if got := content(t, s, "set", "a"); string(got) != "before" {
		t.Fatalf("a is %q", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	old, err := Open(fmt.Sprintf("%s.v%d.bak", path, formatVersion), quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if got := content(t, old, "set", "a"); string(got) != "before" {
		t.Fatalf("in the copy, a is %q", got)
	}
}

func TestForeignFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "foreign.db")
	db, err := bolt.Open(foreign, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("builds")); return err })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, noise(1, 100_000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{foreign, garbage, dir, filepath.Join(dir, "no", "such", "directory")} {
		if s, err := Open(path, quiet()); err == nil {
			s.Close()
			t.Errorf("%s was opened", path)
		}
	}
	if _, err := Open(filepath.Join(dir, "x.db"), Options{ChunkBytes: 5}); err == nil {
		t.Error("a chunk size of 5 was taken")
	}
}

// TestAStoreWithoutCachesIsUpgraded opens a file of the first format, which had none.
func TestAStoreWithoutCachesIsUpgraded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "artifacts.db")
	s, _ := newStoreAt(t, path)
	put(t, s, "set", text("a", "before"))
	err := s.lane.write(t.Context(), func(tx *bolt.Tx) error {
		return errors.Join(tx.DeleteBucket(cachesBucket), tx.DeleteBucket(cacheNamesBucket), tx.DeleteBucket(doomedCachesBucket),
			tx.Bucket(metaBucket).Put(versionKey, key(1)))
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path, quiet()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	putCache(t, s, CacheMeta{Scope: "api", Key: "k", Paths: "p"}, "after")
	if got := content(t, s, "set", "a"); string(got) != "before" {
		t.Errorf("a is %q", got)
	}
	clean(t, s)
}
