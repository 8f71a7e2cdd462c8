package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/artifacts"
	"github.com/runner-ci/runner/buildspec"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/metrics"
	"github.com/runner-ci/runner/outbox"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/scheduler"
	"github.com/runner-ci/runner/secrets"
	"github.com/runner-ci/runner/source"
	"github.com/runner-ci/runner/tests/history"
	"github.com/runner-ci/runner/trace"
)

// layout is where things are below a data directory.
type layout struct {
	data   string
	source string // shared between runs of `runner run`, so it need not lie below data
}

// serveLayout is the daemon's, all of it below its data directory.
func serveLayout(cfg *config.Config) layout {
	return layout{data: cfg.Data, source: filepath.Join(cfg.Data, "source")}
}

func (l layout) state() string     { return filepath.Join(l.data, "state.db") }
func (l layout) blobs() string     { return filepath.Join(l.data, "artifacts.db") }
func (l layout) tests() string     { return filepath.Join(l.data, "tests.db") }
func (l layout) secrets() string   { return filepath.Join(l.data, "secrets.db") }
func (l layout) access() string    { return filepath.Join(l.data, "access.db") }
func (l layout) acme() string      { return filepath.Join(l.data, "acme") }
func (l layout) sandboxes() string { return filepath.Join(l.data, "sandboxes") }
func (l layout) token() string     { return filepath.Join(l.data, "token") }

// backup is where databases are copied to while a backup is written, and restoring what a restore has not put in its place.
func (l layout) backup() string    { return filepath.Join(l.data, "backup") }
func (l layout) restoring() string { return filepath.Join(l.data, "restoring") }

// parts are the stores and the engines of one process, opened in the order in which they depend on each other.
type parts struct {
	layout    layout
	log       *slog.Logger
	scheduler *scheduler.Scheduler
	artifacts *artifacts.Store
	source    *source.Store
	tests     *history.Store
	secrets   *secrets.Store // nil in a daemon of one build
	space     spaceWatch
	access    *access.Store // nil there too
	tls       secured
	runner    *runner.Runner
	metrics   *metrics.Metrics
	tasks     *activity.Registry
	observed  observed
	scraped   *http.Server    // nil: metrics have no listener of their own
	traces    *trace.Exporter // nil: none are exported
	forges    *http.Client    // nil in a daemon of one build: forges are told nothing

	backingUp sync.Mutex

	reading sync.WaitGroup // of reports, and of the state's pages
	unlock  func()
	stop    context.CancelFunc
}

// open opens everything and starts nothing.
func open(cfg *config.Config, l layout, log *slog.Logger) (_ *parts, err error) {
	for _, dir := range []string{l.data, l.source, l.sandboxes()} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return nil, fmt.Errorf("making the data directory: %w; name another with data in the configuration, or run as a user who may write there", err)
		}
	}
	if err := useProxy(cfg.Proxy); err != nil {
		return nil, err
	}
	p := &parts{layout: l, log: log, metrics: metrics.New(), tasks: new(activity.Registry)}
	p.observed = observed{began: time.Now(), engines: make(map[string]error)}
	p.tasks.Failed = p.metrics.TaskError
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.unlock, err = lockDir(l.data); err != nil {
		return nil, err
	}
	if _, err := os.Lstat(l.restoring()); err == nil {
		return nil, fmt.Errorf("data directory %s: %w", l.data, errRestoring)
	}
	if err := os.RemoveAll(l.backup()); err != nil { // of a daemon that died writing one
		return nil, err
	}
	if err := reserve(l.data); err != nil {
		log.Warn("no space could be set aside for a full disk", "error", err)
	}
	if err := p.openStores(cfg); err != nil {
		return nil, err
	}
	if p.source, err = openSource(cfg, l, log); err != nil {
		return nil, err
	}
	engines, err := executors(cfg, l, p.scheduler.Instance(), log, p.metrics)
	if err != nil {
		return nil, err
	}
	mark, err := makeOf(cfg)
	if err != nil {
		return nil, err
	}
	p.scheduler.UseRoom(p.room)
	p.scheduler.UseSpace(p.space.reason)
	p.scheduler.UseLast(func() bool { return spendLast(l.data) })
	p.scheduler.UseMeter(p.metrics)
	p.scheduler.UseActivity(p.tasks)
	p.scheduler.Outbox().Configure(outbox.Options{Logger: log, Count: p.metrics.Outbox})
	p.metrics.UseQueue(p.queuePicture)
	p.runner = &runner.Runner{
		Source: p.source, Artifacts: p.artifacts, Executors: engines, Sandboxes: l.sandboxes(),
		Epoch: p.scheduler.Epoch(), Env: hostEnv(cfg), Mounts: adminMounts(cfg), Logger: log,
		Make: mark, Runtimes: runner.SelectWith(buildspec.SelectRuntimes),
	}
	p.runner.Early = p.reports().early
	return p, nil
}

