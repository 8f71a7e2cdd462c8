package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/scheduler"
)

// counting prints numbered lines slowly enough for a daemon to die among them, and fails with a status of its own
// when told to.
func counting(lines, status int) map[string]string {
	return map[string]string{"buildspec.yml": spec(
		fmt.Sprintf("i=0; while [ $i -lt %d ]; do i=$((i+1)); echo line-$i-end; sleep 0.02; done", lines),
		fmt.Sprintf("echo last words; exit %d", status),
	)}
}

// assertWhole checks that a log holds each numbered line once and in order.
func assertWhole(t *testing.T, log string, lines int) {
	t.Helper()
	next := 1
	for line := range strings.Lines(log) {
		var n int
		if _, err := fmt.Sscanf(line, "line-%d-end\n", &n); err != nil {
			continue
		}
		if n != next {
			t.Fatalf("after line %d comes line %d: output was lost or doubled", next-1, n)
		}
		next++
	}
	if next != lines+1 {
		t.Fatalf("the log ends after %d of %d lines", next-1, lines)
	}
	if strings.Count(log, "last words\n") != 1 {
		t.Errorf("the last words stand %d times in the log", strings.Count(log, "last words\n"))
	}
}

func TestKillNineIsANoOp(t *testing.T) {
	t.Parallel()
	for _, status := range []int{0, 7} {
		t.Run(fmt.Sprintf("exit %d", status), func(t *testing.T) {
			t.Parallel()
			git := newGitServer(t)
			_, url, commit := git.repo("api", counting(300, status))
			d := newDaemon(t, online, project("api", url))
			id := d.push(url, commit)
			d.awaitPhase(id, "BUILD")
			for range 3 {
				time.Sleep(700 * time.Millisecond)
				d.kill()
				d.start()
			}
			want := "SUCCEEDED"
			if status != 0 {
				want = "FAILED"
			}
			b := d.ended(id, want)
			if b.Jobs[0].Exit != status {
				t.Errorf("the exit status is %d, want %d", b.Jobs[0].Exit, status)
			}
			if b.Jobs[0].Attempt != 1 {
				t.Errorf("the job took %d attempts, want 1", b.Jobs[0].Attempt)
			}
			assertWhole(t, d.logs(b), 300)
			assertNothingLeft(t, d)
			d.check()
		})
	}
}

// check stops the daemon and proves the invariants of its files.
func (d *daemon) check() {
	d.t.Helper()
	d.terminate()
	out, errs, exit := d.runCLI(d.dir, "check", "--config", filepath.Join(d.dir, "runner.yml"))
	if exit != 0 {
		d.t.Errorf("runner check exited %d:\n%s%s", exit, out, errs)
	}
}

func TestABuildEndsWhileTheDaemonIsAway(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", counting(100, 7))
	d := newDaemon(t, "", project("api", url))
	id := d.push(url, commit)
	d.awaitPhase(id, "BUILD")
	running := d.containers()
	d.kill()
	if len(running) != 1 {
		t.Fatalf("%d containers run, want one", len(running))
	}
	// The agent ends by itself: the container is gone from the list of the running ones.
	deadline := time.Now().Add(30 * time.Second)
	for len(d.containers()) > 0 && time.Now().Before(deadline) {
		time.Sleep(100 * time.Millisecond)
	}
	d.start()
	b := d.ended(id, "FAILED")
	if b.Jobs[0].Exit != 7 {
		t.Errorf("the exit status is %d, want 7", b.Jobs[0].Exit)
	}
	assertWhole(t, d.logs(b), 100)
	d.check()
}

func TestSIGTERMDetachesAndTheNextStartAdopts(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", counting(200, 0))
	d := newDaemon(t, "", project("api", url))
	id := d.push(url, commit)
	d.awaitPhase(id, "BUILD")
	if took := d.terminate(); took > 5*time.Second {
		t.Errorf("the daemon took %s to leave, want at most 5 s", took)
	}
	if n := len(d.containers()); n != 1 {
		t.Fatalf("%d containers run after SIGTERM, want the one of the build", n)
	}
	d.start()
	b := d.ended(id, "SUCCEEDED")
	assertWhole(t, d.logs(b), 200)
	d.check()
}

