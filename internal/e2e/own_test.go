package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRunnerBuildsItself runs our own buildspec.yml on the committed state, as `runner run` does in a clone: four
// shards, no network, the built binary as their artifact.
func TestRunnerBuildsItself(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("compiles Runner four times over; set RUNNER_SLOW=1 to run it")
	}
	images(t, "runner-build:latest")
	clone := filepath.Join(t.TempDir(), "runner")
	if out, err := exec.CommandContext(t.Context(), "git", "clone", "--quiet", "../..", clone).CombinedOutput(); err != nil {
		t.Fatalf("cloning this repository: %v\n%s", err, out)
	}
	kept := t.TempDir()
	env := append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir(), "RUNNER_URL=", "RUNNER_TOKEN=")
	out, errs, exit := runCLI(t, clone, env, "run", "--artifacts", kept)
	if exit != 0 {
		t.Fatalf("runner run exited %d:\n%s%s", exit, out, errs)
	}
	// Together the shards test every package that needs no engine.
	list := exec.CommandContext(t.Context(), "scripts/engineless")
	list.Dir = clone
	packages, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(packages)) {
		tested := regexp.MustCompile(`(ok|\?)\s+\S*` + regexp.QuoteMeta(strings.TrimPrefix(name, ".")) + `\s`) // "?": it has no tests
		if !tested.MatchString(out) {
			t.Errorf("no shard tells of %s", name)
		}
	}
	if built, _ := filepath.Glob(filepath.Join(kept, "*", "bin", "runner")); len(built) != 4 {
		t.Errorf("%d shards left bin/runner, want 4 (%q)", len(built), built)
	}
}