func (p *parts) openStores(cfg *config.Config) error {
	state, blobs := p.layout.state(), p.layout.blobs()
	if err := errors.Join(sound(state, scheduler.Outdated), sound(blobs, never), sound(p.layout.tests(), never)); err != nil {
		return err
	}
	err := guarded(state, func() (err error) {
		p.scheduler, err = scheduler.Open(state, cfg, p.log)
		return err
	})
	if err != nil {
		return err
	}
	err = guarded(blobs, func() (err error) {
		committed := func(writes int, took time.Duration) { p.metrics.Commit("artifacts.db", writes, took) }
		return p.tasks.Mark("artifacts.db", "commits what is written to logs and artifacts, and collects chunks", func() error {
			p.artifacts, err = artifacts.Open(blobs, artifacts.Options{Logger: p.log, Committed: committed})
			return err
		})
	})
	if err != nil {
		return err
	}
	return guarded(p.layout.tests(), func() (err error) {
		p.tests, err = history.Open(p.layout.tests())
		return err
	})
}

func openSource(cfg *config.Config, l layout, log *slog.Logger) (*source.Store, error) {
	self, err := OwnBinary()
	if err != nil {
		return nil, fmt.Errorf("finding our own binary, which fetches sources in a process of its own: %w", err)
	}
	return source.Open(source.Options{
		Dir: l.source, Worker: []string{self, "source-worker"},
		MemoryBytes: cfg.Source.MemoryBytes, Timeout: cfg.Source.Timeout, Logger: log,
	})
}

// OwnBinary names the binary that runs: on Linux by the kernel's name for it, which stays right when an upgrade
// replaces the file under a running daemon.
func OwnBinary() (string, error) {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe", nil
	}
	return os.Executable()
}

// start lets the scheduler act. What it does ends with halt.
func (p *parts) start(ctx context.Context) error {
	ctx, p.stop = context.WithCancel(ctx)
	if err := p.scheduler.Start(ctx, p.runner, p.source); err != nil {
		return err
	}
	p.exportTraces(ctx)
	p.reading.Go(func() {
		p.scheduler.Outbox().Run(ctx, p.tasks)
		if p.forges != nil {
			p.forges.CloseIdleConnections()
		}
	})
	p.reading.Go(func() {
		p.tasks.Run("reports", "reads what tests left into their history", func(t *activity.Task) { p.reports().run(ctx, t) })
	})
	p.reading.Go(func() {
		p.tasks.Run("observer", "asks engines whether they answer, and measures the stores", func(t *activity.Task) { p.observe(ctx, t) })
	})
	return nil
}

// detachWait bounds how long halt waits for what still runs to let go. Everything that matters is committed
// before; only a goroutine stuck in a system call can need longer, and it is left behind.
const detachWait = 3 * time.Second

// close lets go of running attempts, which go on in their sandboxes, then closes the stores.
func (p *parts) close() {
	if p.stop != nil {
		p.stop()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var errs []error
		p.reading.Wait()
		if p.tests != nil {
			errs = append(errs, p.tests.Close())
		}
		if p.scheduler != nil {
			errs = append(errs, p.scheduler.Close())
		}
		if p.artifacts != nil {
			errs = append(errs, p.artifacts.Close())
		}
		if p.secrets != nil {
			errs = append(errs, p.secrets.Close())
		}
		if p.access != nil {
			errs = append(errs, p.access.Close())
		}
		if err := errors.Join(errs...); err != nil {
			p.log.Error("closing the stores", "error", err)
		}
	}()
	select {
	case <-done:
	case <-time.After(detachWait):
		p.log.Warn("left while something still held on", "after", detachWait)
	}
	if p.unlock != nil {
		p.unlock()
	}
}

// adminMounts are the read-only mounts of each engine's configuration.
func adminMounts(cfg *config.Config) map[string][]runner.Mount {
	out := make(map[string][]runner.Mount)
	for _, e := range cfg.Engines {
		for _, m := range e.Mounts {
			out[e.ID] = append(out[e.ID], runner.Mount{Source: m.Source, Target: m.Target})
		}
	}
	return out
}
