package daemon

import (
	"log/slog"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
)

// Executor makes the executor of one configured engine, whose sandboxes lie below a data directory.
func Executor(cfg *config.Config, e config.Engine, data, instance string, log *slog.Logger) (runner.Executor, error) {
	return executor(cfg, e, layout{data: data}, instance, log, nil)
}
