package docker

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/conformance"
)

func TestEngineInside(t *testing.T) {
	if os.Getenv("RUNNER_SLOW") == "" {
		t.Skip("starts engines within engines, which takes a minute; set RUNNER_SLOW=1 to run it")
	}
	e := newEngine(t, func(o *Options) { o.Agent = func(string) ([]byte, error) { return realAgent() } })
	if out, err := exec.Command(filepath.Join(here, "../../scripts/images"), "dind").CombinedOutput(); err != nil {
		t.Fatalf("making the image: %v\n%s", err, out)
	}
	conformance.EngineInside(t, func(*testing.T) (runner.Executor, string) { return e, "runner-test/dind:latest" })
}
