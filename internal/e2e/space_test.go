//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/runner-ci/runner/client"
)

// TestJobsWaitForSpace fills a disk beyond its floor, and frees it. What is pushed meanwhile is taken, waits, also across a
// kill -9, says what for, and goes on by itself.
func TestJobsWaitForSpace(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": spec("echo fine")})
	d := newDaemonOnDisk(t, "400m", "space: {floor: 100MiB}\n", project("api", url))
	d.ended(d.push(url, commit), "SUCCEEDED")

	ballast := filepath.Join(d.dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(d.dir, &st); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(st.Bavail)*int64(st.Bsize)-80<<20); err != nil {
		t.Fatal(err)
	}
	f.Close()
	d.awaitWarning("waiting for space")
	tr, err := d.Start(t.Context(), client.Start{Project: "api"})
	if err != nil {
		t.Fatalf("a trigger was refused while there is room for it: %v", err)
	}
	if tr, err = d.WaitTrigger(t.Context(), tr.ID); err != nil || len(tr.Builds) != 1 {
		t.Fatalf("it is %s with builds %v (%v), want one", tr.Outcome, tr.Builds, err)
	}
	id := tr.Builds[0]
	d.awaitWhy(id)
	d.kill()
	d.start()
	d.awaitWarning("waiting for space")
	b := d.awaitWhy(id)
	if n := len(d.containers("-a")); n > 0 || !b.Jobs[0].Started.IsZero() {
		t.Errorf("%d containers, started at %v: the job was to wait", n, b.Jobs[0].Started)
	}
	if out, _, _ := d.runCLI(t.TempDir(), "show", id); !strings.Contains(out, "floor 100.0 MiB on "+d.data()) {
		t.Errorf("runner show says\n%s", out)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	d.ended(id, "SUCCEEDED")
}

func (d *daemon) awaitWarning(text string) {
	d.t.Helper()
	for range 300 {
		info, err := d.Daemon(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		if strings.Contains(strings.Join(info.Warnings, "\n"), text) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	d.t.Fatalf("the daemon does not warn %q", text)
}

// awaitWhy waits until the first job of a build is said to wait for space.
func (d *daemon) awaitWhy(id string) (b client.Build) {
	d.t.Helper()
	for range 600 {
		var err error
		if b, err = d.Build(d.t.Context(), id); err != nil {
			d.t.Fatal(err)
		}
		if len(b.Jobs) > 0 && b.Jobs[0].State == "queued" && strings.HasPrefix(b.Jobs[0].Why, "waiting for space: ") {
			return b
		}
		time.Sleep(50 * time.Millisecond)
	}
	d.t.Fatalf("%s is %s in %s with jobs %+v, want one that waits for space", id, b.Status, b.Phase, b.Jobs)
	return b
}
