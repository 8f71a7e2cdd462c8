package docker

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/runner"
)

func TestFilesOfAnImageAreReadWithoutASandbox(t *testing.T) {
	e := newEngine(t)
	image, err := e.Resolve(t.Context(), runner.ImageRequest{Ref: enginetest.Busybox(t), Pull: "never"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := e.ReadImage(t.Context(), image, "/bin/busybox", 4)
	if err != nil || string(text) != "\x7fELF" {
		t.Errorf("read %q, %v", text, err)
	}
	for _, name := range []string{"/codebuild/image/config/runtimes.yml", "/bin"} {
		if text, err := e.ReadImage(t.Context(), image, name, 100); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: read %q, %v", name, text, err)
		}
	}
	if _, err := e.ReadImage(t.Context(), runner.Image{Ref: "gone", ID: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}, "/bin", 1); err == nil {
		t.Error("an image that is not there has files")
	}
}
