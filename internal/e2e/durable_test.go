package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// TestACacheSurvivesKillsInTheMiddle kills the daemon while it takes a tar in, and while it hands it over.
func TestACacheSurvivesKillsInTheMiddle(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": cacheSpec(64)})
	d := newDaemon(t, "", project("api", url))
	id := d.push(url, commit)
	d.awaitFile("caches/*.tar")
	d.kill()
	d.start()
	made := d.fileOf(d.ended(id, "SUCCEEDED"), "sum")

	id = d.push(url, commit)
	d.awaitFile("sandboxes/*/spool/*restored.tar") // a part of it, or all
	d.kill()
	d.start()
	b := d.ended(id, "SUCCEEDED")
	if log := d.logs(b); !strings.Contains(log, "\nhad it\n") || !strings.Contains(log, "Restored cache k-1: ") {
		t.Errorf("the cache was not restored:\n%s", log)
	}
	if sum := d.fileOf(b, "sum"); sum != made || len(sum) != 64 {
		t.Errorf("the file that was cached is %q, and was %q", sum, made)
	}
	d.assertClean()
	if files, _ := filepath.Glob(filepath.Join(d.data(), "caches", "*")); len(files) != 1 {
		t.Errorf("the caches are %v, want one", files)
	}
}

// cacheSpec makes a file of some MiB unless the cache brought it, which is a tar, and leaves its hash.
func cacheSpec(megabytes int) string {
	return fmt.Sprintf(`version: 0.2
env:
  image: %s
phases:
  build:
    commands:
      - 'if [ -e deps/big ]; then echo had it; else mkdir deps; dd if=/dev/urandom of=deps/big bs=1048576 count=%d 2>/dev/null; fi'
      - sha256sum deps/big | cut -c1-64 > sum
artifacts:
  files: [sum]
cache:
  key: k-1
  paths: [deps/*]
`, image, megabytes)
}

// TestACacheThatTheDiskCannotTakeIsNobodysFailure has a disk with less space than caches leave free.
func TestACacheThatTheDiskCannotTakeIsNobodysFailure(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": cacheSpec(32)})
	d := newDaemonOnDisk(t, "1000m", "", project("api", url))
	b := d.ended(d.push(url, commit), "SUCCEEDED")
	if log := d.logs(b); !strings.Contains(log, "The cache was not stored: ") || !strings.Contains(log, "no space left") {
		t.Errorf("the log does not say why there is no cache:\n%s", log)
	}
	if sum := d.fileOf(b, "sum"); len(sum) != 64 {
		t.Errorf("the artifact holds %q", sum)
	}
	d.assertClean()
	if files, _ := filepath.Glob(filepath.Join(d.data(), "caches", "*")); len(files) != 0 {
		t.Errorf("%v was left", files)
	}
}

// TestAResumeOutlivesItsDaemon kills the daemon as soon as it has promised to let a build go on.
func TestAResumeOutlivesItsDaemon(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, url, _ := git.repo("api", map[string]string{"buildspec.yml": spec(
		"codebuild-breakpoint", "echo two", "codebuild-breakpoint", "echo three", "codebuild-breakpoint")})
	d := newDaemon(t, "", project("api", url))
	if out, errs, exit := d.runCLI(repo.Dir, "submit", "--project", "api", "--debug", "--detach"); exit != 0 {
		t.Fatalf("runner submit exited %d:\n%s%s", exit, out, errs)
	}
	for _, then := range []string{"two", "three"} {
		d.awaitPaused("api#1")
		if _, err := d.Resume(t.Context(), "api#1", ""); err != nil {
			t.Fatal(err)
		}
		d.kill()
		d.start()
		d.awaitLog("api#1", then)
	}
	d.awaitPaused("api#1") // nobody has let it go on from here
	if _, err := d.Stop(t.Context(), "api#1"); err != nil {
		t.Fatal(err)
	}
	d.assertOutline(d.ended("api#1", "STOPPED"), 5)
	d.assertClean()
}

