package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// oneReport is the name of a report that each run of a test command writes over.
const oneReport = "unit"

// flakySuite is a repository of 12 tests, of which some fail whenever they are tried for the first time. Each run of its
// test command writes a JUnit file of that name.
func flakySuite(report, policy string, seconds float64, flaky ...int) map[string]string {
	files := suiteFiles(12, "queue", seconds, -1)
	files["buildspec.yml"] += "  tests: " + policy + "\nreports: {unit: {files: ['out/*.xml']}}\n"
	files["run.sh"] = `mkdir -p out; s=0
{ echo '<testsuite name="shell">'; for f in "$@"; do
  if sh $f >&2; then echo "<testcase classname='shell' name='$f' time='0.1'/>"; echo "ran $f." >&2
  else s=1; echo "<testcase classname='shell' name='$f' time='0.1'><failure message='at first'/></testcase>"; fi
done; echo '</testsuite>'; } >out/` + report + `.xml
exit $s
`
	for _, i := range flaky {
		files[fmt.Sprintf("tests/t%02d.sh", i)] = fmt.Sprintf("sleep %g\ncase $RUNNER_TEST_RUN in *retry-*) ;; *) echo not yet; exit 3;; esac\n", seconds)
	}
	return files
}

// TestOnlyWhatFailedIsTriedAgain: what fails and then passes is flaky, in the log and in the report, and fails the build
// only where that is wanted, or where the budget does not reach.
func TestOnlyWhatFailedIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, report          string
		policy, status        string
		fails                 []int
		passed, failed, flaky int
	}{
		{"flaky", oneReport, "{retry: 1}", "SUCCEEDED", []int{7}, 11, 0, 1},
		{"flaky, in reports of its own", "$RUNNER_TEST_RUN", "{retry: 1}", "SUCCEEDED", []int{7}, 11, 0, 1},
		{"flaky fails", oneReport, "{retry: 1, flaky: fail}", "FAILED", []int{7}, 11, 0, 1},
		{"over the budget", oneReport, "{retry: {each: 1, tests: 2}}", "FAILED", []int{2, 7, 9}, 9, 1, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			git := newGitServer(t)
			_, url, commit := git.repo("flaky", flakySuite(tt.report, tt.policy, 0.05, tt.fails...))
			d := newDaemon(t, "slots: 4\n", project("flaky", url))
			b := d.settled(d.ended(d.push(url, commit), tt.status))
			if got := b.Tests; got.Total != 12 || got.Passed != tt.passed || got.Failed != tt.failed || got.Flaky != tt.flaky {
				t.Errorf("the tests came to %+v, want %d passed, %d failed, %d flaky of 12", got, tt.passed, tt.failed, tt.flaky)
			}
			var logs strings.Builder
			for _, j := range b.Jobs {
				logs.WriteString(d.jobLog(b.ID, j.ID))
			}
			if n := strings.Count(logs.String(), "failed before and passed now, so it is flaky"); n != tt.flaky {
				t.Errorf("the logs tell of %d flaky tests, want %d:\n%s", n, tt.flaky, logs.String())
			}
			d.assertClean()
		})
	}
}

// TestAKillBetweenAFailureAndItsNextTry: the daemon dies again and again while tests fail and are tried again.
func TestAKillBetweenAFailureAndItsNextTry(t *testing.T) {
	t.Parallel()
	git := newGitServer(t)
	_, url, commit := git.repo("flaky", flakySuite(oneReport, "{retry: {each: 1, tests: 6}}", 0.6, 0, 3, 6, 9))
	d := newDaemon(t, "slots: 4\n", project("flaky", url))
	id := d.push(url, commit)
	d.awaitPhase(id, "BUILD")
	d.storm(3, time.Second)
	b := d.settled(d.ended(id, "SUCCEEDED"))
	if got := b.Tests; got.Total != 12 || got.Passed != 8 || got.Flaky != 4 {
		t.Errorf("the tests came to %+v, want 8 passed and 4 flaky of 12", got)
	}
	d.assertEachOnce(b, 12)
	d.assertClean()
}
