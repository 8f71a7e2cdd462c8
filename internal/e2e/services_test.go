package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/runner-ci/runner/scheduler"
)

// servicesSpec has a service that is healthy after a second, one without a check, and prints numbered lines.
func servicesSpec(lines int) map[string]string {
	return map[string]string{"buildspec.yml": fmt.Sprintf(`version: 0.2
env:
  image: %[1]s
x-runner:
  services:
    web:
      image: %[1]s
      command: mkdir /www && echo hello from web > /www/index.html && sleep 1 && httpd -f -p 80 -h /www
      health: {command: wget -q -O - http://127.0.0.1/, interval: 1s, timeout: 2s, retries: 30}
    other:
      image: %[1]s
      command: sleep 1000
phases:
  build:
    commands:
      - wget -q -O - http://web/
      - 'i=0; while [ $i -lt %[2]d ]; do i=$((i+1)); echo line-$i-end; sleep 0.02; done'
      - echo last words; true
`, image, lines)}
}

// TestServicesWeatherKills kills the daemon while networks and services are made, while their health is waited for,
// while the job runs, and when everything is to be removed.
func TestServicesWeatherKills(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", servicesSpec(40))
	d := newDaemon(t, online+"slots: 2\n", project("api", url))
	ids := []string{d.push(url, commit)}
	d.storm(2, 700*time.Millisecond)
	ids = append(ids, d.push(url, commit))
	d.storm(2, 2*time.Second)
	for _, id := range ids {
		b := d.ended(id, "SUCCEEDED")
		if b.Jobs[0].Attempt != 1 {
			t.Errorf("%s took %d attempts", id, b.Jobs[0].Attempt)
		}
		log := d.logs(b)
		assertWhole(t, log, 40)
		if !strings.Contains(log, "\nhello from web\n") {
			t.Errorf("the service did not answer:\n%s", log)
		}
	}
	d.kill() // while the last sandbox is removed
	d.start()
	d.assertClean()
}

// TestARunThatIsInterruptedTakesItsServicesAway ends `runner run` in the middle: when it is asked to leave, it takes
// everything away; when it is killed, the next one does.
func TestARunThatIsInterruptedTakesItsServicesAway(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, _, _ := git.repo("api", servicesSpec(5000))
	quick, _, _ := git.repo("quick", map[string]string{"buildspec.yml": "version: 0.2\nphases: {build: {commands: [echo quick]}}\n"})
	cache := t.TempDir()
	env := append(os.Environ(), "XDG_CACHE_HOME="+cache)
	runs := filepath.Join(cache, "runner", "run")
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGKILL} {
		said := new(syncBuffer)
		cmd := exec.Command(binary, "run")
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = repo.Dir, env, said, said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(60 * time.Second); !strings.Contains(said.String(), "line-3-end") && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
		instance := instanceOfRun(t, runs)
		_ = cmd.Process.Signal(sig)
		_ = cmd.Wait()
		if sig == syscall.SIGKILL {
			if out, errs, exit := runCLI(t, quick.Dir, env, "run", "--engine", "process"); exit != 0 {
				t.Errorf("the next runner run exited %d:\n%s%s", exit, out, errs)
			}
		}
		assertEngineClean(t, instance)
		if left, _ := os.ReadDir(runs); len(left) != 0 {
			t.Errorf("after %v the directories %v are left", sig, left)
		}
	}
}

// instanceOfRun reads it from a copy of the one run's state, which the run holds.
func instanceOfRun(t *testing.T, runs string) string {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(runs, "*", "state.db"))
	if len(found) != 1 {
		t.Fatalf("the runs have the states %v, want one", found)
	}
	from, err := os.Open(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.Create(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(to, from)
	if err := errors.Join(err, to.Close()); err != nil {
		t.Fatal(err)
	}
	instance, err := scheduler.Probe(to.Name())
	if err != nil || instance == "" {
		t.Fatalf("the state of the run names the instance %q: %v", instance, err)
	}
	return instance
}
