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

func TestAnotherUsersShellIsLimitedByItsOwnHand(t *testing.T) {
	if got := limitFiles(-1, 1<<20); got != "ulimit -f 2048 2>/dev/null || :\n" {
		t.Errorf("the shell is told %q", got)
	}
	if got := limitFiles(os.Getpid(), 0); got != "" {
		t.Errorf("without a limit the shell is told %q", got)
	}
}
