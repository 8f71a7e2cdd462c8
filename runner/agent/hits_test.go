//go:build linux

package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

func TestAFileThatIsTooLargeIsNamed(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	job := s.job("printf x >small", "dd if=/dev/zero of=large bs=1024 count=2048 2>/dev/null")
	job.Limits.FileBytes = 1 << 20
	res := s.run(job)
	if res.done.Status != wire.StatusFailed || res.done.Reason != wire.ReasonDisk || res.done.Exit != fileTooLarge || !strings.Contains(res.done.Message, "limits.disk") {
		t.Errorf("ended %+v", res.done)
	}
	if st, err := os.Stat(filepath.Join(s.src, "large")); err != nil || st.Size() > 1<<20 {
		t.Errorf("the file has %v (%v), want at most a MiB", st, err)
	}
}

func TestWhatTheKernelRefusedIsCountedInBothVersionsOfControlGroups(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"v1": {"pids/pids.events": "max 3\n", "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"},
		"v2": {"pids.events": "max 3\n", "memory.events": "low 0\nhigh 0\nmax 9\noom 4\noom_kill 2\noom_group_kill 0\n"},
	} {
		root := t.TempDir()
		for file, text := range files {
			path := filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if pids, oom := eventCount(root, hitFiles.pids, "max"), eventCount(root, hitFiles.oom, "oom_kill"); pids != 3 || oom != 2 {
			t.Errorf("%s: %d refused, %d killed, want 3 and 2", name, pids, oom)
		}
	}
	if n := eventCount(t.TempDir(), hitFiles.pids, "max"); n != 0 {
		t.Errorf("without control groups %d", n)
	}
}

func TestAnotherUsersShellIsLimitedByItsOwnHand(t *testing.T) {
	if got := limitFiles(-1, 1<<20); got != "ulimit -f 2048 2>/dev/null || :\n" {
		t.Errorf("the shell is told %q", got)
	}
	if got := limitFiles(os.Getpid(), 0); got != "" {
		t.Errorf("without a limit the shell is told %q", got)
	}
}
