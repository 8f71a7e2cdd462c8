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

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/config"
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
	if err := p.openTraces(ctx, cfg, o.Version); err != nil {
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
	p.metrics.Identify(o.Version, p.scheduler.Instance())
	web := p.httpServer(current.Load, token, o.Version)
	p.firstLook(cfg)
	failed := make(chan error, 3)
	if cfg.Metrics.Listen != "" { // before the first sandbox, which is kept from it
		scraped, err := p.serveMetrics(cfg.Metrics.Listen, failed)
		if err != nil {
			ln.Close()
			return err
		}
		defer shutdown(scraped)
	}
	if err := p.start(ctx); err != nil {
		ln.Close()
		return err
	}
	p.attend(ctx, o, current, failed)
	go p.serveHTTP("http", "answers requests and webhooks", web, ln, failed)
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

// attend starts what the daemon does beside its scheduler.
func (p *parts) attend(ctx context.Context, o ServeOptions, current *atomic.Pointer[config.Config], failed chan<- error) {
	go p.tasks.Run("greeting", "asks the engines once whether they answer", func(*activity.Task) { p.greetEngines(ctx) })
	go p.tasks.Run("housekeeping", "applies retention, evicts what no build needs, repacks mirrors", func(t *activity.Task) {
		p.housekeeping(ctx, t, current.Load)
	})
	go p.tasks.Run("space", "looks at the disks, and makes room where one is below its floor", func(t *activity.Task) {
		p.watchSpace(ctx, t, current.Load)
	})
	go p.tasks.Run("preparing", "makes copies of trees for the next commits", func(t *activity.Task) { p.prepare(ctx, t) })
	go p.tasks.Run("reload", "reads the configuration again on SIGHUP", func(t *activity.Task) { p.reloads(ctx, t, o, current) })
	p.reading.Go(func() {
		p.tasks.Run("soundness", "visits all pages of state.db once", func(t *activity.Task) {
			t.Does("visiting the pages")
			if err := p.scheduler.Sound(ctx); err != nil {
				failed <- err
			}
		})
	})
}

// serveHTTP serves until the server is shut down. Each connection has a goroutine that bears the task's name.
func (p *parts) serveHTTP(name, about string, s *http.Server, ln net.Listener, failed chan<- error) {
	p.tasks.Many(name, about, func(*activity.Task) { failed <- fmt.Errorf("serving HTTP: %w", s.Serve(ln)) })
}

// serveMetrics serves metrics, and nothing else, on an address of their own, where nobody is asked for a token.
func (p *parts) serveMetrics(address string, failed chan<- error) (*http.Server, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w; stop what uses that address, or choose another with metrics.listen", address, err)
	}
	p.hideListener(ln.Addr())
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.metrics.Handler())
	s := server.NewHTTPServer(mux, p.log)
	s.ReadTimeout, s.WriteTimeout = 10*time.Second, time.Minute
	go p.serveHTTP("http of metrics", "answers scrapes", s, ln, failed)
	return s, nil
}

// greetEngines says at the start which engines do not answer. The daemon serves even so: it takes webhooks in, and
// builds when the engine is back.
func (p *parts) greetEngines(ctx context.Context) {
	if err := p.ready(ctx); err != nil && ctx.Err() == nil {
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
func (p *parts) reloads(ctx context.Context, t *activity.Task, o ServeOptions, current *atomic.Pointer[config.Config]) {
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
		t.Does("reading the configuration again")
		err := p.reload(o.ConfigPath, current)
		if t.Waits(err); err != nil {
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
	next.Listen, next.Data, next.Engines, next.Source, next.Secrets, next.Metrics, next.Telemetry = old.Listen, old.Data, old.Engines, old.Source, old.Secrets, old.Metrics, old.Telemetry
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
		"metrics":   old.Metrics == next.Metrics,
		"telemetry": reflect.DeepEqual(old.Telemetry, next.Telemetry),
	} {
		if !same {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
