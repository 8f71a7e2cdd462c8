package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/metrics"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/runner/agentbin"
	"github.com/runner-ci/runner/runner/docker"
	"github.com/runner-ci/runner/runner/process"
)

// executors makes one executor for each configured engine. None of them talks to its engine yet, so that a daemon
// starts, and says what is wrong, while an engine is down. Calls to engines are counted where m is not nil.
func executors(cfg *config.Config, l layout, instance string, log *slog.Logger, m *metrics.Metrics) (map[string]runner.Executor, error) {
	out := make(map[string]runner.Executor)
	for _, e := range cfg.Engines {
		ex, err := executor(cfg, e, l, instance, log, m)
		if err != nil {
			return nil, err
		}
		out[e.ID] = ex
	}
	return out, nil
}

func executor(cfg *config.Config, e config.Engine, l layout, instance string, log *slog.Logger, m *metrics.Metrics) (runner.Executor, error) {
	if e.Type == "process" {
		if err := process.Supported(); err != nil {
			return nil, err
		}
		path, err := hostAgent(l.data)
		if err != nil {
			return nil, err
		}
		return process.New(process.Options{Engine: e.ID, Instance: instance, Root: l.sandboxes(), AgentPath: path})
	}
	var called func(string, time.Duration, bool)
	if m != nil {
		called = func(operation string, took time.Duration, failed bool) { m.EngineCall(e.ID, operation, took, failed) }
	}
	return docker.New(docker.Options{
		Engine: e.ID, Host: e.Host, Instance: instance, DataDir: l.data, Agent: agentbin.Linux,
		Workspace: e.Workspace, Network: e.Network, Firewall: e.Firewall, CABundle: cfg.CABundle,
		Runtime: e.Runtime, Seccomp: e.Seccomp, NoNewPrivileges: e.NoNewPrivileges,
		Proxy:  docker.Proxy{HTTP: cfg.Proxy.HTTP, HTTPS: cfg.Proxy.HTTPS, No: cfg.Proxy.No},
		Logger: log, Called: called,
	})
}

// hideListener keeps jobs from what this daemon itself listens on.
func (p *parts) hideListener(addr net.Addr) {
	for _, ex := range p.runner.Executors {
		if engine, ok := ex.(*docker.Engine); ok {
			engine.HideListener(addr)
		}
	}
}

// hostAgent lays the agent out as a file for host processes, under its hash, so that one which still runs is never
// written over.
func hostAgent(data string) (path string, err error) {
	agent, err := agentbin.Linux(runtime.GOARCH)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(agent)
	dir := filepath.Join(data, "agent", hex.EncodeToString(sum[:8]))
	path = filepath.Join(dir, "runner-agent")
	if st, err := os.Stat(path); err == nil && st.Size() == int64(len(agent)) {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making room for the agent: %w", err)
	}
	// Written aside and renamed: whoever runs it finds all of it or nothing.
	temp := path + ".new"
	if err := os.WriteFile(temp, agent, 0o755); err != nil {
		return "", fmt.Errorf("laying the agent out: %w", err)
	}
	if err := os.Rename(temp, path); err != nil {
		return "", fmt.Errorf("laying the agent out: %w", err)
	}
	return path, nil
}
