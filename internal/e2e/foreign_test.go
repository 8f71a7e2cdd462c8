package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// cobraSpec runs cobra's own tests in four shards: test functions are listed, and each shard runs its part of them.
const cobraSpec = `version: 0.2
env:
  image: runner-test/golang:1.26
  variables:
    CGO_ENABLED: "0"
    GOPROXY: file:///proxy
    # Two of the tests expect that a read-only file cannot be written, which holds for everybody but root.
    AS_ORDINARY: setpriv --bounding-set=-dac_override,-dac_read_search
    GONOSUMDB: '*'
    GONOSUMCHECK: '1'
batch:
  build-fanout:
    parallelism: 4
phases:
  build:
    commands:
      - |
        codebuild-tests-run \
          --files-search 'go test -list . ./... | grep ^Test | sort -u' \
          --test-command 'go test -v -exec "$AS_ORDINARY" ./... -run "^($(printf %s "$CODEBUILD_CURRENT_SHARD_FILES" | tr "\n" "|"))\$"'
`

// moduleSource copies what the Go module proxy serves of a module into dir, and makes sure that what it depends on
// is in the module cache.
func moduleSource(t *testing.T, module, dir string) {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("fetching %s: %v\n%s", module, err, out)
	}
	var got struct{ Dir string }
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(got.Dir)); err != nil {
		t.Fatal(err)
	}
	// The module cache is read-only; a repository is not.
	err = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.Type()&os.ModeSymlink != 0 {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return os.Chmod(path, info.Mode().Perm()|0o200)
	})
	if err != nil {
		t.Fatal(err)
	}
	deps := exec.Command("go", "mod", "download", "all")
	deps.Dir = dir
	if out, err := deps.CombinedOutput(); err != nil {
		t.Fatalf("fetching what %s depends on: %v\n%s", module, err, out)
	}
}

func images(t testing.TB, names ...string) {
	t.Helper()
	if out, err := exec.Command("../../scripts/images", names...).CombinedOutput(); err != nil {
		t.Fatalf("making the images %v: %v\n%s", names, err, out)
	}
}

func TestCodeThatNobodyHereWroteRunsInFourShards(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("builds a public module in four sandboxes, as the examples do with ours: set RUNNER_SLOW=1 to run it")
	}
	images(t, "golang:1.26")
	git := newGitServer(t)
	repo, url, _ := git.repo("cobra", nil)
	moduleSource(t, "github.com/spf13/cobra@v1.10.2", repo.Dir)
	if err := repo.Write("buildspec.yml", cobraSpec); err != nil {
		t.Fatal(err)
	}
	commit, err := repo.Commit(t.Context(), "as the proxy serves it")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	proxy := filepath.Join(strings.TrimSpace(string(cache)), "cache", "download")
	settings := fmt.Sprintf("slots: 4\nengines:\n  - id: local\n    mounts:\n      - {source: %s, target: /proxy}\n", proxy)
	d := newDaemon(t, settings, project("cobra", url))
	b := d.ended(d.push(url, commit), "SUCCEEDED")
	if len(b.Jobs) != 4 {
		t.Fatalf("the build has %d jobs, want 4", len(b.Jobs))
	}
	// Every test that the suite has ran in one shard or another.
	listed := exec.Command("go", "test", "-list", ".", "./...")
	listed.Dir = repo.Dir
	out, err := listed.Output()
	if err != nil {
		t.Fatalf("listing the tests: %v\n%s", err, out)
	}
	log := d.logs(b)
	missing := 0
	for _, name := range regexp.MustCompile(`(?m)^Test\w+$`).FindAllString(string(out), -1) {
		if !strings.Contains(log, "=== RUN   "+name+"\n") {
			missing++
			t.Logf("%s did not run", name)
		}
	}
	if missing > 0 {
		t.Errorf("%d tests ran in no shard", missing)
	}
	for _, j := range b.Jobs {
		if n := strings.Count(d.jobLog(b.ID, j.ID), "=== RUN   Test"); n == 0 {
			t.Errorf("%s ran no test", j.Name)
		}
	}
}
