package e2e

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// awaitRan waits until a job of a build has run a test to its end.
func (d *daemon) awaitRan(id string) {
	d.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		b, err := d.Build(d.t.Context(), id)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, j := range b.Jobs {
			if len(d.ranOf(b, j)) > 0 {
				return
			}
		}
		if b.Status != "IN_PROGRESS" || time.Now().After(deadline) {
			d.t.Fatalf("no job has run a test: %s", d.logs(b))
		}
	}
}

// TestASuiteIsCutOffInTheMiddle stops shards while they run tests, wait for each other and try tests again. All end soon,
// what was reported by then is kept, and nothing is left.
func TestASuiteIsCutOffInTheMiddle(t *testing.T) {
	t.Parallel()
	first := "    commands:\n      - if [ $CODEBUILD_BATCH_BUILD_IDENTIFIER = BuildFanoutShard1 ]; then sleep 6; exit 7; fi\n"
	for _, tt := range []struct {
		name, settings string
		change         func(spec string) string
		cut            func(d *daemon, id string)
		status         string
		reason         string // of a shard that was cut off
	}{
		{name: "stop", status: "STOPPED", reason: "stopped", cut: func(d *daemon, id string) {
			if _, errs, exit := d.runCLI(d.t.(*testing.T).TempDir(), "stop", id); exit != 0 {
				d.t.Errorf("runner stop exited %d: %s", exit, errs)
			}
		}},
		{name: "time-out", settings: "limits: {timeout: 6s}", status: "TIMED_OUT", reason: "timeout"},
		{name: "fast-fail", status: "FAILED", reason: "fast_fail", change: func(spec string) string {
			return strings.Replace(strings.Replace(spec, "fast-fail: false", "fast-fail: true", 1), "    commands:\n", first, 1)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := flakySuite(oneReport, "{retry: 1}", 2.5, 0)
			if tt.change != nil {
				files["buildspec.yml"] = tt.change(files["buildspec.yml"])
			}
			git := newGitServer(t)
			_, url, commit := git.repo("cut", files)
			var settings []string
			if tt.settings != "" {
				settings = append(settings, tt.settings)
			}
			d := newDaemon(t, "slots: 4\n", project("cut", url, settings...))
			id := d.push(url, commit)
			d.awaitRan(id)
			if tt.cut != nil {
				tt.cut(d, id)
			}
			began := time.Now()
			b := d.settled(d.ended(id, tt.status))
			if took := time.Since(began); took > 40*time.Second {
				t.Errorf("it ended %s after it was cut off", took)
			}
			cut := 0
			for _, j := range b.Jobs {
				if j.Reason == tt.reason {
					cut++
				}
			}
			if cut == 0 || b.Tests == nil || b.Tests.Total == 0 || b.Tests.Total == 12 {
				t.Errorf("%d shards were cut off, and the tests came to %+v; want some of 12:\n%s", cut, b.Tests, d.logs(b))
			}
			d.assertClean()
		})
	}
}

// TestARetryAfterAShardWasLost kills one container in the middle of a suite that fails at first, then retries what failed.
func TestARetryAfterAShardWasLost(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("lost", flakySuite(oneReport, "{retry: 1}", 1.5, 0, 5))
	d := newDaemon(t, "slots: 4\n", project("lost", url))
	id := d.push(url, commit)
	d.awaitRan(id)
	running := d.containers()
	if out, err := exec.Command("docker", "kill", running[0]).CombinedOutput(); err != nil {
		t.Fatalf("docker kill: %v: %s", err, out)
	}
	d.kill()
	d.start()
	b := d.settled(d.build(id))
	lost := 0
	for _, j := range b.Jobs {
		if j.Status == "FAULT" {
			lost++
		} else if j.Status != "SUCCEEDED" {
			t.Errorf("%s ended %s: %s", j.Name, j.Status, j.Message)
		}
	}
	if lost != 1 {
		t.Fatalf("%d shards are lost, want 1: %+v", lost, b.Jobs)
	}
	r := d.settled(d.ended(d.retried(id, true), "SUCCEEDED"))
	seen := map[string]bool{}
	for _, of := range []client.Build{b, r} {
		for _, j := range of.Jobs {
			for _, name := range d.ranOf(of, j) {
				seen[name] = true
			}
		}
	}
	for i := range 12 {
		if name := fmt.Sprintf("tests/t%02d.sh", i); !seen[name] {
			t.Errorf("%s ran nowhere", name)
		}
	}
	if got := r.Tests; got == nil || got.Total != 12 || got.Failed != 0 {
		t.Errorf("the tests of the retry came to %+v, want 12 that do not fail", got)
	}
	d.assertClean()
}
