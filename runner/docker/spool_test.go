package docker

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/runner-ci/runner/runner"
)

func TestSpoolIsRead(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *Engine) {
		spec := newSpec(t, e, nil)
		b := start(t, e, spec)
		b.want("cd /codebuild/spool && echo one >frames && dd if=/dev/zero of=artifacts.tar bs=1M count=3 2>/dev/null", "")
		wantFile(t, e, spec.ID, "frames", []byte("one\n"))
		b.want("echo two >>/codebuild/spool/frames", "")
		wantFile(t, e, spec.ID, "frames", []byte("one\ntwo\n"))
		wantFile(t, e, spec.ID, "artifacts.tar", make([]byte, 3<<20))
		if _, err := e.Open(t.Context(), spec.ID, "missing"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a file that is missing: %v", err)
		}
		b.say("exit 0")
		b.ended()
		wantFile(t, e, spec.ID, "frames", []byte("one\ntwo\n"))
		e.opts.SpoolBytes = 5
		if _, err := e.Open(t.Context(), spec.ID, "frames"); err == nil || !strings.Contains(err.Error(), "at most 5") {
			t.Errorf("a file that is too large: %v", err)
		}
	})
}

func wantFile(t *testing.T, e *Engine, id, name string, want []byte) {
	t.Helper()
	f, err := e.Open(t.Context(), id, name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s holds %d bytes, %v; want %d", name, len(got), err, len(want))
	}
}

func TestHostileSpool(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *Engine) {
		spec := newSpec(t, e, nil)
		b := start(t, e, spec)
		b.want("cd /codebuild/spool; echo x >frames; ln -s /etc/shadow link; ln -s frames inner; ln -s / up; ln -s loop loop; "+
			"mkfifo fifo; mkdir dir; echo x >dir/file", "")
		putDevices(t, e, spec.ID)
		for _, name := range []string{"link", "inner", "up", "loop", "fifo", "dir", "null", "disk"} {
			wantRefused(t, e, spec.ID, name)
		}
		for _, name := range []string{"", ".", "..", "dir/file", "up/etc/passwd", "../upper", "/etc/passwd", "frames\x00", `dir\file`} {
			wantRefused(t, e, spec.ID, name)
		}
		wantFile(t, e, spec.ID, "frames", []byte("x\n"))
		b.want("cd /codebuild/spool; rm frames; ln -s /proc/1/environ frames", "")
		wantRefused(t, e, spec.ID, "frames")
	})
}

// putDevices puts device nodes into a spool, as a job could that has the capability to make them.
func putDevices(t *testing.T, e *Engine, id string) {
	t.Helper()
	if e.opts.Workspace != workspaceCopy {
		for name, mode := range map[string]uint32{"null": syscall.S_IFCHR, "disk": syscall.S_IFBLK} {
			if err := syscall.Mknod(filepath.Join(e.SandboxDir(id), "spool", name), mode|0o600, 1<<8|3); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	var pack bytes.Buffer
	w := tar.NewWriter(&pack)
	err := errors.Join(
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeChar, Name: spoolDir[1:] + "/null", Mode: 0o600, Devmajor: 1, Devminor: 3}),
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeBlock, Name: spoolDir[1:] + "/disk", Mode: 0o600, Devmajor: 254}),
		w.Close(),
	)
	if err == nil {
		err = e.api.CopyToContainer(t.Context(), containerName(id), "/", &pack, container.CopyToContainerOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func wantRefused(t *testing.T, e *Engine, id, name string) {
	t.Helper()
	f, err := e.Open(t.Context(), id, name)
	if err == nil {
		head, _ := io.ReadAll(io.LimitReader(f, 40))
		f.Close()
		t.Errorf("%q was opened, it holds %q", name, head)
		return
	}
	var gone *runner.UnavailableError
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &gone) {
		t.Errorf("%q: %v, want a refusal", name, err)
	}
}

// TestHardLinkInSpool tells of a second name for a spool file. On our own disk it is refused: only the agent writes
// there, under one name each.
func TestHardLinkInSpool(t *testing.T) {
	t.Parallel()
	e := newEngine(t, overlayMode)
	spec := newSpec(t, e, nil)
	b := start(t, e, spec)
	b.want("cd /codebuild/spool; echo x >frames; ln frames second", "")
	wantRefused(t, e, spec.ID, "frames")
	b.refused("ln /bin/busybox /codebuild/spool/shell")
}

// TestOpenBeneath tries on the host what cannot be made in a container.
func TestOpenBeneath(t *testing.T) {
	dir := t.TempDir()
	spool := filepath.Join(dir, "spool")
	write(t, dir, map[string]string{"secret": "secret", "spool/frames": "x", "spool/link@": "../secret"})
	l, err := net.Listen("unix", filepath.Join(spool, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if f, err := openBeneath(spool, "frames"); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
	for name, want := range map[string]error{"link": syscall.ELOOP, "socket": syscall.ENXIO, "none": fs.ErrNotExist} {
		if f, err := openBeneath(spool, name); !errors.Is(err, want) {
			t.Errorf("%s: %v, %v; want %v", name, f, err, want)
		}
	}
	if err := os.Symlink(spool, filepath.Join(dir, "alias")); err != nil {
		t.Fatal(err)
	}
	if f, err := openBeneath(filepath.Join(dir, "alias"), "frames"); err == nil {
		f.Close()
		t.Error("a spool that is itself a link was opened")
	}
}

// TestSpoolOutlivesTheContainer tells of a container that somebody removed: the record on our disk is still there.
func TestSpoolOutlivesTheContainer(t *testing.T) {
	t.Parallel()
	e := newEngine(t, overlayMode)
	spec := newSpec(t, e, nil)
	b := start(t, e, spec)
	b.want("echo result >/codebuild/spool/frames", "")
	e.discard(t.Context(), containerName(spec.ID))
	if _, err := e.Inspect(t.Context(), spec.ID); !errors.Is(err, runner.ErrNoSandbox) {
		t.Error(err)
	}
	wantFile(t, e, spec.ID, "frames", []byte("result\n"))
	if ids, err := e.List(t.Context()); err != nil || len(ids) != 1 {
		t.Errorf("the sandbox that still has a volume is not listed: %q, %v", ids, err)
	}
}
