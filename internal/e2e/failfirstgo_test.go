package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
)

// TestAPackageOfGoIsTriedAgain: go test names what failed, so packages run together, and the events of the further try
// make the one test flaky in the report. A package that does not compile is not tried again.
func TestAPackageOfGoIsTriedAgain(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("compiles tests of Go in each of its sandboxes, as TestGoTellsWhichTestsFailed does: set RUNNER_SLOW=1")
	}
	t.Parallel()
	files := map[string]string{
		"buildspec.yml": `version: 0.2
env: {image: runner-test/golang:1.26, variables: {GOTOOLCHAIN: local, GOFLAGS: -mod=mod}}
batch:
  fast-fail: false
  build-fanout: {parallelism: 2}
phases:
  build:
    commands:
      - codebuild-tests-run --files-search "go list ./..." --test-command "go test"
x-runner: {tests: {retry: 1}}
`,
		"go.mod":           "module example.com/m\n\ngo 1.26\n",
		"good/a_test.go":   "package good\n\nimport \"testing\"\n\nfunc TestGood(t *testing.T) {}\n",
		"flaky/a_test.go":  "package flaky\n\nimport (\n\t\"os\"\n\t\"strings\"\n\t\"testing\"\n)\n\nfunc TestAlways(t *testing.T) {}\n\nfunc TestFlaky(t *testing.T) {\n\tif !strings.Contains(os.Getenv(\"RUNNER_TEST_RUN\"), \"retry-\") {\n\t\tt.Fatal(\"not yet\")\n\t}\n}\n",
		"broken/a_test.go": "package broken\n\nimport \"testing\"\n\nfunc TestBroken(t *testing.T) { nothing() }\n",
	}
	git := newGitServer(t)
	_, url, commit := git.repo("go", files)
	d := newDaemon(t, "slots: 2\n", project("go", url))
	b := d.settled(d.ended(d.push(url, commit), "FAILED"))
	if got := b.Tests; got.Passed != 2 || got.Flaky != 1 {
		t.Errorf("the tests came to %+v, want 2 passed, 1 flaky", got)
	}
	all, err := d.Tests(t.Context(), b.ID, client.TestOptions{Status: "all"})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all.Items {
		if one.Flaky != strings.Contains(one.ID, "TestFlaky") {
			t.Errorf("%s is flaky: %t", one.ID, one.Flaky)
		}
	}
	again := 0
	for _, j := range b.Jobs {
		log := d.jobLog(b.ID, j.ID)
		again += strings.Count(log, "and will be tried again")
		if strings.Contains(log, "m/broken failed and will be tried again") {
			t.Errorf("what does not compile is tried again:\n%s", log)
		}
	}
	if again != 1 {
		t.Errorf("%d packages were tried again, want the flaky one", again)
	}
	d.assertClean()
}
