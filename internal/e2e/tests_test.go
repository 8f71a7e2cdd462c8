package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// junitSuite is a repository whose test files are shell scripts. Each shard writes one JUnit file and one LCOV file of
// what it was given.
func junitSuite() map[string]string {
	files := map[string]string{"buildspec.yml": `version: 0.2
env:
  image: ` + image + `
batch:
  fast-fail: false
  build-fanout:
    parallelism: 3
phases:
  build:
    commands:
      - mkdir -p out
      - codebuild-tests-run --test-command 'sh run.sh' --files-search "codebuild-glob-search 'tests/**/*_test.sh'"
reports:
  unit:
    files: ['*.xml']
    base-directory: out
  lines:
    files: ['*.info']
    base-directory: out
    file-format: LCOV
  never:
    files: ['nowhere/*.xml']
`, "run.sh": `status=0
{ echo '<testsuite name="shell">'; for f in "$@"; do
  if message=$(sh $f); then echo "<testcase classname='shell' name='$f' time='0.5'/>"
  else status=1; echo "<testcase classname='shell' name='$f' file='$f' line='1' time='1.5'><failure message='$message'>$f:1: it broke</failure></testcase>"; fi
done; echo '</testsuite>'; } >out/unit.xml
{ echo "SF:lib.sh"; n=0; for f in "$@"; do n=$(basename $f _test.sh); echo "DA:${n#t},1"; done; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "DA:$i,0"; done; echo end_of_record; } >out/lib.info
exit $status
`}
	for i := 1; i <= 9; i++ {
		files[fmt.Sprintf("tests/t%d_test.sh", i)] = "exit 0\n"
	}
	files["tests/t7_test.sh"] = "echo expected 4, found 5; exit 3\n"
	return files
}

// settled waits until the reports of an ended build were read.
func (d *daemon) settled(b client.Build) client.Build {
	d.t.Helper()
	b, err := d.Settled(d.t.Context(), b)
	if err != nil || b.Tests == nil || b.Tests.Pending {
		d.t.Fatalf("the build tells of no tests: %+v (%v)\n%s", b.Tests, err, d.log)
	}
	return b
}

func TestReportsOfShardsBecomeOne(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, url, commit := git.repo("api", junitSuite())
	d := newDaemon(t, "slots: 3\n", project("api", url))
	b := d.settled(d.ended(d.push(url, commit), "FAILED"))
	if got := b.Tests; got.Passed != 8 || got.Failed != 1 || got.Total != 9 || got.Shards != 3 || !got.Incomplete ||
		got.Coverage == nil || got.Coverage.CoveredLines != 9 || got.Coverage.Lines != 12 {
		t.Errorf("the tests came to %+v with coverage %+v; want 8 passed, 1 failed, 3 shards, 9 of 12 lines", got, got.Coverage)
	}
	all, err := d.Tests(t.Context(), b.ID, client.TestOptions{Status: "all"})
	if err != nil || len(all.Items) != 9 {
		t.Fatalf("%d tests (%v), want each of 9 once: %+v", len(all.Items), err, all.Items)
	}
	groups := map[string]client.TestGroup{}
	for _, g := range all.Groups {
		groups[g.Name] = g
	}
	if len(groups) != 3 || groups["unit"].Status != "FAILED" || groups["unit"].Files != 3 || groups["lines"].Status != "SUCCEEDED" || groups["never"].Status != "INCOMPLETE" {
		t.Errorf("groups are %+v", all.Groups)
	}
	out, errs, exit := d.runCLI(repo.Dir, "tests", "failures", "api#1")
	for _, want := range []string{"tests/t7_test.sh", "expected 4, found 5", "tests/t7_test.sh:1", "8 passed, 1 failed, 3 shards", "coverage  75.0 % of 12 lines"} {
		if exit != 0 || !strings.Contains(out, want) {
			t.Errorf("runner tests failures exited %d and lacks %q:\n%s%s", exit, want, out, errs)
		}
	}
	if out, errs, exit := d.runCLI(repo.Dir, "show", "api#1"); exit != 0 || !strings.Contains(out, "8 passed, 1 failed, 3 shards") || !strings.Contains(out, "expected 4, found 5") {
		t.Errorf("runner show exited %d:\n%s%s", exit, out, errs)
	}
	// Retrying the shard that failed takes the others over, and a second build makes a history.
	again := d.settled(d.ended(d.retried(b.ID, true), "FAILED"))
	if got := again.Tests; got.Total != 9 || got.Failed != 1 || got.Shards != 3 {
		t.Errorf("the retry's tests came to %+v, want those of the shards that it took over, too", got)
	}
	out, errs, exit = d.runCLI(repo.Dir, "tests", "failing", "api", "--json")
	var trends []client.TestTrend
	if err := json.Unmarshal([]byte(out), &trends); err != nil || exit != 0 || len(trends) != 1 || trends[0].Since == nil || trends[0].Since.Build != "api#1" || trends[0].Failed != 2 {
		t.Fatalf("runner tests failing exited %d (%v):\n%s%s", exit, err, out, errs)
	}
	if out, errs, exit := d.runCLI(repo.Dir, "tests", "history", trends[0].ID, "--project", "api"); exit != 0 || strings.Count(out, "FAILED") != 2 {
		t.Errorf("runner tests history exited %d:\n%s%s", exit, out, errs)
	}
	if out, errs, exit := d.runCLI(repo.Dir, "tests", "slowest", "api"); exit != 0 || strings.Index(out, "t7_test.sh") > strings.Index(out, "t1_test.sh") {
		t.Errorf("runner tests slowest exited %d, want the test that took longest first:\n%s%s", exit, out, errs)
	}
	if _, errs, exit := d.runCLI(repo.Dir, "tests", "history", "no such test", "--project", "api"); exit != 2 || !strings.Contains(errs, "hint:") {
		t.Errorf("the history of a test that is none exited %d:\n%s", exit, errs)
	}
}

func TestADaemonThatDiesStillReadsTheReports(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("api", junitSuite())
	d := newDaemon(t, "slots: 3\n", project("api", url))
	id := d.push(url, commit)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		b, err := d.Build(t.Context(), id)
		if err == nil && len(b.Jobs) == 3 && (b.Jobs[0].State == "ended" || b.Jobs[1].State == "ended" || b.Jobs[2].State == "ended") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no shard ended")
		}
	}
	d.kill()
	d.start()
	b := d.settled(d.ended(id, "FAILED"))
	if got := b.Tests; got.Total != 9 || got.Failed != 1 || got.Shards != 3 {
		t.Errorf("the tests came to %+v, want 9, each once", got)
	}
}

// tests compares what the tests of a vector's build came to.
func (j *judge) tests(rest string) string {
	t := j.d.settled(j.b).Tests
	return differs(fmt.Sprintf("%d %d %d %d", t.Passed, t.Failed+t.Error, t.Skipped, t.Flaky), rest)
}

func (j *judge) coverage(rest string) string {
	c := j.d.settled(j.b).Tests.Coverage
	if c == nil {
		return "its reports tell of no coverage"
	}
	return differs(fmt.Sprintf("%d %d", c.CoveredLines, c.Lines), rest)
}
