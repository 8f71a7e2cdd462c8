//go:build linux

package runner_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
)

// TestADaemonIsKilledWhileACacheIsMountedOrTaken kills it at any moment of a job that works on what the job before left.
// Each next daemon ends the job, whose cache is as if nothing had been.
func TestADaemonIsKilledWhileACacheIsMountedOrTaken(t *testing.T) {
	if dir := os.Getenv(victimDir); dir != "" {
		y := openYard(t, dir, filepath.Base(dir), 1)
		fmt.Println("ready")
		_, err := y.Run(t.Context(), yardEngine, y.counting(os.Getenv(victimID)), noted{file: filepath.Join(dir, os.Getenv(victimID)+".sent")})
		must(t, err)
		time.Sleep(time.Minute)
		return
	}
	enginetest.Busybox(t)
	if os.Geteuid() != 0 {
		t.Skip("only root mounts workspaces")
	}
	dir := filepath.Join(t.TempDir(), fmt.Sprintf("kill-%x", rand.Uint64()))
	must(t, os.Mkdir(dir, 0o711))
	kills := 3
	if os.Getenv("RUNNER_SLOW") == "1" {
		kills = 40
	}
	for n := range kills {
		killCounting(t, dir, n)
	}
}

// counting is a job that finds in each directory of its cache how many came before, and counts on.
func (y *yard) counting(id string) runner.Attempt {
	a := y.attemptOf(id)
	a.Job.Cache = &wire.CacheSpec{Paths: []string{"vendor/**/*", "/root/.npm/**/*"}, Restore: true, Save: true}
	a.Cache = runner.CacheScope{Read: []string{"api/protected"}, Write: "api/protected"}
	a.Job.Phases[0].Commands = []string{
		"mkdir -p vendor; echo found $(cat vendor/n) $(cat ~/.npm/n) times.",
		"echo x >>vendor/n; echo x >>~/.npm/n",
	}
	return a
}

func killCounting(t *testing.T, dir string, n int) {
	t.Helper()
	id := fmt.Sprintf("%s-%d", filepath.Base(dir), n)
	cmd := exec.Command(os.Args[0], "-test.run=^TestADaemonIsKilledWhileACacheIsMountedOrTaken$")
	cmd.Env = append(os.Environ(), victimDir+"="+dir, victimID+"="+id)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	must(t, err)
	began, sent := time.Now(), filepath.Join(dir, id+".sent")
	for _, err := os.Lstat(sent); err != nil && time.Since(began) < 30*time.Second; _, err = os.Lstat(sent) {
		time.Sleep(time.Millisecond)
	}
	wait := time.Duration(rand.Int64N(int64(400 * time.Millisecond)))
	time.Sleep(wait)
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()

	t.Run(fmt.Sprintf("%d after %s", n, wait), func(t *testing.T) {
		y := openYard(t, dir, filepath.Base(dir), 2)
		a := y.counting(id)
		a.Sent = true
		res, err := y.Run(t.Context(), yardEngine, a, forgetful{})
		text, rerr := io.ReadAll(y.Artifacts.ReadLog(t.Context(), a.Log, 0, false))
		if err != nil || rerr != nil || res.Status != wire.StatusSucceeded {
			t.Fatalf("%+v, %v, %v\n%s", res, err, rerr, text)
		}
		want := "found" + strings.Repeat(strings.Repeat(" x", n), 2) + " times.\n"
		if strings.Count(string(text), want) != 1 {
			t.Errorf("want %q once:\n%s", want, text)
		}
		must(t, y.Destroy(t.Context(), yardEngine, id))
		y.check(t)
		entries, err := os.ReadDir(filepath.Join(dir, "caches"))
		must(t, err)
		all, _, err := y.Artifacts.Caches("", 0)
		if err != nil || len(all) != 1 || all[0].Layers > len(entries) {
			t.Errorf("%d layers lie there for %+v, %v", len(entries), all, err)
		}
	})
}