func TestASandboxThatVanishedIsAFault(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": spec("sleep 300")})
	d := newDaemon(t, "", project("api", url))
	id := d.push(url, commit)
	d.awaitPhase(id, "BUILD")
	d.kill()
	for _, c := range d.containers() {
		if out, err := exec.Command("docker", "rm", "-f", c).CombinedOutput(); err != nil {
			t.Fatalf("docker rm: %v %s", err, out)
		}
	}
	d.start()
	if b := d.ended(id, "FAULT"); b.Reason != "sandbox_lost" {
		t.Errorf("the reason is %s (%s), want sandbox_lost", b.Reason, b.Message)
	}
	d.check()
}

func TestTwoDaemonsAndARunShareOneEngine(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, url, commit := git.repo("api", counting(150, 0))
	one := newDaemon(t, online, project("api", url))
	two := newDaemon(t, online, project("api", url))
	first, second := one.push(url, commit), two.push(url, commit)
	one.awaitPhase(first, "BUILD")
	two.awaitPhase(second, "BUILD")

	cache := t.TempDir()
	out, errs, exit := runCLI(t, repo.Dir, append(os.Environ(), "XDG_CACHE_HOME="+cache), "run")
	if exit != 0 {
		t.Errorf("runner run exited %d:\n%s%s", exit, out, errs)
	}
	// A restart of one compares state and engine, and must not touch the other's.
	one.kill()
	one.start()
	assertWhole(t, one.logs(one.ended(first, "SUCCEEDED")), 150)
	assertWhole(t, two.logs(two.ended(second, "SUCCEEDED")), 150)
	if left, _ := os.ReadDir(filepath.Join(cache, "runner", "run")); len(left) != 0 {
		t.Errorf("runner run left %v behind", left)
	}
}

func TestTheNextRunCleansUpAfterOneThatWasKilled(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, _, _ := git.repo("api", map[string]string{"buildspec.yml": spec("echo started; sleep 300")})
	cache := t.TempDir()
	env := append(os.Environ(), "XDG_CACHE_HOME="+cache)
	victim := exec.Command(binary, "run")
	victim.Dir, victim.Env = repo.Dir, env
	said := new(syncBuffer)
	victim.Stdout, victim.Stderr = said, said
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(60 * time.Second)
	for !strings.Contains(said.String(), "started\n") && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	_ = victim.Process.Kill()
	_ = victim.Wait()
	left, _ := os.ReadDir(filepath.Join(cache, "runner", "run"))
	if len(left) != 1 {
		t.Fatalf("the killed run left %d directories, want its own; it said:\n%s", len(left), said)
	}
	dead := &daemon{t: t}
	if dead.instance, _ = scheduler.Probe(filepath.Join(cache, "runner", "run", left[0].Name(), "state.db")); len(dead.containers()) != 1 {
		t.Fatalf("the killed run left %d containers running, want one", len(dead.containers()))
	}
	if err := repo.Write("buildspec.yml", spec("echo quick")); err != nil {
		t.Fatal(err)
	}
	// The next run works on another engine, and cleans up where the killed one worked.
	out, errs, exit := runCLI(t, repo.Dir, env, "run", "--engine", "process")
	if exit != 0 || !strings.Contains(out, "quick") {
		t.Errorf("runner run exited %d:\n%s%s", exit, out, errs)
	}
	if left, _ := os.ReadDir(filepath.Join(cache, "runner", "run")); len(left) != 0 {
		t.Errorf("the next run left %v behind", left)
	}
	if left := dead.containers("-a"); len(left) != 0 {
		t.Errorf("the next run left the containers %v behind", left)
	}
}
