// Package enginetest gives tests a real Docker engine and a small image. Without an engine a test is skipped, except
// where CI=true says that one must be there.
package enginetest

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// BusyboxRef is the image that Busybox makes.
const BusyboxRef = "runner-test/busybox:latest"

// answerTimeout bounds the wait for an engine that may not be there.
const answerTimeout = 10 * time.Second

// Engine returns a client of the engine that the environment names. It skips the test when none answers, and fails
// it when CI=true.
func Engine(t testing.TB) *client.Client {
	t.Helper()
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err == nil {
		ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
		defer cancel()
		_, err = api.Ping(ctx)
	}
	if err != nil {
		missing(t, "no Docker engine answers: %v; start one (scripts/engine), or set DOCKER_HOST", err)
	}
	t.Cleanup(func() { _ = api.Close() })
	return api
}

// missing skips, or fails where everything must be there.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// making lets one test of a process make the image while others wait.
var making sync.Mutex

// Busybox returns the reference of an image that holds a static busybox with all its applets and nothing else. It
// makes the image from the machine's own busybox when the engine does not have it.
func Busybox(t testing.TB) string {
	t.Helper()
	api := Engine(t)
	making.Lock()
	defer making.Unlock()
	if _, err := api.ImageInspect(t.Context(), BusyboxRef); err == nil {
		return BusyboxRef
	}
	root, err := busyboxRoot(t.Context())
	if err != nil {
		missing(t, "making %s: %v; install Debian's busybox-static", BusyboxRef, err)
	}
	out, err := api.ImageImport(t.Context(), image.ImportSource{Source: root, SourceName: "-"}, BusyboxRef,
		image.ImportOptions{Changes: []string{"ENV PATH=/bin", `CMD ["/bin/sh"]`}})
	if err != nil {
		t.Fatalf("importing %s: %v", BusyboxRef, err)
	}
	defer out.Close()
	if said, err := io.ReadAll(out); err != nil || bytes.Contains(said, []byte(`"error"`)) {
		t.Fatalf("importing %s: %s %v", BusyboxRef, said, err)
	}
	return BusyboxRef
}

// busyboxRoot is a tar of a root file system.
func busyboxRoot(ctx context.Context) (io.Reader, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return nil, err
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list, err := exec.CommandContext(ctx, path, "--list").Output()
	if err != nil {
		return nil, fmt.Errorf("listing busybox's applets: %w", err)
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	add := func(h *tar.Header, content string) {
		h.Size = int64(len(content))
		if err == nil {
			err = w.WriteHeader(h)
		}
		if err == nil {
			_, err = io.WriteString(w, content)
		}
	}
	for _, dir := range []string{"bin/", "dev/", "etc/", "proc/", "root/", "sys/"} {
		add(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}, "")
	}
	add(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, "")
	add(&tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox", Mode: 0o755}, string(binary))
	for applet := range strings.FieldsSeq(string(list)) {
		if applet != "busybox" {
			add(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + applet, Linkname: "busybox", Mode: 0o777}, "")
		}
	}
	add(&tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644}, "root:x:0:0:root:/root:/bin/sh\n")
	add(&tar.Header{Typeflag: tar.TypeReg, Name: "etc/group", Mode: 0o644}, "root:x:0:\n")
	if err == nil {
		err = w.Close()
	}
	return &buf, err
}
