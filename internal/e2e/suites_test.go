package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/runner-ci/runner/client"
)

// realSuite is an example's own tests, divided by the daemon.
type realSuite struct {
	name, example, image string
	change               []string // of its buildspec: old and new, in turn
	tests                int      // that the suite has, as its tool says on one machine
	slow                 bool
}

var realSuites = []realSuite{
	{name: "python", example: "python-lib", image: "python:3", tests: 276, change: []string{
		"parallelism: 3", "parallelism: 4",
		"x-runner:\n  sharding: timing # with further tries the shards take what is left, the longest first\n  tests:\n    retry: 1\n", "",
	}},
	{name: "go", example: "go-service", image: "golang:1.26", tests: 96, slow: true, change: []string{"x-runner:\n  sharding: queue\n", ""}},
	{name: "node", example: "node-app", image: "node:18", tests: 119, slow: true, change: []string{
		"build-matrix:\n    dynamic:\n      env:\n        variables:\n          # A second list, of images say, would make a job for each combination.\n          SUITE:\n            - markdown\n            - search\n            - server\n",
		"build-fanout:\n    parallelism: 4\n",
		"node --test \\\n", "codebuild-tests-run --files-search \"codebuild-glob-search 'test/**/*.test.js'\" --test-command 'node --test \\\n",
		" \\\n          \"test/$SUITE/\"", "'",
		"notes-$SUITE", "notes",
	}},
}

// TestRealSuitesAreDivided builds examples with the strategies by which the daemon divides. The report has every test of
// the suite, however many times a shard ran its tool, and whatever file that wrote anew each time.
func TestRealSuitesAreDivided(t *testing.T) {
	for _, suite := range realSuites {
		t.Run(suite.name, func(t *testing.T) {
			if suite.slow && os.Getenv("RUNNER_SLOW") != "1" {
				t.Skip("builds a suite that takes long; set RUNNER_SLOW=1")
			}
			images(t, suite.image)
			git := newGitServer(t)
			repo, url, _ := git.repo(suite.name, nil)
			if err := os.CopyFS(repo.Dir, os.DirFS(filepath.Join("../../examples", suite.example))); err != nil {
				t.Fatal(err)
			}
			spec, err := os.ReadFile(filepath.Join(repo.Dir, "buildspec.yml"))
			if err != nil {
				t.Fatal(err)
			}
			text := strings.NewReplacer(suite.change...).Replace(string(spec))
			d := newDaemon(t, "slots: 4\n", project(suite.name, url))
			for _, strategy := range []string{"timing", "queue"} {
				if err := repo.Write("buildspec.yml", text+"x-runner:\n  sharding: "+strategy+"\n"); err != nil {
					t.Fatal(err)
				}
				commit, err := repo.Commit(t.Context(), strategy)
				if err != nil {
					t.Fatal(err)
				}
				b := d.settled(d.ended(d.push(url, commit), "SUCCEEDED"))
				suite.compare(d, b, strategy)
			}
			d.assertClean()
		})
	}
}

// compare holds what the tests of a build came to against what the suite has.
func (suite realSuite) compare(d *daemon, b client.Build, strategy string) {
	d.t.Helper()
	if got := b.Tests; got.Total != suite.tests || got.Failed+got.Error > 0 || got.Incomplete || got.Shards != 4 {
		d.t.Errorf("with %s the tests came to %+v, want %d that pass, of 4 shards\n%s", strategy, got, suite.tests, d.logs(b))
	}
	again := strings.Contains(d.logs(b), "batch 2)")
	if again != (strategy == "queue") {
		d.t.Errorf("a shard had several batches with %s: %t", strategy, again)
	}
	if knows := !strings.Contains(d.logs(b), "0 are of known duration"); strategy == "queue" && !knows {
		d.t.Errorf("the second build knows nothing of how long tests took in the first:\n%s", d.logs(b))
	}
}
