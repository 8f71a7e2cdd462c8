package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/secrets"
)

// Check proves the invariants of the files of a stopped daemon and of its mirrors and snapshots, and compares the
// sandboxes that the state knows with what engines and disk hold. It changes nothing, and reports each thing that is
// wrong.
func Check(ctx context.Context, cfg *config.Config, report func(problem string)) error {
	l := serveLayout(cfg)
	if _, err := os.Stat(l.state()); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s holds no state: %w; name the data directory with --config or --data", cfg.Data, err)
	}
	// What is damaged is told of, and does not keep the rest from being looked at.
	part := func(path string, f func() error) error {
		if err := sound(path, always); err != nil {
			report(err.Error())
			return nil
		}
		var trouble error
		if err := guarded(path, func() error { trouble = f(); return nil }); err != nil {
			report(err.Error())
		}
		return trouble
	}
	return errors.Join(
		part(l.state(), func() error { return checkState(ctx, cfg, l, report) }),
		part(l.blobs(), func() error { return checkBlobs(ctx, l.blobs(), report) }),
		part(l.tests(), func() error { return nil }), // its pages are sound
		part(l.secrets(), func() error { return secrets.Check(secretOptions(cfg, l, nil), report) }),
		part(l.access(), func() error { return access.Check(l.access(), report) }),
		checkSource(ctx, cfg, l, report),
	)
}

func checkState(ctx context.Context, cfg *config.Config, l layout, report func(string)) error {
	st, err := scheduler.OpenState(l.state())
	if err != nil {
		return err
	}
	defer st.Close()
	if err := st.Check(report); err != nil {
		return err
	}
	known, err := st.Sandboxes()
	if err != nil {
		return err
	}
	instance, err := scheduler.Probe(l.state())
	if err != nil {
		return err
	}
	return checkSandboxes(ctx, cfg, l, instance, known, report)
}

func checkBlobs(ctx context.Context, path string, report func(string)) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		report(fmt.Sprintf("%s is missing, and with it the logs and artifacts of former builds; restore a backup, or the next start makes an empty one", path))
		return nil
	}
	blobs, err := artifacts.Open(path, artifacts.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	defer blobs.Close()
	return blobs.Check(ctx, report)
}

// checkSource leaves out what the next build would fetch anew: a directory that was never made.
func checkSource(ctx context.Context, cfg *config.Config, l layout, report func(string)) error {
	if _, err := os.Stat(l.source); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	store, err := openSource(cfg, l, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return store.Check(ctx, report)
}

func checkSandboxes(ctx context.Context, cfg *config.Config, l layout, instance string, known map[string]bool, report func(string)) error {
	entries, err := os.ReadDir(l.sandboxes())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if !known[e.Name()] {
			report(fmt.Sprintf("directory %s belongs to no sandbox of the state; the next start removes it", filepath.Join(l.sandboxes(), e.Name())))
		}
	}
	engines, err := executors(cfg, l, instance, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return err
	}
	for id, ex := range engines {
		ids, err := ex.List(ctx)
		if err != nil {
			report(fmt.Sprintf("engine %s could not be compared with the state: %v", id, err))
			continue
		}
		for _, sandbox := range ids {
			if !known[sandbox] {
				report(fmt.Sprintf("sandbox %s on engine %s is unknown to the state; the next start removes it", sandbox, id))
			}
		}
	}
	return nil
}
