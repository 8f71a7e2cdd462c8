package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func ageBy(t testing.TB, path string, by time.Duration) {
	t.Helper()
	old := time.Now().Add(-by)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
}

// incompressible is n bytes that no delta and no deflate makes small.
func incompressible(n int) string {
	rng := rand.NewChaCha8([32]byte{1})
	b := make([]byte, n)
	_, _ = rng.Read(b)
	return string(b)
}

// TestAKilledWorkerLeavesAGoodMirror kills the child with SIGKILL at many moments of a fetch.
func TestAKilledWorkerLeavesAGoodMirror(t *testing.T) {
	r, _, remote := served(t)
	s := open(t)
	if _, err := s.Fetch(t.Context(), remote, Want{}); err != nil {
		t.Fatal(err)
	}
	killed := 0
	for i := range 8 {
		r.write("big.bin", incompressible(3 << 20)[i:])
		r.write("text", strings.Repeat("line\n", i))
		r.commit("more")
		l, _ := locate(remote.URL)
		body, err := json.Marshal(&request{Op: "fetch", Dir: s.opts.Dir, URL: l.String(), Remote: &remote, Want: Want{Ref: "refs/heads/main"}})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(s.opts.Worker[0], s.opts.Worker[1:]...)
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_, _ = stdin.Write(body)
		time.Sleep(time.Duration(20+i*30) * time.Millisecond)
		_ = cmd.Process.Kill()
		if err := cmd.Wait(); err != nil {
			killed++
		}
		m, _ := mirrorOf(s.opts.Dir, remote.URL)
		gitIn(t, m.dir, 0, "", "fsck", "--full", "--no-dangling")
	}
	if killed == 0 {
		t.Log("every fetch ended before it could be killed")
	}
	got, err := s.Fetch(t.Context(), remote, Want{})
	if err != nil || got.Commit != r.git("rev-parse", "HEAD") {
		t.Errorf("%+v, %v", got, err)
	}
	fsck(t, s, remote.URL)
	m, _ := mirrorOf(s.opts.Dir, remote.URL)
	if left, _ := os.ReadDir(m.staging()); len(left) != 0 {
		t.Errorf("left in staging: %v", left)
	}
}

// TestTheWorkerEndsWithItsParent closes the pipe by which the child knows that somebody waits.
func TestTheWorkerEndsWithItsParent(t *testing.T) {
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer hang.Close()
	s := open(t)
	remote := Remote{URL: hang.URL + "/x.git"}
	body, err := json.Marshal(&request{Op: "fetch", Dir: s.opts.Dir, URL: remote.URL, Remote: &remote})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(s.opts.Worker[0], s.opts.Worker[1:]...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = stdin.Write(body)
	stdin.Close()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err == nil {
			t.Error("it ended as if all were well")
		}
	case <-time.After(wait):
		_ = cmd.Process.Kill()
		t.Error("it did not end")
	}
}

