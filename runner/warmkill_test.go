//go:build linux

package runner_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/internal/githost"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/wire"
	"github.com/runner-ci/runner/source"
)

// What the process that is killed is told by its environment.
const (
	victimDir = "RUNNER_TEST_VICTIM_DIR"
	victimID  = "RUNNER_TEST_VICTIM_ID"
	victimURL = "RUNNER_TEST_VICTIM_URL"
)

// noted is a caller that keeps one thing, as a file: that the job may be out.
type noted struct {
	forgetful
	file string
}

func (n noted) Sent(context.Context) error { return os.WriteFile(n.file, nil, 0o600) }

// TestADaemonIsKilledWhileAWarmSandboxGetsItsJob kills it while it makes the sandbox ahead, and at any moment from the
// lease to the job's end. The next one has the job's output once, and nothing stays behind.
func TestADaemonIsKilledWhileAWarmSandboxGetsItsJob(t *testing.T) {
	if dir := os.Getenv(victimDir); dir != "" {
		victim(t, dir)
		return
	}
	enginetest.Busybox(t)
	root := t.TempDir()
	repo, err := githost.Create(t.Context(), root, "small")
	must(t, err)
	must(t, repo.Write("hello.txt", "from the source\n"))
	commit, err := repo.Commit(t.Context(), "all")
	must(t, err)
	handler, err := githost.Handler(root)
	must(t, err)
	server := httptest.NewServer(handler)
	defer server.Close()
	url, dir, instance := server.URL+"/small.git "+commit, t.TempDir(), fmt.Sprintf("kill-%x", rand.Uint64())
	kills := 4
	if os.Getenv("RUNNER_SLOW") == "1" {
		kills = 40
	}
	must(t, os.WriteFile(filepath.Join(dir, "instance"), []byte(instance), 0o600))
	for n := range kills {
		kill(t, dir, url, instance, n)
	}
}

// kill tells one life and death, and what the next daemon makes of it.
func kill(t *testing.T, dir, url, instance string, n int) {
	t.Helper()
	id := fmt.Sprintf("%s-%d", instance, n)
	cmd := exec.Command(os.Args[0], "-test.run=^TestADaemonIsKilledWhileAWarmSandboxGetsItsJob$")
	cmd.Env = append(os.Environ(), victimDir+"="+dir, victimID+"="+id, victimURL+"="+url)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n') // it is ready
	must(t, err)
	leased := n%4 > 0
	if leased {
		line, err = lines.ReadString('\n') // it has the sandbox
		must(t, err)
	}
	wait := time.Duration(rand.Int64N(int64(500 * time.Millisecond)))
	if leased {
		wait /= 10
	}
	time.Sleep(wait)
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()

	t.Run(fmt.Sprintf("%d after %s", n, wait), func(t *testing.T) {
		y := openYard(t, dir, instance, 2)
		defer y.Destroy(context.WithoutCancel(t.Context()), yardEngine, id)
		y.checkout(t, url)
		if !leased {
			must(t, y.Warm(t.Context(), yardEngine, runner.WarmSandbox{ID: id, Image: y.image}))
		}
		a := y.warmJob(id)
		_, err := os.Lstat(filepath.Join(dir, id+".sent"))
		// A caller may have committed with the lease that the job may be out.
		a.Sent = err == nil || leased && n%2 == 0
		res, err := y.Run(t.Context(), yardEngine, a, forgetful{})
		if err != nil || res.Status != wire.StatusSucceeded {
			t.Errorf("after %q, sent %v: %+v, %v", line, a.Sent, res, err)
		}
		stored := y.Artifacts.ReadLog(t.Context(), a.Log, 0, false)
		defer stored.Close()
		text, err := io.ReadAll(stored)
		must(t, err)
		if bytes.Count(text, []byte("\nfrom the source\nref: refs/heads/main\n")) != 1 {
			t.Errorf("the output is not there once:\n%s", text)
		}
		must(t, y.Destroy(t.Context(), yardEngine, id))
		left, err := y.Leftovers(t.Context())
		if err != nil || slices.Contains(left[yardEngine], id) || slices.Contains(left[""], id) {
			t.Errorf("left behind: %q, %v", left, err)
		}
	})
}

// victim makes a sandbox ahead and runs a job in it, and says so.
func victim(t *testing.T, dir string) {
	instance, err := os.ReadFile(filepath.Join(dir, "instance"))
	must(t, err)
	y := openYard(t, dir, string(instance), 1)
	y.checkout(t, os.Getenv(victimURL))
	fmt.Println("ready")
	id := os.Getenv(victimID)
	must(t, y.Warm(t.Context(), yardEngine, runner.WarmSandbox{ID: id, Image: y.image}))
	fmt.Println("leased")
	_, err = y.Run(t.Context(), yardEngine, y.warmJob(id), noted{file: filepath.Join(dir, id+".sent")})
	must(t, err)
	time.Sleep(time.Minute)
}

// checkout has the source there that is named by URL and commit.
func (y *yard) checkout(t *testing.T, url string) {
	t.Helper()
	_, err := fmt.Sscan(url, &y.source.Remote.URL, &y.source.Commit)
	must(t, err)
	y.source.Ref = "refs/heads/main"
	_, err = y.Source.Fetch(t.Context(), y.source.Remote, source.Want{})
	must(t, err)
}

func (y *yard) warmJob(id string) runner.Attempt {
	a := y.attemptOf(id)
	a.Warm = true
	a.Job.Phases[0].Commands = []string{"cat hello.txt .git/HEAD"}
	return a
}