// TestAttemptsThatTheBuildspecAsksForAreCountedOverKills has a job that fails each time, as often as it may.
func TestAttemptsThatTheBuildspecAsksForAreCountedOverKills(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": strings.Replace(
		spec("echo again; exit 9"), "    commands:", "    on-failure: RETRY-2\n    commands:", 1)})
	d := newDaemon(t, "", project("api", url))
	id := d.push(url, commit)
	d.storm(3, 800*time.Millisecond)
	if b := d.ended(id, "FAILED"); b.Jobs[0].Attempt != 3 || b.Jobs[0].Exit != 9 {
		t.Errorf("it ended in attempt %d with status %d, want 3 and 9", b.Jobs[0].Attempt, b.Jobs[0].Exit)
	}
	d.assertClean()
}

// TestASecretThatChangesWhileAJobRuns sets one anew and removes another, and has the daemon adopt the job after each.
func TestASecretThatChangesWhileAJobRuns(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": `version: 0.2
env:
  image: ` + image + `
  secrets-manager: {PASSWORD: 'prod/db:password'}
  parameter-store: {TOKEN: token}
phases:
  build:
    commands: ['i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo "$PASSWORD and $TOKEN"; sleep 0.2; done']
`})
	d := newDaemon(t, keyFile(t), project("api", url))
	d.setSecret("prod/db", `{"password":"correct-horse"}`)
	d.setSecret("token", "sesame-open")
	id := d.push(url, commit)
	d.awaitPhase(id, "BUILD")
	d.setSecret("prod/db", `{"password":"battery-staple"}`)
	d.kill()
	d.start()
	if out, errs, exit := d.runCLI(d.dir, "secret", "rm", "token"); exit != 0 {
		t.Fatalf("runner secret rm exited %d:\n%s%s", exit, out, errs)
	}
	d.kill()
	d.start()
	if log := d.logs(d.ended(id, "SUCCEEDED")); strings.Count(log, "*** and ***\n") != 20 {
		t.Errorf("not each of 20 lines is there and masked:\n%s", log)
	}
	d.assertClean()
}

// TestAStoppedJobLeavesItsReports stops one in the middle.
func TestAStoppedJobLeavesItsReports(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", map[string]string{"buildspec.yml": spec(
		`echo '<testsuite tests="1"><testcase name="a"/></testsuite>' > r.xml; echo written; sleep 300`) + "reports:\n  unit:\n    files: ['*.xml']\n"})
	d := newDaemon(t, "", project("api", url))
	id := d.push(url, commit)
	d.awaitLog(id, "written")
	if _, err := d.Stop(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	d.kill()
	d.start()
	d.ended(id, "STOPPED")
	if sets, err := d.Reports(t.Context(), id); err != nil || len(sets) != 1 || len(sets[0].Files) != 1 {
		t.Errorf("its reports are %+v (%v), want one file", sets, err)
	}
	d.assertClean()
}

// TestAGraphWeathersKills has twelve jobs in three chains, of which none, one, and one with fast-fail fails.
func TestAGraphWeathersKills(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("three builds of twelve jobs; set RUNNER_SLOW=1 to run it")
	}
	git := newGitServer(t)
	_, good, goodCommit := git.repo("good", map[string]string{"buildspec.yml": graphSpec(false, "none")})
	_, bad, badCommit := git.repo("bad", map[string]string{"buildspec.yml": graphSpec(false, "j4")})
	_, fast, fastCommit := git.repo("fast", map[string]string{"buildspec.yml": graphSpec(true, "j4")})
	d := newDaemon(t, "slots: 3\n", project("good", good), project("bad", bad), project("fast", fast))
	kept := func(b client.Build) map[string]int {
		t.Helper()
		ends := map[string]int{}
		for _, j := range b.Jobs {
			ends[strings.TrimSuffix(j.Status+" "+j.Reason, " ")]++
			if j.Attempt > 1 {
				t.Errorf("%s %s took %d attempts", b.ID, j.Name, j.Attempt)
			}
			if j.Status == "SUCCEEDED" {
				assertWhole(t, d.jobLog(b.ID, j.ID), 20)
			}
		}
		return ends
	}
	id := d.push(good, goodCommit)
	d.storm(5, 1200*time.Millisecond)
	if ends := kept(d.ended(id, "SUCCEEDED")); ends["SUCCEEDED"] != 12 {
		t.Errorf("the jobs ended %v", ends)
	}
	id = d.push(bad, badCommit)
	d.storm(5, 1200*time.Millisecond)
	if ends := kept(d.ended(id, "FAILED")); ends["SUCCEEDED"] != 9 || ends["FAILED command_failed"] != 1 || ends["FAILED dependency_failed"] != 2 {
		t.Errorf("the jobs ended %v, want 9 that succeeded, 1 that failed and the 2 after it", ends)
	}
	id = d.push(fast, fastCommit)
	d.storm(5, 1200*time.Millisecond)
	if ends := kept(d.ended(id, "FAILED")); ends["FAILED command_failed"] != 1 || ends["STOPPED fast_fail"] < 5 {
		t.Errorf("with fast-fail the jobs ended %v", ends)
	}
	id = d.push(good, goodCommit)
	d.awaitPhase(id, "BUILD")
	if _, err := d.Stop(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	d.kill()
	d.start()
	kept(d.ended(id, "STOPPED"))
	d.assertClean()
}

// graphSpec has twelve jobs, each of which waits for the third before it. One exits with status 3.
func graphSpec(fastFail bool, fails string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "version: 0.2\nenv:\n  image: %s\nbatch:\n  fast-fail: %t\n  build-graph:\n", image, fastFail)
	for i := range 12 {
		fmt.Fprintf(&s, "    - identifier: j%d\n", i)
		if i >= 3 {
			fmt.Fprintf(&s, "      depend-on: [j%d]\n", i-3)
		}
	}
	fmt.Fprintf(&s, `phases:
  build:
    commands:
      - 'i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo line-$i-end; sleep 0.02; done'
      - echo last words; if [ $CODEBUILD_BATCH_BUILD_IDENTIFIER = %s ]; then exit 3; fi
`, fails)
	return s.String()
}

// storm kills the daemon some times at random moments.
func (d *daemon) storm(kills int, most time.Duration) {
	d.t.Helper()
	for range kills {
		time.Sleep(rand.N(most))
		d.kill()
		d.start()
	}
}

// awaitFile waits until a file of the data directory is there.
func (d *daemon) awaitFile(pattern string) {
	d.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if found, _ := filepath.Glob(filepath.Join(d.data(), pattern)); len(found) > 0 {
			return
		}
	}
	d.t.Fatalf("no file %s appears", pattern)
}

// fileOf is what a file holds of the artifacts of a build's first job.
func (d *daemon) fileOf(b client.Build, path string) string {
	d.t.Helper()
	f, err := d.ArtifactFile(d.t.Context(), b.ID, b.Jobs[0].ID, path)
	if err != nil {
		d.t.Fatalf("the artifact %s of %s: %v", path, b.ID, err)
	}
	defer f.Close()
	text, _ := io.ReadAll(f)
	return strings.TrimSpace(string(text))
}

// assertClean checks that nothing is left on the engine or the disk, and that the daemon's files are sound. It stops
// the daemon.
func (d *daemon) assertClean() {
	d.t.Helper()
	t := d.t.(*testing.T)
	assertNothingLeft(t, d)
	assertEngineClean(t, d.instance)
	d.check()
}

// assertEngineClean waits until the engine has nothing that bears an instance's id.
func assertEngineClean(t *testing.T, instance string) {
	t.Helper()
	for _, args := range [][]string{{"ps", "-aq"}, {"network", "ls", "-q"}, {"volume", "ls", "-q"}} {
		for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			out, err := exec.Command("docker", append(args, "--filter", "label=runner.instance="+instance)...).Output()
			if err == nil && len(out) == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("docker %s tells of leftovers: %s (%v)", args[0], out, err)
				break
			}
		}
	}
}
