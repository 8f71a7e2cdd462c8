package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// slowSuite writes a failed test, and then takes its time until a file says that it may end.
func slowSuite() map[string]string {
	return map[string]string{
		"test_calc.py": "def test_add():\n    x = 4\n    assert x == 5\n",
		"buildspec.yml": `version: 0.2
env:
  image: ` + image + `
phases:
  build:
    commands:
      - mkdir -p out
      - echo '<testsuite name="s"><testcase classname="test_calc" name="test_add" file="test_calc.py" line="3"><failure message="expected 5, found 4">…</failure></testcase></testsuite>' >out/unit.xml
      - sleep 20 # pytest would have run here
      - exit 1
reports:
  unit:
    files: ['*.xml']
    base-directory: out
`}
}

// failing waits until a build that goes on is known to fail.
func (d *daemon) failing(id string) client.Build {
	d.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		b, err := d.Build(d.t.Context(), id)
		if err != nil {
			d.t.Fatal(err)
		}
		if b.Tests != nil && b.Tests.Failing {
			return b
		}
		if b.Status != "IN_PROGRESS" || time.Now().After(deadline) {
			d.t.Fatalf("the build is %s and not known to fail: %+v\n%s", b.Status, b.Tests, d.log)
		}
	}
}

func TestABuildFailsFromItsFirstFailedTestOn(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, url, commit := git.repo("api", slowSuite())
	d := newDaemon(t, "slots: 3\n", project("api", url))
	id := d.push(url, commit)
	b := d.failing(id)
	if f := b.Tests.Failures; b.Status != "IN_PROGRESS" || len(f) != 1 || !f[0].Early || !f[0].New || f[0].FirstCommit != commit || f[0].Message != "expected 5, found 4" ||
		f[0].Command != "pytest test_calc.py::test_add" || len(f[0].Excerpt) != 3 || f[0].Excerpt[2].Text != "    assert x == 5" {
		t.Fatalf("the build is %s with the failures %+v", b.Status, f)
	}
	d.kill()
	d.start()
	out, errs, exit := d.runCLI(repo.Dir, "show", id)
	for _, want := range []string{"failing", "expected 5, found 4", "> 3 |     assert x == 5", "never run before", "pytest test_calc.py::test_add"} {
		if exit != 0 || !strings.Contains(out, want) {
			t.Errorf("runner show exited %d and lacks %q after a restart:\n%s%s", exit, want, out, errs)
		}
	}
	b = d.settled(d.ended(id, "FAILED"))
	if got := b.Tests; got.Total != 1 || got.Failed != 1 || !got.Failing || len(got.Failures) != 1 {
		t.Errorf("in the end the tests came to %+v, want the test once", got)
	}
}

func TestSubmitLeavesAtTheFirstFailure(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	repo, url, _ := git.repo("api", slowSuite())
	d := newDaemon(t, "slots: 3\n", project("api", url))
	if err := os.WriteFile(filepath.Join(repo.Dir, "more.txt"), []byte("changed"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, exit := d.runCLI(repo.Dir, "submit", "--project", "api", "--first-failure")
	for _, want := range []string{"expected 5, found 4", "> 3 |     assert x == 5", "api#1 goes on"} {
		if exit != 1 || !strings.Contains(out, want) {
			t.Errorf("runner submit --first-failure exited %d and lacks %q:\n%s%s", exit, want, out, errs)
		}
	}
	if b, err := d.Build(t.Context(), "api#1"); err != nil || b.Status != "IN_PROGRESS" {
		t.Errorf("the build is %s (%v), want it to go on", b.Status, err)
	}
	out, errs, exit = d.runCLI(repo.Dir, "submit", "--project", "api", "--first-failure", "--json")
	var said struct{ Build client.Build }
	if err := json.Unmarshal([]byte(out), &said); err != nil || exit != 1 || said.Build.Tests == nil || len(said.Build.Tests.Failures) != 1 {
		t.Errorf("with --json it exited %d (%v):\n%s%s", exit, err, out, errs)
	}
	d.ended("api#1", "FAILED")
}

// TestAReportThatFlipsInALoop: a job rewrites its report with each command, more often than early reports are taken. What
// it says in the end counts, though the daemon dies in between.
func TestAReportThatFlipsInALoop(t *testing.T) {
	t.Parallel()
	files := map[string]string{"w.sh": `fail='<failure message="no"/>'; [ $(($1 % 2)) = 1 ] || fail=
echo "<testsuite name='s'><testcase classname='c' name='flips'>$fail</testcase><testcase classname='c' name='t$1'>$fail</testcase></testsuite>" >out.xml
`}
	var commands strings.Builder
	for i := range 81 {
		fmt.Fprintf(&commands, "      - sh w.sh %d; sleep 0.05\n", i)
	}
	files["buildspec.yml"] = "version: 0.2\nenv:\n  image: " + image + "\nphases:\n  build:\n    commands:\n" + commands.String() + "reports:\n  unit:\n    files: [out.xml]\n"
	git := newGitServer(t)
	_, url, commit := git.repo("flips", files)
	d := newDaemon(t, "slots: 3\n", project("flips", url))
	id := d.push(url, commit)
	if b := d.failing(id); len(b.Tests.Failures) == 0 || len(b.Tests.Failures) > 10 {
		t.Errorf("%d failures are explained, want 1 to 10", len(b.Tests.Failures))
	}
	d.kill()
	d.start()
	b := d.settled(d.ended(id, "SUCCEEDED"))
	if got := b.Tests; got.Failing || len(got.Failures) != 0 || got.Total != 2 || got.Passed != 2 {
		t.Errorf("in the end the tests came to %+v, want 2 that passed and none that is known to fail", got)
	}
	d.assertClean()
}
