package daemon

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/agentbin"
	"github.com/runner-ci/runner/runner/docker"
	"github.com/runner-ci/runner/runner/process"
)

// executors makes one executor for each configured engine. None of them talks to its engine yet, so that a daemon
// starts, and says what is wrong, while an engine is down.
func executors(cfg *config.Config, l layout, instance string, log *slog.Logger) (map[string]runner.Executor, error) {
	out := make(map[string]runner.Executor)
	for _, e := range cfg.Engines {
		ex, err := executor(cfg, e, l, instance, log)
		if err != nil {
			return nil, fmt.Errorf("engine %q: %w", e.ID, err)
		}
		out[e.ID] = ex
	}
	return out, nil
}

func executor(cfg *config.Config, e config.Engine, l layout, instance string, log *slog.Logger) (runner.Executor, error) {
	if e.Type == "process" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("finding our own binary, which is the agent of host processes: %w", err)
		}
		return process.New(process.Options{
			Engine: e.ID, Instance: instance, Root: l.sandboxes(), AgentPath: self, AgentArgs: []string{"agent"},
		})
	}
	return docker.New(docker.Options{
		Engine: e.ID, Host: e.Host, Instance: instance, DataDir: l.data, Agent: agentbin.Linux,
		Workspace: e.Workspace, Network: e.Network, CABundle: cfg.CABundle,
		Proxy:  docker.Proxy{HTTP: cfg.Proxy.HTTP, HTTPS: cfg.Proxy.HTTPS, No: cfg.Proxy.No},
		Logger: log,
	})
}
