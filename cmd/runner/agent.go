//go:build !windows

package main

import (
	"os"
	"path/filepath"

	"github.com/runner-ci/runner/runner/agent"
	"github.com/runner-ci/runner/source"
)

// agentName is what the executors call the agent's file, whichever binary it is.
const agentName = "runner-agent"

// internalProcess runs what this binary starts itself as: the process inside a sandbox, under its own or a
// tool's name, and the process that fetches sources. Neither is for people, and neither waits for flags to be
// parsed. It reports whether the arguments asked for one.
func internalProcess(args []string) (status int, is bool) {
	switch {
	case len(args) > 0 && (agent.IsTool(args[0]) || filepath.Base(args[0]) == agentName):
		return agent.Main(args), true
	case len(args) > 1 && args[1] == "agent":
		return agent.Main(args[1:]), true
	case len(args) > 1 && args[1] == "source-worker":
		return source.WorkerMain(os.Stdin, os.Stdout, os.Stderr), true
	}
	return 0, false
}
