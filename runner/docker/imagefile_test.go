package docker

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/runner"
)

// TestImageFile looks into an image twice, and leaves nothing behind.
func TestImageFile(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	img, err := e.Resolve(t.Context(), runner.ImageRequest{Ref: enginetest.Busybox(t)})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		data, err := e.ImageFile(t.Context(), img, "/bin/busybox", 64<<20)
		if err != nil || !strings.HasPrefix(string(data), "\x7fELF") {
			t.Fatalf("busybox has %d bytes (%v), want a program", len(data), err)
		}
		if _, err := e.ImageFile(t.Context(), img, "/codebuild/image/config/runtimes.yml", 1<<10); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a file that is not there: %v, want fs.ErrNotExist", err)
		}
	}
	if _, err := e.ImageFile(t.Context(), img, "/bin", 1<<10); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("a directory: %v, want an error that says so", err)
	}
	if left, err := e.List(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}
