package runner

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

// TestPutOnAFullDisk needs root, to have a disk that is small enough.
func TestPutOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := mountSmall(dir, 64<<10); err != nil {
		t.Skipf("no small disk: %v", err)
	}
	t.Cleanup(func() { _ = unmount(dir) })
	if err := PutBeneath(t.Context(), dir, "small", strings.NewReader("fits"), 4); err != nil {
		t.Fatal(err)
	}
	err := PutBeneath(t.Context(), dir, "large", strings.NewReader(strings.Repeat("x", 1<<20)), 1<<20)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "is full") {
		t.Errorf("a full disk: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != "small" {
		t.Errorf("left: %v, %v", entries, err)
	}
}

func TestPutReplacesNoDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "answer"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := PutBeneath(t.Context(), dir, "answer", strings.NewReader("x"), 1); err == nil {
		t.Error("it went into the place of a directory")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// TestPutTakesThePlaceOfAHalf begins where a daemon that was killed in the middle left off.
func TestPutTakesThePlaceOfAHalf(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, []byte("not ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, leave := range []func(part string) error{
		func(part string) error {
			return os.WriteFile(part, []byte("a half that is longer than the whole"), 0o600)
		},
		func(part string) error { return os.Symlink(outside, part) },
		func(part string) error { return os.MkdirAll(filepath.Join(part, "deep"), 0o755) },
	} {
		if err := leave(filepath.Join(dir, wire.PartOf("answer"))); err != nil {
			t.Fatal(err)
		}
		if err := PutBeneath(t.Context(), dir, "answer", strings.NewReader("whole"), 5); err != nil {
			t.Fatal(err)
		}
		entries, _ := os.ReadDir(dir)
		text, err := os.ReadFile(filepath.Join(dir, "answer"))
		if err != nil || string(text) != "whole" || len(entries) != 1 {
			t.Errorf("the file holds %q (%v), and the directory %v", text, err, entries)
		}
	}
	if text, _ := os.ReadFile(outside); string(text) != "not ours" {
		t.Errorf("what a link led to holds %q", text)
	}
}
