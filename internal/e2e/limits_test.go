package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// attackSpec is a batch of jobs, each of which takes all that it can get of one thing.
const attackSpec = `version: 0.2
env:
  image: %s
cache:
  key: sparse
  paths: ['cached/**/*']
phases:
  build:
    commands:
      - mkdir left; echo something >left/file
      - . ./attacks.sh; attack_$ATTACK
artifacts:
  files: ['left/**/*']
batch:
  fast-fail: false
  build-list:
%s`

// attacks.sh has a function for each.
const attackFunctions = `
attack_processes() { bomb() { bomb | bomb & }; bomb; while :; do sleep 60 & done; }
attack_sparse() { truncate -s 1099511627776 huge; }
attack_artifact() { truncate -s 40000000 left/hole; }
attack_cache() { mkdir cached; truncate -s 40000000 cached/hole; }
attack_log() { yes 'a line of an endless log' | head -c 30000000; }
attack_files() { i=0; while :; do i=$((i+1)); mkdir d$i; (cd d$i; touch 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20); done; }
attack_disk() { i=0; while :; do i=$((i+1)); dd if=/dev/zero of=/root/f$i bs=1M count=8 2>/dev/null; done; }
attack_unlinked() { exec 5>a 6>b; rm a b; for f in 5 6; do dd if=/dev/zero bs=1M count=40 2>/dev/null >&$f; done; sleep 60; }
attack_memory() { tail /dev/zero; }
attack_cpu() { for i in 1 2 3 4 5 6 7 8; do while :; do :; done & done; sleep 2; kill $(jobs -p); }
`

// attacks are how each has to end.
var attacks = []struct{ name, status, reason, log string }{
	{"processes", "FAILED", "pids_limit", ""},
	{"sparse", "FAILED", "disk_limit", ""},
	{"artifact", "FAILED", "artifact_limit", ""},
	{"cache", "SUCCEEDED", "", "The cache was not stored: storing a cache: it has more than the 8388608 bytes that a cache may have"},
	{"log", "SUCCEEDED", "", "Log limit of 1048576 bytes reached"},
	{"files", "FAILED", "disk_limit", "more than limits.files of 3000"},
	{"disk", "FAILED", "disk_limit", "MiB more than limits.disk of 64 MiB"},
	{"unlinked", "FAILED", "disk_limit", "removed files that processes still have open"},
	{"memory", "FAILED", "oom", ""},
	{"cpu", "SUCCEEDED", "", ""},
}

// TestNoJobTakesTheMachine runs jobs that take what they can, two at a time, while a neighbour builds on. Each ends with
// the reason that names what it did, the daemon answers all the while, and nothing is left afterwards.
func TestNoJobTakesTheMachine(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	var list strings.Builder
	for _, a := range attacks {
		fmt.Fprintf(&list, "    - {identifier: %s, env: {variables: {ATTACK: %s}}}\n", a.name, a.name)
	}
	_, url, commit := git.repo("attacker", map[string]string{
		"buildspec.yml": fmt.Sprintf(attackSpec, image, list.String()), "attacks.sh": attackFunctions,
	})
	_, quiet, quietCommit := git.repo("neighbour", map[string]string{"buildspec.yml": spec(
		"i=0; while [ $i -lt 150 ]; do i=$((i+1)); echo $i >file-$i; echo line-$i-end; sleep 0.05; done", "echo last words; true")})
	d := newDaemon(t, "slots: 3\n", project("neighbour", quiet), project("attacker", url, "max-jobs: 2",
		"limits: {pids: 64, memory: 96MiB, disk: 64MiB, files: 3000, log: 1MiB, artifacts: 8MiB, cache: 8MiB, timeout: 2m}"))
	neighbour := d.push(quiet, quietCommit)
	answers := d.answersAllTheWhile()
	b := d.build(d.push(url, commit))
	if err := answers(); err != nil {
		t.Errorf("under attack, the daemon did not answer: %v", err)
	}
	jobs := make(map[string]client.Job)
	for _, j := range b.Jobs {
		jobs[j.ID] = j
	}
	for _, a := range attacks {
		j := jobs[a.name]
		log := d.jobLog(b.ID, j.ID)
		if j.Status != a.status || j.Reason != a.reason || !strings.Contains(log, a.log) {
			t.Errorf("%s ended %s (%s: %s), want %s, %s, and %q in its log, which ends with\n%s", a.name, j.Status, j.Reason, j.Message, a.status, a.reason, a.log, log[max(0, len(log)-2000):])
		}
	}
	assertWhole(t, d.logs(d.ended(neighbour, "SUCCEEDED")), 150)
	d.assertClean()
}

