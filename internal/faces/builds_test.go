package faces

import (
	"fmt"
	"sync"
	"testing"

	"github.com/runner-ci/runner/client"
)

// suite is a repository whose tests are shell scripts, run by three shards. Each shard leaves a JUnit file.
func suite() map[string]string {
	files := map[string]string{"buildspec.yml": `version: 0.2
env:
  image: ` + image + `
batch:
  fast-fail: false
  build-fanout:
    parallelism: 3
phases:
  install:
    commands:
      - echo installing nothing
  build:
    commands:
      - mkdir -p out
      - codebuild-tests-run --test-command 'sh run.sh' --files-search "codebuild-glob-search 'tests/*_test.sh'"
artifacts:
  files: ['out/*']
reports:
  unit: {files: ['out/*.xml']}
`, "run.sh": `status=0
{ echo '<testsuite name="cache">'; for f in "$@"; do
  case $f in *t7*) took=0.3 ;; *) took=0.2 ;; esac
  if message=$(sh $f); then echo "<testcase classname='cache' name='$f' file='$f' line='2' time='$took'/>"; echo "ok   $f" >&2
  else status=1; echo "<testcase classname='cache' name='$f' file='$f' line='2' time='0.4'><failure message='$message'>$f:2: $message</failure></testcase>"; printf '\033[31mFAIL\033[0m %s\n' "$f" >&2; fi
done; echo '</testsuite>'; } >out/unit-$$.xml
exit $status
`}
	for i := 1; i <= 9; i++ {
		files[fmt.Sprintf("tests/t%d_test.sh", i)] = "# a test of the cache\nexit 0\n"
	}
	return files
}

// broken is what suite's seventh test becomes when it fails.
var broken = map[string]string{"tests/t7_test.sh": "# two audiences share nothing\necho 'got the token of orders'; exit 1\n"}

// api is a project with a green build and then a red one, in which one of nine tests fails.
var api struct {
	once       sync.Once
	repo       *repo
	green, red client.Build
}

// theAPI returns it, built by the first story that asks.
func theAPI(t testing.TB) (r *repo, green, red client.Build) {
	t.Helper()
	w := daemon(t)
	api.once.Do(func() {
		api.repo = w.project(t, "api", suite(), nil)
		api.green = w.ended(t, api.repo.push(), "SUCCEEDED")
		api.repo.commit("Cache tokens by audience", broken)
		api.red = w.ended(t, api.repo.push(), "FAILED")
	})
	if api.red.ID == "" {
		t.Fatal("the builds of project api could not be made, as another story has told")
	}
	return api.repo, api.green, api.red
}

// endless is a buildspec that prints a line each tenth of a second until it is stopped.
const endless = "version: 0.2\nenv: {image: '" + image + "'}\nphases:\n  build:\n    commands:\n      - n=0; while true; do n=$((n+1)); echo \"line $n\"; sleep 0.1; done\n"
