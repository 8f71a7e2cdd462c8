package runner

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
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