// TestTheDiskLimitOutlivesTheDaemon kills the daemon before a job writes.
func TestTheDiskLimitOutlivesTheDaemon(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": spec(
		"sleep 3; for f in 1 2 3; do dd if=/dev/zero of=/root/$f bs=1M count=8; done; sleep 100")})
	d := newDaemon(t, "", project("api", url, "limits: {disk: 16MiB}"))
	id := d.push(url, commit)
	d.awaitPhase(id, "BUILD")
	d.kill()
	d.start()
	if b := d.ended(id, "FAILED"); b.Jobs[0].Reason != "disk_limit" || !strings.Contains(b.Jobs[0].Message, "24 MiB in /root") {
		t.Errorf("it says %s: %s", b.Jobs[0].Reason, b.Jobs[0].Message)
	}
	d.assertClean()
}

// answersAllTheWhile asks the daemon for itself and for a list, until the returned function is called, which tells what
// went wrong. An answer that takes half a minute is none.
func (d *daemon) answersAllTheWhile() (end func() error) {
	ctx, cancel := context.WithCancel(d.t.Context())
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for ctx.Err() == nil {
			short, done := context.WithTimeout(ctx, 30*time.Second)
			_, err := d.Daemon(short)
			if err == nil {
				_, err = d.Builds(short, client.ListOptions{})
			}
			done()
			if err != nil && ctx.Err() == nil {
				failed <- err
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return func() error { cancel(); return <-failed }
}

// TestTenMillionFilesAreCountedAndRemoved makes as many files as a disk takes in a while, below a limit that allows them,
// and sees that a neighbour's build goes on while they are counted and while they are removed.
func TestTenMillionFilesAreCountedAndRemoved(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("makes ten million files, which takes an hour or more: set RUNNER_SLOW=1")
	}
	git := newGitServer(t)
	_, url, commit := git.repo("many", map[string]string{
		"buildspec.yml": strings.Replace(spec("python3 fill.py"), image, "runner-test/python:3", 1),
		"fill.py":       "import os\nfor d in range(10000):\n    os.mkdir(f'd{d}')\n    for f in range(1000):\n        open(f'd{d}/{f}', 'w').close()\n",
	})
	_, small, smallCommit := git.repo("small", map[string]string{"buildspec.yml": spec("echo fine")})
	d := newDaemon(t, "slots: 2\n", project("small", small),
		project("many", url, "limits: {files: 9900000, timeout: 2h}"))
	id := d.push(url, commit)
	answers := d.answersAllTheWhile()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		b, err := d.Build(ctx, id)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		d.ended(d.push(small, smallCommit), "SUCCEEDED")
		if b.Status == "FAILED" && b.Jobs[0].Reason == "disk_limit" {
			t.Log(b.Jobs[0].Message)
			break
		}
		if b.Status != "IN_PROGRESS" {
			t.Fatalf("it ended %s (%s: %s)", b.Status, b.Reason, b.Message)
		}
	}
	began := time.Now()
	for len(d.containers("-a")) > 0 || left(t, filepath.Join(d.data(), "sandboxes")) > 0 {
		d.ended(d.push(small, smallCommit), "SUCCEEDED")
		if time.Since(began) > 30*time.Minute {
			t.Fatal("the files are not removed")
		}
	}
	t.Logf("removed in %s", time.Since(began).Round(time.Second))
	if err := answers(); err != nil {
		t.Errorf("the daemon did not answer: %v", err)
	}
}

func left(t testing.TB, dir string) int {
	t.Helper()
	out, err := exec.Command("ls", "-A", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	return len(strings.Fields(string(out)))
}
