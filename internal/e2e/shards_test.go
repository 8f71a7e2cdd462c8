package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// suiteFiles is a repository of n tests that take a moment each, divided over 4 shards. The test with the number fails
// does, where it is not marked as mended.
func suiteFiles(n int, strategy string, seconds float64, fails int) map[string]string {
	files := map[string]string{
		"buildspec.yml": `version: 0.2
env:
  image: ` + image + `
batch:
  fast-fail: false
  build-fanout:
    parallelism: 4
phases:
  build:
    commands:
      - codebuild-tests-run --test-command 'sh run.sh' --files-search "codebuild-glob-search 'tests/*.sh'"
x-runner:
  sharding: ` + strategy + "\n",
		"run.sh": "s=0; for f in \"$@\"; do sh $f && echo \"ran $f.\" || s=1; done; exit $s\n",
	}
	for i := range n {
		files[fmt.Sprintf("tests/t%02d.sh", i)] = fmt.Sprintf("sleep %g\n", seconds)
	}
	if fails >= 0 {
		files[fmt.Sprintf("tests/t%02d.sh", fails)] = "echo broken here; exit 3\n"
	}
	return files
}

// ranOf is which tests a job's log says have run to their end.
func (d *daemon) ranOf(b client.Build, job client.Job) (ran []string) {
	d.t.Helper()
	for line := range strings.Lines(d.jobLog(b.ID, job.ID)) {
		if name, ok := strings.CutPrefix(line, "ran "); ok {
			ran = append(ran, strings.TrimSuffix(name, ".\n"))
		}
	}
	return ran
}

// assertEachOnce checks that every test ran to its end once over the shards, and tells how many shards had some.
func (d *daemon) assertEachOnce(b client.Build, n int, but ...string) (busy int) {
	d.t.Helper()
	seen := make(map[string]int)
	for _, j := range b.Jobs {
		ran := d.ranOf(b, j)
		if len(ran) > 0 {
			busy++
		}
		for _, name := range ran {
			seen[name]++
		}
	}
	for _, name := range but {
		seen[name]++
	}
	for i := range n {
		if name := fmt.Sprintf("tests/t%02d.sh", i); seen[name] != 1 {
			d.t.Errorf("%s ran %d times over the shards, want once", name, seen[name])
		}
	}
	return busy
}

func TestTheDaemonDividesTests(t *testing.T) {
	t.Parallel()
	for _, strategy := range []string{"queue", "timing"} {
		t.Run(strategy, func(t *testing.T) {
			t.Parallel()
			git := newGitServer(t)
			_, url, commit := git.repo("shards", suiteFiles(40, strategy, 0.1, 7))
			d := newDaemon(t, "slots: 4\n", project("shards", url))
			b := d.ended(d.push(url, commit), "FAILED")
			if busy := d.assertEachOnce(b, 40, "tests/t07.sh"); busy < 2 {
				t.Errorf("%d shards ran tests, want several", busy)
			}
			failed := 0
			for _, j := range b.Jobs {
				if j.Status == "FAILED" {
					failed++
				}
			}
			if failed != 1 {
				t.Errorf("%d shards failed, want the one that had the failing test", failed)
			}
			r := d.ended(d.retried(b.ID, true), "FAILED")
			for i, j := range r.Jobs {
				if j.TakenFrom != "" {
					continue
				}
				if got, had := d.ranOf(r, j), d.ranOf(b, b.Jobs[i]); strings.Join(got, " ") != strings.Join(had, " ") {
					t.Errorf("the retry of %s ran %v, want %v", j.Name, got, had)
				}
			}
			d.assertClean()
		})
	}
}

// TestAKillInTheMiddleOfASuite: the daemon dies while shards take their tests from it. They wait for the next one.
func TestAKillInTheMiddleOfASuite(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("shards", suiteFiles(40, "queue", 0.3, -1))
	d := newDaemon(t, "slots: 4\n", project("shards", url))
	id := d.push(url, commit)
	d.awaitPhase(id, "BUILD")
	d.storm(3, time.Second)
	b := d.ended(id, "SUCCEEDED")
	d.assertEachOnce(b, 40)
	d.assertClean()
}

// TestTheTestsOfALostContainerGoToOthers kills one shard's container in the middle. Its job is a FAULT, and what it had
// not answered for runs elsewhere: each test is answered for once.
func TestTheTestsOfALostContainerGoToOthers(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("shards", suiteFiles(40, "queue", 0.5, -1))
	d := newDaemon(t, "slots: 4\n", project("shards", url))
	id := d.push(url, commit)
	d.awaitPhase(id, "BUILD")
	var running []string
	for deadline := time.Now().Add(30 * time.Second); len(running) < 4; time.Sleep(20 * time.Millisecond) {
		if running = d.containers(); time.Now().After(deadline) {
			t.Fatalf("%d containers run, want 4", len(running))
		}
	}
	time.Sleep(time.Second)
	if out, err := exec.Command("docker", "kill", running[0]).CombinedOutput(); err != nil {
		t.Fatalf("docker kill: %v: %s", err, out)
	}
	b := d.build(id)
	lost, seen := 0, make(map[string]bool)
	for _, j := range b.Jobs {
		switch j.Status {
		case "FAULT":
			lost++
		case "SUCCEEDED":
		default:
			t.Errorf("%s ended %s: %s", j.Name, j.Status, j.Message)
		}
		for _, name := range d.ranOf(b, j) {
			seen[name] = true
		}
	}
	if lost != 1 {
		t.Errorf("%d jobs are a FAULT, want the one whose container was killed", lost)
	}
	for i := range 40 {
		if name := fmt.Sprintf("tests/t%02d.sh", i); !seen[name] {
			t.Errorf("%s was lost with its container", name)
		}
	}
	d.assertClean()
}

func TestTheNumberOfShardsFollowsTheTests(t *testing.T) {
	t.Parallel()
	files := suiteFiles(10, "queue", 0.2, -1)
	files["buildspec.yml"] += "  shards: auto\n"
	git := newGitServer(t)
	repo, url, commit := git.repo("auto", files)
	d := newDaemon(t, "slots: 6\n", project("auto", url))
	b := d.ended(d.push(url, commit), "SUCCEEDED")
	if len(b.Jobs) != 4 || !strings.Contains(b.Note, "no build of this project has told yet") {
		t.Errorf("the first build has %d shards: %s; want 4, as parallelism says", len(b.Jobs), b.Note)
	}
	if err := repo.Write("buildspec.yml", strings.Replace(files["buildspec.yml"], "auto", "{target: 1s}", 1)); err != nil {
		t.Fatal(err)
	}
	commit, err := repo.Commit(t.Context(), "have a wish")
	if err != nil {
		t.Fatal(err)
	}
	b = d.ended(d.push(url, commit), "SUCCEEDED")
	if want := fmt.Sprintf("%d shards: ", len(b.Jobs)); !strings.HasPrefix(b.Note, want) || !strings.Contains(b.Note, "1s") {
		t.Errorf("the second build has %d shards: %s", len(b.Jobs), b.Note)
	}
	d.assertEachOnce(b, 10)
}
