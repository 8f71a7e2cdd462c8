package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/server"
)

// ServeOptions are what Serve needs besides the settings.
type ServeOptions struct {
	Version    string
	Logger     *slog.Logger
	ConfigPath string           // read again on Reload; "" when there is no file
	Reload     <-chan os.Signal // SIGHUP
	// Ready is called once the listener answers, with the file that holds the token.
	Ready func(url, tokenFile string, tokenCreated bool)
}

// Serve runs the daemon until ctx ends. It then takes no more requests, commits what it holds, lets go of running
// sandboxes, which go on and are adopted by the next start, and returns within five seconds.
func Serve(ctx context.Context, cfg *config.Config, o ServeOptions) error {
	p, err := open(cfg, serveLayout(cfg), o.Logger)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.openSecrets(cfg); err != nil {
		return err
	}
	token, created, err := server.EnsureToken(p.layout.token())
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w; stop what uses that address, or choose another with listen", cfg.Listen, err)
	}
	p.hideListener(ln.Addr())
	current := new(atomic.Pointer[config.Config])
	current.Store(cfg)
	web := p.httpServer(current.Load, token, o.Version)
	if err := p.start(ctx); err != nil {
		ln.Close()
		return err
	}
	go p.greetEngines(ctx)
	go p.housekeeping(ctx, current.Load)
	go p.reloads(ctx, o, current)
	failed := make(chan error, 2)
	go func() { failed <- fmt.Errorf("serving HTTP: %w", web.Serve(ln)) }()
	p.reading.Go(func() {
		if err := p.scheduler.Sound(ctx); err != nil {
			failed <- err
		}
	})
	if o.Ready != nil {
		o.Ready("http://"+ln.Addr().String(), p.layout.token(), created)
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	o.Logger.Info("leaving; running builds go on and are taken up by the next start", "running", p.scheduler.Running())
	return shutdown(web)
}

// greetEngines says at the start which engines do not answer. The daemon serves even so: it takes webhooks in, and
// builds when the engine is back.
func (p *parts) greetEngines(ctx context.Context) {
	err := p.ready(ctx)
	switch {
	case err == nil || ctx.Err() != nil:
	case !errors.As(err, new(*runner.UnavailableError)):
		p.log.Error("builds cannot run on an engine as it is configured", "error", err)
	default:
		p.log.Error("no build can run until its engine answers", "error", err, "hint", "start it (systemctl start docker), or correct engines in the configuration")
	}
}

// requestWait bounds how long the listener waits for requests under way. Log and event streams never end by
// themselves; their clients come back to the next start and go on from their offset.
const requestWait = 500 * time.Millisecond

func shutdown(s *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), requestWait)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("closing the listener: %w", err)
	}
	_ = s.Close()
	return nil
}

// reloads reads the configuration again whenever it is told to. A file with a mistake changes nothing.
func (p *parts) reloads(ctx context.Context, o ServeOptions, current *atomic.Pointer[config.Config]) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-o.Reload:
		}
		if o.ConfigPath == "" {
			o.Logger.Warn("told to reload, but there is no configuration file; start with --config FILE")
			continue
		}
		if err := p.reload(o.ConfigPath, current); err != nil {
			o.Logger.Error("the configuration was not reloaded; the former one stays", "error", err)
			continue
		}
		o.Logger.Info("configuration reloaded", "projects", len(current.Load().Projects))
	}
}

// reload takes over what can change while builds run: projects, limits, slots, retention, registries.
func (p *parts) reload(path string, current *atomic.Pointer[config.Config]) error {
	next, err := config.Load(path)
	if err != nil {
		return err
	}
	old := current.Load()
	for _, name := range needsRestart(old, next) {
		p.log.Warn("a changed setting needs a restart (running builds survive it)", "setting", name)
	}
	next.Listen, next.Data, next.Engines, next.Source, next.Secrets = old.Listen, old.Data, old.Engines, old.Source, old.Secrets
	if err := p.scheduler.Configure(next); err != nil {
		return err
	}
	current.Store(next)
	return nil
}

// needsRestart names the settings that differ and are read at the start alone.
func needsRestart(old, next *config.Config) (names []string) {
	for name, same := range map[string]bool{
		"listen":    old.Listen == next.Listen,
		"data":      old.Data == next.Data,
		"engines":   reflect.DeepEqual(old.Engines, next.Engines),
		"source":    old.Source == next.Source,
		"ca-bundle": old.CABundle == next.CABundle,
		"proxy":     old.Proxy == next.Proxy,
		"secrets":   old.Secrets == next.Secrets,
	} {
		if !same {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
