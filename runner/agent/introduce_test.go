//go:build linux

package agent

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/runner-ci/runner/runner/wire"
)

var stamp = regexp.MustCompile(`(?m)^\[Container\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6} `)

// TestTheLogHasCodeBuildsForm runs one job of every kind of line and compares its log with a file, which is what
// programs that read CodeBuild's logs rely on.
func TestTheLogHasCodeBuildsForm(t *testing.T) {
	s := newSandbox(t)
	job := s.job("VERSION=1.2", "printf half", "echo one\nexit 3", "echo never")
	job.Env = []wire.Var{{Name: "CODEBUILD_CONFIG_AUTO_DISCOVER", Value: "false"}, {Name: "TOKEN", Value: "hunter2-is-secret"}}
	job.Secrets = []string{"hunter2-is-secret"}
	job.Buildspec = "ci/buildspec.yml"
	job.Exported = []string{"VERSION", "MISSING"}
	job.Phases[0].Finally = []string{"echo \"last exit $CODEBUILD_LAST_EXIT\"", "echo hunter2-is-secret; false", "echo all of finally"}
	job.Phases = []wire.Phase{
		{Name: wire.PhaseInstall},
		{Name: wire.PhasePreBuild, Commands: []string{"false"}, OnFailure: "CONTINUE"},
		job.Phases[0],
		{Name: wire.PhasePostBuild, Commands: []string{"echo succeeding $CODEBUILD_BUILD_SUCCEEDING", "exit 1"}, OnFailure: "ABORT"},
	}
	got := stamp.ReplaceAllString(s.run(job).log, "[Container] 2024/02/19 11:48:37.123456 ")
	got = strings.ReplaceAll(got, s.src, "/codebuild/output/src")
	file := filepath.Join("testdata", "log.golden")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the log is\n%s\nwant (%s; UPDATE_GOLDEN=1 writes it anew)\n%s", got, file, want)
	}
}
