package runner

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func write(t *testing.T, path string, bytes int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, make([]byte, bytes), 0o644); err != nil {
		t.Fatal(err)
	}
}

func measured(t *testing.T, l Limits, dirs ...WrittenDir) diskUse {
	t.Helper()
	use, err := measure(t.Context(), dirs, l)
	if err != nil {
		t.Fatal(err)
	}
	return use
}

func TestDiskIsMeasuredInBlocksAndEachFileOnce(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "big/deep/er/a"), 1<<20)
	write(t, filepath.Join(dir, "small/b"), 64<<10)
	for i := range 7 { // seven more names of one file
		if err := os.Link(filepath.Join(dir, "big/deep/er/a"), filepath.Join(dir, fmt.Sprint("big/link", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(filepath.Join(dir, "small/b"), 1<<40); err != nil { // a terabyte, all of it a hole
		t.Fatal(err)
	}
	if err := os.Symlink("/", filepath.Join(dir, "small/away")); err != nil {
		t.Fatal(err)
	}
	use := measured(t, Limits{}, WrittenDir{dir, "/src"}, WrittenDir{filepath.Join(dir, "missing"), "/none"})
	if use.Bytes < 1<<20+64<<10 || use.Bytes > 1<<20+256<<10 {
		t.Errorf("it takes %d bytes, want a little more than %d", use.Bytes, 1<<20+64<<10)
	}
	if want := int64(5 + 7 + 2); use.Files != want { // big, deep, er, small, a; its links; b, away
		t.Errorf("%d files, want %d", use.Files, want)
	}
	if top := use.largest(2, func(s share) int64 { return s.bytes }); len(top) != 2 || top[0] != "/src/big/deep" && top[0] != "/src/big" {
		t.Errorf("the largest are %v", top)
	}
}

func TestMeasuringEndsBeyondTheLimits(t *testing.T) {
	dir := t.TempDir()
	for i := range 300 {
		write(t, filepath.Join(dir, fmt.Sprint("f", i)), 4096)
	}
	if use := measured(t, Limits{Files: 100}, WrittenDir{dir, "/"}); use.Files != 101 {
		t.Errorf("it counted %d files, want to end with the first beyond 100", use.Files)
	}
	if use := measured(t, Limits{DiskBytes: 40 << 10}, WrittenDir{dir, "/"}); use.Bytes > 48<<10 {
		t.Errorf("it counted %d bytes, want to end soon after %d", use.Bytes, 40<<10)
	}
}

// TestDeepTreesAreMeasured makes more levels than are held open, with paths that no program could name.
func TestDeepTreesAreMeasured(t *testing.T) {
	dir := t.TempDir()
	const levels = 3000
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range levels {
		if err := unix.Mkdirat(fd, "a", 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(fd, "a", unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fd)
		fd = next
	}
	file, err := unix.Openat(fd, "hidden", unix.O_CREAT|unix.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Write(file, make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	unix.Close(file)
	unix.Close(fd)
	use, err := measure(t.Context(), []WrittenDir{{dir, "/"}}, Limits{})
	if os.Geteuid() != 0 && err != nil {
		t.Skipf("only root opens directories by their handles: %v", err)
	}
	if err != nil || use.Files != levels+1 || use.Bytes < 1<<20 {
		t.Errorf("%d files with %d bytes (%v), want %d with a megabyte", use.Files, use.Bytes, err, levels+1)
	}
	if err := RemoveTree(dir); err != nil {
		t.Error(err)
	}
}

// TestWhatIsPutOffIsBoundedAndMayChangeMeanwhile has a directory become a file, and a link, before it is its turn, and more
// of them lie deep than are remembered.
func TestWhatIsPutOffIsBoundedAndMayChangeMeanwhile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root opens directories by their handles")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), 4096)
	if err := os.Symlink("/", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	root, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	m := measurer{ctx: t.Context(), root: root}
	for _, name := range []string{"file", "link", "gone"} {
		if err := m.putOff(root, name, "/"); err != nil {
			t.Fatalf("%s is put off: %v", name, err)
		}
	}
	if len(m.put) != 2 {
		t.Fatalf("%d are put off, want two", len(m.put))
	}
	for _, p := range m.put {
		if err := m.deep(p); err != nil || m.use.Files != 0 {
			t.Errorf("what is no directory any more: %v, %d files", err, m.use.Files)
		}
	}
	m.put = make([]putOff, maxPutOff)
	if err := m.putOff(root, "file", "/"); !errors.Is(err, errEnough) || !m.use.over(Limits{}) || !strings.Contains(tooMuchDisk(m.use, Limits{}), "far below") {
		t.Errorf("one more than is remembered: %v, %+v", err, m.use)
	}
}

// TestFilesWithoutANameAreMeasured has a process, in a namespace of processes as a container has one, keep files that it has
// removed: one by a descriptor, one by a mapping, one by the descriptor of a thread that shares none with its process.
func TestFilesWithoutANameAreMeasured(t *testing.T) {
	const hold = `
import ctypes, os, sys, threading, time
libc = ctypes.CDLL(None)
libc.mmap.restype, libc.mmap.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t] + 3 * [ctypes.c_int] + [ctypes.c_long]
def removed():
    f = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
    os.unlink(sys.argv[1])
    os.write(f, bytes(1 << 20))
    return f
ready = threading.Event()
def apart():
    if libc.unshare(0x400) != 0: # CLONE_FILES
        os._exit(1)
    removed()
    ready.set()
    time.sleep(60)
threading.Thread(target=apart, daemon=True).start()
ready.wait()
mapped = removed()
libc.mmap(None, 1 << 20, 1, 1, mapped, 0)
os.close(mapped)
both = removed()
libc.mmap(None, 1 << 20, 1, 1, both, 0)
os.dup(both)
print("ready", flush=True)
time.sleep(60)
`
	file := filepath.Join(t.TempDir(), "f")
	cmd := exec.Command("unshare", "--pid", "--fork", "--kill-child", "python3", "-c", hold, file)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Skipf("no namespace of processes can be made here: %v", err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if n, err := out.Read(make([]byte, 16)); err != nil {
		t.Skipf("no namespace of processes can be made here, or there is no python3: %d, %v", n, err)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var first int
	if _, err := fmt.Sscan(string(children), &first); err != nil {
		t.Fatal(err)
	}
	var use diskUse
	use.measureUnlinked([]int{first})
	if use.Files != 3 || use.Bytes < 3<<20 || use.Bytes > 4<<20 {
		t.Errorf("%d files with %d bytes, want three with 3 MiB", use.Files, use.Bytes)
	}
	var own diskUse
	if own.measureUnlinked([]int{os.Getpid()}); own.Files != 0 {
		t.Errorf("in the daemon's own namespace %d files were counted, want none: they are not a job's", own.Files)
	}
}

func TestTooMuchDiskIsSaidWithWhatWasMeasured(t *testing.T) {
	use := diskUse{Bytes: 130 << 20, Files: 10, top: map[string]share{"/src/a\x1b[2J": {100 << 20, 1}, "/": {30 << 20, 9}}}
	got := tooMuchDisk(use, Limits{DiskBytes: 100 << 20})
	for _, want := range []string{"130 MiB", "30 MiB more than limits.disk of 100 MiB", `100 MiB in "/src/a\x1b[2J"`, "30 MiB in /"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
	use.Bytes, use.Files = 0, 2001
	if got := tooMuchDisk(use, Limits{DiskBytes: 1 << 30, Files: 1000}); !strings.Contains(got, "at least 2001 files when it was stopped, 1001 more than limits.files of 1000; most of what was counted: 9 in /, 1 in ") {
		t.Errorf("%q", got)
	}
}
