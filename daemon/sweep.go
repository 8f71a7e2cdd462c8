package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
)

// enginesFile is where a run notes its engines, for the run that cleans up after it.
const enginesFile = "engines.json"

func rememberEngines(dir string, engines []config.Engine) error {
	text, err := json.Marshal(engines)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, enginesFile), text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("noting the engines of this run: %w", err)
	}
	return nil
}

// recallEngines returns none for a run that died before it noted any: it has made nothing on them.
func recallEngines(dir string) (engines []config.Engine, err error) {
	text, err := os.ReadFile(filepath.Join(dir, enginesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &engines)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the engines of a former run: %w", err)
	}
	return engines, nil
}

// sweepRuns cleans up after runs whose process died.
func sweepRuns(ctx context.Context, base string, log *slog.Logger) {
	entries, err := os.ReadDir(filepath.Join(base, "run"))
	if err != nil {
		return
	}
	for _, e := range entries {
		dir := filepath.Join(base, "run", e.Name())
		unlock, err := lockDir(dir)
		if err != nil {
			continue // it lives
		}
		if err := sweepRun(ctx, dir, log); err != nil {
			log.Warn("cleaning up after a run that died", "directory", dir, "error", err)
		}
		unlock()
	}
}

// sweepRun removes what a run made, from the engines that it made it on. Its directory, the only record of that, goes
// last, and stays when an engine cannot be asked.
func sweepRun(ctx context.Context, dir string, log *slog.Logger) error {
	l := layout{data: dir}
	instance, err := scheduler.Probe(l.state())
	if err == nil && instance != "" {
		cfg := config.Default()
		if cfg.Engines, err = recallEngines(dir); err != nil {
			return err
		}
		engines, err := executors(cfg, l, instance, log, nil)
		if err != nil {
			return err
		}
		for _, ex := range engines {
			ids, err := ex.List(ctx)
			if err != nil {
				return err
			}
			for _, id := range ids {
				if err := ex.Remove(ctx, id); err != nil {
					return err
				}
			}
		}
	}
	return os.RemoveAll(dir)
}
