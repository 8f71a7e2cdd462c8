package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/runner-ci/runner/client"
)

// goSuite is a module with one package of twelve tests that take half a second each, and nine that take no time.
func goSuite(cache string) map[string]string {
	files := map[string]string{
		"go.mod": "module example.com/m\n\ngo 1.21\n",
		"buildspec.yml": `version: 0.2
env:
  variables: {GOCACHE: '` + cache + `', GOFLAGS: -mod=mod, GOPROXY: 'off'}
batch:
  fast-fail: false
  build-fanout:
    parallelism: 4
phases:
  build:
    commands:
      - codebuild-tests-run --test-command 'go test -count=1 -v' --files-search "go list ./..."
x-runner:
  sharding: queue
`,
	}
	var slow strings.Builder
	slow.WriteString("package slow\n\nimport (\n\t\"testing\"\n\t\"time\"\n)\n")
	for i := range 12 {
		fmt.Fprintf(&slow, "\nfunc TestSlow%02d(t *testing.T) { time.Sleep(time.Second / 2) }\n", i)
	}
	files["slow/slow_test.go"] = slow.String()
	for i := range 9 {
		files[fmt.Sprintf("p%d/p_test.go", i)] = "package p\n\nimport \"testing\"\n\nfunc TestQuick(t *testing.T) {}\n"
	}
	return files
}

// buildPhase is how long the longest of a build's jobs was in its BUILD phase.
func buildPhase(b client.Build) (longest time.Duration) {
	for _, j := range b.Jobs {
		for _, p := range j.Phases {
			if p.Name == "BUILD" {
				longest = max(longest, time.Duration(p.Seconds*float64(time.Second)))
			}
		}
	}
	return longest
}

// TestASlowPackageIsSplit builds a suite three times: first nothing is known, then one package is known to be slow, then
// its tests are. Every test counts once each time, and shards share the slow package once it is known.
func TestASlowPackageIsSplit(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("builds a suite of Go on the host three times, one after the other: set RUNNER_SLOW=1")
	}
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Skip("go is not installed")
	}
	git := newGitServer(t)
	repo, url, commit := git.repo("below", goSuite(strings.TrimSpace(string(cache))))
	d := newDaemon(t, "slots: 4\nengines:\n  - {id: host, type: process}\n", project("below", url))
	var took [3]time.Duration
	for i := range took {
		b := d.settled(d.ended(d.push(url, commit), "SUCCEEDED"))
		took[i] = buildPhase(b)
		if b.Tests.Passed != 21 || b.Tests.Failed != 0 {
			t.Errorf("build %d has %+v, want 21 tests passed", i+1, b.Tests)
		}
		busy, most := 0, 0
		for _, j := range b.Jobs {
			n := strings.Count(d.jobLog(b.ID, j.ID), "--- PASS: TestSlow")
			most = max(most, n)
			if n > 0 {
				busy++
			}
		}
		if split := busy > 1; split != (i > 0) {
			t.Errorf("in build %d %d shards ran tests of the slow package\n%s", i+1, busy, d.logs(b))
		}
		if i == 2 && most > 6 {
			t.Errorf("with the durations of the tests known, one shard had %d of 12", most)
		}
		if commit, err = repo.Commit(t.Context(), "again"); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("the BUILD phase took %v", took)
}

// TestASplitPackageThatBreaks does not compile any more once it is known to be slow: one shard says so.
func TestASplitPackageThatBreaks(t *testing.T) {
	t.Parallel()
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Skip("go is not installed")
	}
	git := newGitServer(t)
	files := goSuite(strings.TrimSpace(string(cache)))
	repo, url, commit := git.repo("breaks", files)
	d := newDaemon(t, "slots: 4\nengines:\n  - {id: host, type: process}\n", project("breaks", url))
	d.ended(d.push(url, commit), "SUCCEEDED")
	if err := repo.Write("slow/broken_test.go", "package slow\n\nvar x = nowhere\n"); err != nil {
		t.Fatal(err)
	}
	if commit, err = repo.Commit(t.Context(), "break"); err != nil {
		t.Fatal(err)
	}
	b := d.ended(d.push(url, commit), "FAILED")
	logs := ""
	for _, j := range b.Jobs {
		logs += d.jobLog(b.ID, j.ID)
	}
	if n := strings.Count(logs, "undefined: nowhere"); n != 1 {
		t.Errorf("the compile error is told %d times, want once\n%s", n, logs)
	}
	if n := strings.Count(logs, "stays whole: it could not be built"); n != 4 {
		t.Errorf("%d shards say why the package stays whole, want 4\n%s", n, logs)
	}
}

// TestAKillWhileAPackageIsSplit: the daemon dies twice while tests of one package run on several
// shards and one of them is tried again. Each is answered for, and the one that failed at first is flaky.
func TestAKillWhileAPackageIsSplit(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("builds a slow suite twice, with restarts; set RUNNER_SLOW=1 to run it")
	}
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Skip("go is not installed")
	}
	files := goSuite(strings.TrimSpace(string(cache)))
	files["buildspec.yml"] += "  tests: {retry: 1}\n"
	files["slow/flaky_test.go"] = `package slow

import (
	"os"
	"strings"
	"testing"
)

func TestFlaky(t *testing.T) {
	if !strings.Contains(os.Getenv("RUNNER_TEST_RUN"), "retry-") {
		t.Fatal("not yet")
	}
}
`
	git := newGitServer(t)
	repo, url, commit := git.repo("killed", files)
	d := newDaemon(t, "slots: 4\nengines:\n  - {id: host, type: process}\n", project("killed", url))
	for i := range 2 {
		id := d.push(url, commit)
		if i > 0 {
			d.awaitPhase(id, "BUILD")
			d.storm(2, time.Second)
		}
		b := d.settled(d.ended(id, "SUCCEEDED"))
		if got := b.Tests; got.Total != 22 || got.Flaky != 1 || got.Failed != 0 {
			t.Errorf("build %d has %+v, want 21 tests that passed and 1 flaky\n%s", i+1, got, d.logs(b))
		}
		if commit, err = repo.Commit(t.Context(), "again"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestASlowPackageIsSplitByTiming in Docker, where each shard has nothing but the image.
func TestASlowPackageIsSplitByTiming(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("builds the standard library in four sandboxes: set RUNNER_SLOW=1")
	}
	t.Parallel()
	files := goSuite("/tmp/go-build")
	files["buildspec.yml"] = strings.NewReplacer("sharding: queue", "sharding: timing", "parallelism: 4", "parallelism: 2",
		"env:\n", "env:\n  image: runner-test/golang:1.26\n", "GOPROXY: 'off'", "GOPROXY: 'off', GOTOOLCHAIN: local, CGO_ENABLED: '0'").Replace(files["buildspec.yml"])
	git := newGitServer(t)
	repo, url, commit := git.repo("timing", files)
	d := newDaemon(t, "slots: 2\n", project("timing", url))
	for i := range 2 {
		b := d.settled(d.ended(d.push(url, commit), "SUCCEEDED"))
		busy := 0
		for _, j := range b.Jobs {
			if strings.Contains(d.jobLog(b.ID, j.ID), "--- PASS: TestSlow") {
				busy++
			}
		}
		if b.Tests.Passed != 21 || busy != i+1 {
			t.Errorf("in build %d %d shards ran tests of the slow package, and the tests came to %+v, want 21 passed\n%s", i+1, busy, b.Tests, d.logs(b))
		}
		var err error
		if commit, err = repo.Commit(t.Context(), "again"); err != nil {
			t.Fatal(err)
		}
	}
	d.assertClean()
}
