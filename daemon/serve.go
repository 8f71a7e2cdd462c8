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
	if err := errors.Join(p.openTraces(ctx, cfg, o.Version), p.openAccess(cfg)); err != nil {
		return err
	}
	token, created, err := server.EnsureToken(p.layout.token())
	if err != nil {
		return err
	}
	if p.tls, err = p.secure(cfg); err != nil {
		return err
	}
	ln, plain, err := p.listen(cfg)
	if err != nil {
		return err
	}
	current := new(atomic.Pointer[config.Config])
	current.Store(cfg)
	failed := make(chan error, 4)
	defer p.endMetrics()
	web, err := p.begin(ctx, cfg, o, current, token, failed)
	if err != nil {
		ln.Close()
		if plain != nil {
			plain.Close()
		}
		return err
	}
	p.attend(ctx, o, current, failed)
	defer p.serveWeb(web, ln, plain, failed)()
	p.watchAccess(ctx, cfg)
	if o.Ready != nil {
		o.Ready(reached(cfg, ln.Addr()), p.layout.token(), created)
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	o.Logger.Info("leaving; running builds go on and are taken up by the next start", "running", p.scheduler.Running())
	return shutdown(web)
}

// begin makes the face of the daemon, and starts its scheduler.
func (p *parts) begin(ctx context.Context, cfg *config.Config, o ServeOptions, current *atomic.Pointer[config.Config], token string, failed chan<- error) (*http.Server, error) {
	p.metrics.Identify(o.Version, p.scheduler.Instance())
	p.firstLook(cfg)
	if err := p.serveMetrics(cfg.Metrics.Listen, failed); err != nil { // before the first sandbox, which is kept from it
		return nil, err
	}
	web, err := p.httpServer(current.Load, token, o.Version)
	if err != nil {
		return nil, err
	}
	return web, p.start(ctx)
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

// serveMetrics serves metrics, and nothing else, on an address of their own, if there is one. Nobody is asked for a token there.
func (p *parts) serveMetrics(address string, failed chan<- error) error {
	if address == "" {
		return nil
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listening on %s: %w; stop what uses that address, or choose another with metrics.listen", address, err)
	}
	p.hideListener(ln.Addr())
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.metrics.Handler())
	p.scraped = server.NewHTTPServer(mux, p.log)
	p.scraped.ReadTimeout, p.scraped.WriteTimeout = 10*time.Second, time.Minute
	go p.tasks.Many("http of metrics", "answers scrapes", func(*activity.Task) { failed <- fmt.Errorf("serving metrics: %w", p.scraped.Serve(ln)) })
	return nil
}

func (p *parts) endMetrics() {
	if p.scraped != nil {
		_ = shutdown(p.scraped)
	}
}

// reached is the address that the daemon tells of itself. The name that a certificate is for is better than an address.
func reached(cfg *config.Config, listening net.Addr) string {
	switch {
	case !cfg.TLS.On():
		return "http://" + listening.String()
	case cfg.URL != "":
		return cfg.URL
	}
	return "https://" + listening.String()
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
		p.reloadCertificate(o.Logger)
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
	roles := next.Access.OIDC.Roles
	next.TLS, next.TrustedProxies, next.Access = old.TLS, old.TrustedProxies, old.Access
	next.Access.OIDC.Roles = roles
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
		"tls":       reflect.DeepEqual(old.TLS, next.TLS),
		"access":    sameAccess(old.Access, next.Access),

		"trusted-proxies": slices.Equal(old.TrustedProxies, next.TrustedProxies),
	} {
		if !same {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
