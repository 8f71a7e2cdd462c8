package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// pythonSuite is a slow file of eight tests, one of which fails at first, and five that take no time. Every run of pytest
// writes the same report.
func pythonSuite(strategy string) map[string]string {
	files := map[string]string{
		"buildspec.yml": `version: 0.2
env: {image: "runner-test/python:3"}
batch:
  fast-fail: false
  build-fanout: {parallelism: 3}
phases:
  build:
    commands:
      - codebuild-tests-run --files-search "codebuild-glob-search 'tests/**/test_*.py'" --test-command 'python3 -m pytest -q --junitxml=out/unit.xml'
reports: {unit: {files: ['out/*.xml']}}
x-runner:
  sharding: ` + strategy + "\n",
		"tests/test_slow.py": `import os
import time
import pytest

@pytest.mark.parametrize("name", ["a b", "c[1]", "it's", "d/e", "f", "g", "h"])
def test_slow(name):
    time.sleep(0.4)

def test_at_first():
    assert os.environ.get("FLAKY", "") == "" or "retry-" in os.environ["RUNNER_TEST_RUN"]
`,
	}
	for i := range 5 {
		files[fmt.Sprintf("tests/test_quick%d.py", i)] = "def test_quick(): pass\n"
	}
	return files
}

// TestASlowFileOfPytestIsSplit in Docker, by both strategies: once it is known to be slow shards share its tests, and each
// counts once in the report.
func TestASlowFileOfPytestIsSplit(t *testing.T) {
	t.Parallel()
	for _, strategy := range []string{"queue", "timing"} {
		t.Run(strategy, func(t *testing.T) {
			t.Parallel()
			git := newGitServer(t)
			repo, url, commit := git.repo("pytest", pythonSuite(strategy))
			d := newDaemon(t, "slots: 3\n", project("pytest", url))
			d.ended(d.push(url, commit), "SUCCEEDED")
			if err := repo.Write("again", "x"); err != nil {
				t.Fatal(err)
			}
			commit, err := repo.Commit(t.Context(), "again")
			if err != nil {
				t.Fatal(err)
			}
			b := d.settled(d.ended(d.push(url, commit), "SUCCEEDED"))
			busy := 0
			for _, j := range b.Jobs {
				if strings.Contains(d.jobLog(b.ID, j.ID), "  tests/test_slow.py#test_slow[") {
					busy++
				}
			}
			if got := b.Tests; busy < 2 || got.Passed != 13 || got.Total != 13 {
				t.Errorf("%d shards shared the slow file, and the tests came to %+v, want 13 passed\n%s", busy, got, d.logs(b))
			}
			d.assertClean()
		})
	}
}

// TestOneTestOfPytestIsTriedAgain: the others of its file are not.
func TestOneTestOfPytestIsTriedAgain(t *testing.T) {
	t.Parallel()
	files := pythonSuite("queue")
	files["buildspec.yml"] = strings.NewReplacer(`"runner-test/python:3"`, `"runner-test/python:3", variables: {FLAKY: 'yes'}`, "unit.xml", "$RUNNER_TEST_RUN.xml").Replace(files["buildspec.yml"]) + "  tests: {retry: 1}\n"
	git := newGitServer(t)
	_, url, commit := git.repo("pytest", files)
	d := newDaemon(t, "slots: 3\n", project("pytest", url))
	b := d.settled(d.ended(d.push(url, commit), "SUCCEEDED"))
	logs := ""
	for _, j := range b.Jobs {
		logs += d.jobLog(b.ID, j.ID)
	}
	if got := b.Tests; got.Total != 13 || got.Passed != 12 || got.Flaky != 1 {
		t.Errorf("the tests came to %+v, want 12 passed and 1 flaky\n%s", got, logs)
	}
	if !strings.Contains(logs, "of tests/test_slow.py only what failed is tried: test_at_first\n") || !strings.Contains(logs, "1 passed, 7 deselected") {
		t.Errorf("not only the failed test was tried again\n%s", logs)
	}
	d.assertClean()
}
