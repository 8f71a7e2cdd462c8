package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/internal/failpoint"
	"github.com/runner-ci/runner/runner"
	"github.com/runner-ci/runner/server"
)

// ServeOptions are what Serve needs besides the settings.
type ServeOptions struct {
	Version    string
	Logger     *slog.Logger
	ConfigPath string           // read again on Reload; "" when there is no file
	Reload     <-chan os.Signal // SIGHUP
	Upgrade    <-chan os.Signal // SIGUSR2: what lies where this binary did takes over
	Binary     string           // where that is
	// Ready is called once the listener answers, with the file that holds the token.
	Ready func(url, tokenFile string, tokenCreated bool)
}

// Serve runs the daemon until ctx ends. It then takes no more requests, commits what it holds, lets go of running
// sandboxes, which go on and are adopted by the next start, and returns within five seconds.
//
// When it is told to upgrade, and the new binary can take over, the process becomes that binary, and Serve never returns.
func Serve(ctx context.Context, cfg *config.Config, o ServeOptions) error {
	in, err := inherit(o.Logger)
	if err != nil {
		return err
	}
	socket, err := serve(ctx, cfg, o, &in)
	switch {
	case socket != nil && err == nil && ctx.Err() != nil:
		return socket.Close() // told to end in between
	case socket != nil && err == nil:
		signal.Ignore(syscall.SIGUSR2) // a second one, until the new binary listens to it
		failpoint.Pass("7/let-go")
		return upgradeTo(o.Binary, socket)
	case socket != nil && in.former != nil: // it never came to serve
		return errors.Join(err, goBack(in, socket, err))
	}
	return err
}

// serve is Serve up to the moment in which nothing of the daemon is open any more. Where it returns a socket, another binary is
// to take over: the new one, or, with an error, the former one.
func serve(ctx context.Context, cfg *config.Config, o ServeOptions, in *inherited) (socket *os.File, err error) {
	if in.listener != nil {
		if socket, err = keepSocket(in.listener); err != nil {
			return nil, err
		}
	}
	upgrade, err := run(ctx, cfg, o, in)
	if err != nil {
		return socket, err
	}
	if socket != nil {
		socket.Close()
	}
	return upgrade, nil
}

// run is one daemon, from its stores to the end of its last request. It returns the socket when it was told to upgrade.
func run(ctx context.Context, cfg *config.Config, o ServeOptions, in *inherited) (socket *os.File, err error) {
	p, err := open(cfg, serveLayout(cfg), o.Logger)
	if err != nil {
		return nil, err
	}
	defer p.close()
	ctx, leave := context.WithCancel(ctx)
	defer leave() // before the stores are closed
	if err := p.openSecrets(cfg); err != nil {
		return nil, err
	}
	if err := errors.Join(p.openTraces(ctx, cfg, o.Version), p.openAccess(cfg)); err != nil {
		return nil, err
	}
	token, created, err := server.EnsureToken(p.layout.token())
	if err != nil {
		return nil, err
	}
	if p.tls, err = p.secure(cfg); err != nil {
		return nil, err
	}
	ln, plain, err := p.listen(cfg, in)
	if err != nil {
		return nil, err
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
		return nil, err
	}
	p.attend(ctx, o, current, failed)
	stop := p.serveWeb(web, ln, plain, failed)
	p.watchAccess(ctx, cfg)
	if in.former != nil {
		in.former.Close() // from here on there is no way back, and no need of one
		in.former = nil
	}
	if o.Ready != nil {
		o.Ready(reached(cfg, ln.Addr()), p.layout.token(), created)
	}
	for {
		select {
		case err := <-failed:
			return nil, err
		case <-o.Upgrade:
			if socket, err = p.mayUpgrade(ctx, o, ln); err != nil {
				o.Logger.Error("not upgraded; this binary serves on", "error", err)
				continue
			}
			o.Logger.Info("upgrading; running builds go on, and who connects waits for the new binary", "running", p.scheduler.Running())
			return socket, stop(upgradeWait)
		case <-ctx.Done():
		}
		o.Logger.Info("leaving; running builds go on and are taken up by the next start", "running", p.scheduler.Running())
		return nil, stop(requestWait)
	}
}

// listen takes over the socket that the process was given, or makes one.
func listen(cfg *config.Config, in *inherited) (*listener, error) {
	ln := in.listener
	if ln == nil {
		var err error
		if ln, err = net.Listen("tcp", cfg.Listen); err != nil {
			return nil, fmt.Errorf("listening on %s: %w; stop what uses that address, or choose another with listen", cfg.Listen, err)
		}
	}
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("the socket that was handed over is one of %s, and tcp is served", ln.Addr().Network())
	}
	return &listener{TCPListener: tcp}, nil
}

// mayUpgrade rehearses the new binary, and keeps the socket for it.
func (p *parts) mayUpgrade(ctx context.Context, o ServeOptions, ln *listener) (*os.File, error) {
	if err := rehearse(ctx, o.Binary, os.Args[1:]); err != nil {
		return nil, err
	}
	return ln.File()
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

func shutdown(s *http.Server, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
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