func TestTimeoutAndCancel(t *testing.T) {
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer hang.Close()
	remote := Remote{URL: hang.URL + "/x.git"}
	s := open(t, func(o *Options) { o.Timeout = 300 * time.Millisecond })
	if _, err := s.Fetch(t.Context(), remote, Want{}); kindOf(t, err) != KindTimeout {
		t.Errorf("got %v", err)
	}
	s = open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := s.Fetch(ctx, remote, Want{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestTheMemoryLimitIsASentence(t *testing.T) {
	r, _, remote := served(t)
	// A delta needs its base, itself and its result in memory.
	big := strings.Repeat("\x00", 40<<20)
	r.write("big.bin", big)
	r.commit("big")
	r.write("big.bin", "x"+big)
	r.commit("a little bigger")
	r.git("-c", "core.bigFileThreshold=1g", "-c", "pack.threads=1", "repack", "-a", "-d", "-q", "-f", "--window=2")
	s := open(t, func(o *Options) { o.MemoryBytes = minimumMemory })
	_, err := s.Fetch(t.Context(), remote, Want{})
	if kindOf(t, err) != KindMemory || !strings.Contains(err.Error(), "128 MiB") || !strings.Contains(err.Error(), "source.memory") {
		t.Fatalf("got %v", err)
	}
	// With enough, the same store does it.
	s.opts.MemoryBytes = 1 << 30
	snapshot(t, s, remote, SnapshotOptions{})
}

// hog is a child that wants ever more, slowly or at once.
func hog(step int) {
	req := &request{Op: "fetch", URL: "https://example.com/x", Memory: minimumMemory}
	if err := limitMemory(req, &answer{w: os.Stdout}); err != nil {
		panic(err)
	}
	var held [][]byte
	for len(held) < 1<<30 {
		b := make([]byte, step)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		held = append(held, b)
	}
	runtime.KeepAlive(held)
}

func TestAChildThatWantsTooMuchIsStopped(t *testing.T) {
	for _, step := range []string{"100000", "1000000000"} {
		s := open(t)
		s.opts.Worker = append(s.opts.Worker[:1:1], "source-hog", step)
		s.opts.MemoryBytes = minimumMemory
		_, err := s.Fetch(t.Context(), Remote{URL: "https://example.com/x"}, Want{})
		if kindOf(t, err) != KindMemory || !strings.Contains(err.Error(), "128 MiB") {
			t.Errorf("in steps of %s: %v", step, err)
		}
	}
}

func TestAFullDiskIsSaid(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a small file system cannot be mounted: %s", out)
	}
	defer func() { _ = exec.Command("umount", "-l", dir).Run() }()
	r, _, remote := served(t)
	r.write("big.bin", incompressible(4<<20))
	r.commit("big")
	s := open(t, func(o *Options) { o.Dir = dir })
	if _, err := s.Fetch(t.Context(), remote, Want{}); !errors.Is(err, syscall.ENOSPC) || kindOf(t, err) != KindInternal {
		t.Errorf("got %v", err)
	}
}

func TestTheWorkerAnswersNonsense(t *testing.T) {
	var out, errs bytes.Buffer
	if code := WorkerMain(strings.NewReader("nonsense"), &out, &errs); code != 2 || !strings.Contains(errs.String(), "hint:") {
		t.Errorf("status %d, %q", code, errs.String())
	}
	s := open(t, func(o *Options) { o.Worker = []string{"/nonexistent/worker"} })
	if _, err := s.Fetch(t.Context(), Remote{URL: "https://example.com/x"}, Want{}); kindOf(t, err) != KindInternal {
		t.Errorf("got %v", err)
	}
	s = open(t, func(o *Options) { o.Worker = []string{"false"} })
	if _, err := s.Fetch(t.Context(), Remote{URL: "https://example.com/x"}, Want{}); kindOf(t, err) != KindInternal {
		t.Errorf("got %v", err)
	}
}

// TestAFileThatIsNotThereNeedsNoChild reads through a store whose child cannot be started any more: that a commit has no such
// file is known from its trees, and most commits lack some file that every build asks for.
func TestAFileThatIsNotThereNeedsNoChild(t *testing.T) {
	r, _, remote := served(t)
	r.write("dir/there.txt", "yes")
	commit := r.commit("one")
	s := open(t)
	if _, err := s.Fetch(t.Context(), remote, Want{}); err != nil {
		t.Fatal(err)
	}
	s.opts.Worker = []string{"/nonexistent/worker"}
	for _, name := range []string{"none.txt", "dir/thare.txt", "dir/there.txt/more"} {
		_, err := s.ReadFile(t.Context(), remote.URL, commit, name, 1<<20)
		if !errors.Is(err, fs.ErrNotExist) || kindOf(t, err) != KindUnknownRef || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if got, err := s.ReadFile(t.Context(), remote.URL, commit, "dir/there.txt", 1<<20); err != nil || string(got) != "yes" {
		t.Errorf("got %q, %v", got, err)
	}
}
