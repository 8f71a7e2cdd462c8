package source

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestAClockThatJumpsTakesNoWorkAway: what is in hand stays, in this process and in another, and what a dead one left goes.
func TestAClockThatJumpsTakesNoWorkAway(t *testing.T) {
	t.Parallel()
	s, err := Open(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := beginDir(s.tmp(), "snapshot-*")
	if err != nil {
		t.Fatal(err)
	}
	file, err := beginFile(s.tmp(), "received-*")
	if err != nil {
		t.Fatal(err)
	}
	left, fresh := filepath.Join(s.tmp(), "spare-left"), filepath.Join(s.tmp(), "spare-fresh")
	for _, path := range []string{left, fresh} {
		if err := os.MkdirAll(filepath.Join(path, "tree"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-36 * time.Hour) // as the clock has it after a jump
	for _, path := range []string{dir.path, file.path, left} {
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := s.sweep(); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]bool{dir.path: true, file.path: true, fresh: true, left: false} {
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %t", filepath.Base(path), err, want)
		}
	}
	dir.end()
	file.end()
	for _, h := range []*inHand{dir, file} {
		if _, err := os.Lstat(h.path); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", h.path, err)
		}
	}
}
