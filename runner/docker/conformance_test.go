package docker

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/runner-ci/runner/internal/enginetest"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/conformance"
)

// realAgent builds the agent that is embedded in releases.
var realAgent = sync.OnceValues(func() ([]byte, error) {
	return build("github.com/runner-ci/runner/cmd/agent")
})

// here is the package's directory, whatever directory a test changes to.
var here, _ = os.Getwd()

// build compiles a static Linux binary.
func build(pkg string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "runner-agent-test-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "agent")
	cmd := exec.Command("go", "build", "-o", bin, pkg)
	cmd.Dir = here
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, &buildError{pkg, string(out), err}
	}
	return os.ReadFile(bin)
}

type buildError struct {
	pkg, said string
	err       error
}

func (b *buildError) Error() string {
	return "building " + b.pkg + ": " + b.err.Error() + "\n" + b.said
}

func TestConformance(t *testing.T) {
	t.Parallel()
	eachMode(t, func(t *testing.T, mode func(*Options)) {
		var o Options
		mode(&o)
		conform(t, o.Workspace == workspaceCopy, func(t *testing.T, network func(*Options)) runner.Executor {
			return newEngine(t, mode, network, realAgentOption)
		})
	})
}

// conform tells every story. Sandboxes without a network are half the engine's work, and have no services, which
// TestServices has in each mode; in slow runs none is without.
func conform(t *testing.T, offline bool, newExecutor func(t *testing.T, network func(*Options)) runner.Executor) {
	abilities, network := []conformance.Ability{conformance.Privileged}, networkNone
	if !offline || os.Getenv("RUNNER_SLOW") != "" {
		abilities, network = append(abilities, conformance.Services), ""
	}
	conformance.Run(t, func(t *testing.T) (runner.Executor, string) {
		return newExecutor(t, func(o *Options) { o.Network = network }), enginetest.BusyboxRef
	}, abilities...)
}

func realAgentOption(o *Options) { o.Agent = func(string) ([]byte, error) { return realAgent() } }

// TestConformanceOfWarmSandboxes tells every story in sandboxes that were made ahead of their jobs.
func TestConformanceOfWarmSandboxes(t *testing.T) {
	t.Parallel()
	conform(t, true, func(t *testing.T, network func(*Options)) runner.Executor {
		return &warmed{newEngine(t, mountMode, network, realAgentOption)}
	})
}

// warmed makes sandboxes ahead wherever it can.
type warmed struct{ *executor }

// executor is Engine under a name that no method has.
type executor = Engine

func (w *warmed) Create(ctx context.Context, spec runner.SandboxSpec) error {
	if w.CanWarm(ctx, spec) != nil {
		return w.executor.Create(ctx, spec)
	}
	if err := w.Warm(ctx, spec); err != nil {
		return err
	}
	return w.Fill(ctx, spec)
}

// TestIsolationOfWarmSandboxes compares them with cold ones.
func TestIsolationOfWarmSandboxes(t *testing.T) {
	t.Parallel()
	conformance.Warm(t, func(t *testing.T) (runner.Executor, string) {
		return newEngine(t, mountMode, realAgentOption), enginetest.BusyboxRef
	})
}
