//go:build linux

package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/runner-ci/runner/internal/leak"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/conformance"
)

var agentPath string

// TestMain builds the agent once, as it is built for release.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "runner-agent-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		agentPath = filepath.Join(dir, "agent")
		build := exec.Command("go", "build", "-o", agentPath, "github.com/runner-ci/runner/cmd/agent")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building the agent: %v\n%s", err, out)
			return 1
		}
		return leak.Run(m)
	}())
}

func newTestExecutor(t *testing.T) *Executor {
	t.Helper()
	ex, err := New(Options{Engine: "host", Instance: "test-instance", Root: filepath.Join(t.TempDir(), "sandboxes"), AgentPath: agentPath})
	if err != nil {
		t.Fatal(err)
	}
	return ex
}

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) (runner.Executor, string) {
		ex := newTestExecutor(t)
		return ex, "host"
	})
}
