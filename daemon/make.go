package daemon

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner/agentbin"
)

// makeOf stands for all that a sandbox gets from this daemon whatever its job is: the agent, what engines are configured
// to give it, proxies, authorities. One that waits since before an upgrade or a change of settings has another.
func makeOf(cfg *config.Config) (string, error) {
	h := sha256.New()
	settings, err := json.Marshal([]any{cfg.Engines, cfg.Proxy})
	if err != nil {
		return "", fmt.Errorf("the settings of the engines: %w", err)
	}
	fmt.Fprintf(h, "%s\n", settings)
	if cfg.CABundle != "" {
		pem, err := os.ReadFile(cfg.CABundle)
		if err != nil {
			return "", fmt.Errorf("reading ca-bundle: %w", err)
		}
		fmt.Fprintf(h, "%x\n", sha256.Sum256(pem))
	}
	for _, arch := range []string{"amd64", "arm64"} {
		agent, err := agentbin.Linux(arch)
		if err != nil {
			continue // it makes no sandboxes there
		}
		fmt.Fprintf(h, "%s %x\n", arch, sha256.Sum256(agent))
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}
