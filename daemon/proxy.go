package daemon

import (
	"os"
	"strings"

	"github.com/runner-ci/runner/config"
)

// proxyVars are the configured proxies as the variables that programs read, in both spellings.
func proxyVars(p config.Proxy) (env []string) {
	for _, v := range []struct{ name, value string }{{"http_proxy", p.HTTP}, {"https_proxy", p.HTTPS}, {"no_proxy", p.No}} {
		if v.value != "" {
			env = append(env, v.name+"="+v.value, strings.ToUpper(v.name)+"="+v.value)
		}
	}
	return env
}

// useProxy makes the daemon itself, and the processes that fetch for it, go through the configured proxies. It runs
// before the first connection: Go reads these variables once.
func useProxy(p config.Proxy) error {
	for _, kv := range proxyVars(p) {
		name, value, _ := strings.Cut(kv, "=")
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// hostEnv gives the proxies to jobs on the host itself; the Docker executor has them in its options.
func hostEnv(cfg *config.Config) map[string][]string {
	env := make(map[string][]string)
	for _, e := range cfg.Engines {
		if e.Type == "process" {
			env[e.ID] = proxyVars(cfg.Proxy)
		}
	}
	return env
}
