//go:build embedagent

package agentbin

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
)

// agents are written by make build, from cmd/agent.
//
//go:embed agent-linux-amd64 agent-linux-arm64
var agents embed.FS

func embedded(goarch string) ([]byte, error) {
	data, err := agents.ReadFile("agent-linux-" + goarch)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w for linux/%s: it carries those for amd64 and arm64", ErrNoAgent, goarch)
	}
	return data, err
}
