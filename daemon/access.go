package daemon

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/runner-ci/runner/access"
	"github.com/runner-ci/runner/access/oidc"
	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/server"
	"github.com/runner-ci/runner/server/certificates"
)

// openAccess opens the store of tokens, sessions and the audit log.
func (p *parts) openAccess(cfg *config.Config) error {
	path := p.layout.access()
	if err := sound(path, always); err != nil {
		return err
	}
	return guarded(path, func() (err error) {
		p.access, err = access.Open(access.Options{Path: path, Age: cfg.Access.SessionAge, Idle: cfg.Access.SessionIdle, Logger: p.log})
		return err
	})
}

// accessOptions tells the server who may do what.
func (p *parts) accessOptions(cfg func() *config.Config, o *server.Options) error {
	if p.access == nil {
		return nil
	}
	o.Access, o.Proxies, o.Secure = p.access, cfg().Proxies(), cfg().Secure()
	if u, err := url.Parse(cfg().URL); err == nil && u.Host != "" {
		o.Origin, o.Base = u.Scheme+"://"+u.Host, strings.TrimRight(u.EscapedPath(), "/")
	}
	o.Robots = func() string { return cfg().Robots }
	o.Roles = func(groups []string) access.Grants { return rolesOf(cfg().Access.OIDC.Roles, groups) }
	signIn, err := newSignIn(cfg())
	if signIn != nil {
		o.SignIn = signIn
	}
	return err
}

// rolesOf is what members of groups may do.
func rolesOf(roles []config.Role, groups []string) (out access.Grants) {
	for _, r := range roles {
		if slices.Contains(groups, r.Group) {
			out = append(out, access.Grant{Scope: access.Scope(r.Scope), Projects: r.Projects})
		}
	}
	return out
}

func newSignIn(cfg *config.Config) (*oidc.Provider, error) {
	o := cfg.Access.OIDC
	if !o.On() {
		return nil, nil
	}
	client, err := trusting(cfg)
	if err != nil {
		return nil, err
	}
	options := oidc.Options{
		Issuer: o.Issuer, ClientID: o.ClientID, Redirect: strings.TrimRight(cfg.URL, "/") + "/login/callback",
		Scopes: o.Scopes, NameClaim: o.NameClaim, GroupsClaim: o.GroupsClaim, Client: client,
	}
	if o.ClientSecret != "" {
		options.Secret = o.ClientSecret.Resolve
	}
	return oidc.New(options), nil
}

// trusting is a client that trusts the authorities of ca-bundle, besides the system's.
func trusting(cfg *config.Config) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if cfg.CABundle != "" {
		pem, err := os.ReadFile(cfg.CABundle)
		if err != nil {
			return nil, fmt.Errorf("reading ca-bundle: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pool.AppendCertsFromPEM(pem)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}, nil
}

// secured is how the listener speaks TLS; without a configuration it speaks plain HTTP.
type secured struct {
	config *tls.Config
	files  *certificates.Files // nil where certificates come from an authority
	plain  http.Handler        // what the listener for plain HTTP answers with
}

// secure reads the certificate, or makes ready to get one.
func (p *parts) secure(cfg *config.Config) (s secured, err error) {
	if !cfg.TLS.On() {
		return s, nil
	}
	to, err := url.Parse(cfg.URL)
	if err != nil {
		return s, err
	}
	s.plain = certificates.Redirect(to)
	if !cfg.TLS.ACME.On() {
		if s.files, err = certificates.ReadFiles(cfg.TLS.Certificate, cfg.TLS.Key, p.log); err != nil {
			return s, err
		}
		s.config = certificates.Config(s.files.Certificate)
		return s, nil
	}
	client, err := trusting(cfg)
	if err != nil {
		return s, err
	}
	manager := certificates.Authority{
		Directory: cfg.TLS.ACME.Directory, Hosts: cfg.TLS.ACME.Hosts, Email: cfg.TLS.ACME.Email, Cache: p.layout.acme(), Client: client,
	}.Manager()
	s.config = certificates.ACMEConfig(manager)
	s.plain = manager.HTTPHandler(s.plain)
	return s, nil
}

// listen opens the listener, and that for plain HTTP where there is one, and keeps jobs from both.
func (p *parts) listen(cfg *config.Config, in *inherited) (ln *listener, plain net.Listener, err error) {
	if ln, err = listen(cfg, in); err != nil {
		return nil, nil, err
	}
	p.hideListener(ln.Addr())
	if cfg.TLS.Redirect == "" {
		return ln, nil, nil
	}
	if plain, err = net.Listen("tcp", cfg.TLS.Redirect); err != nil {
		ln.Close()
		return nil, nil, fmt.Errorf("listening on %s: %w; stop what uses that address, or choose another with tls.redirect", cfg.TLS.Redirect, err)
	}
	p.hideListener(plain.Addr())
	return ln, plain, nil
}

// serveWeb answers on the listener, and on that for plain HTTP where there is one. What ends the first is sent to failed.
// Stop ends both, the first once all that it accepted is answered or a time is over.
func (p *parts) serveWeb(web *http.Server, ln *listener, plain net.Listener, failed chan<- error) (stop func(wait time.Duration) error) {
	served, early := make(chan struct{}), watchUnasked(web)
	go p.tasks.Many("http", "answers requests and webhooks", func(*activity.Task) {
		defer close(served)
		if p.tls.config == nil {
			failed <- fmt.Errorf("serving HTTP: %w", web.Serve(ln))
			return
		}
		web.TLSConfig = p.tls.config
		failed <- fmt.Errorf("serving HTTPS: %w", web.ServeTLS(ln, "", ""))
	})
	redirects := p.redirect(plain)
	return func(wait time.Duration) error {
		redirects()
		ln.end()
		<-served // every connection that was accepted is the server's to wait for, once it was asked for something
		early.wait(wait / 3)
		return shutdown(web, wait)
	}
}

// redirect sends plain HTTP on, where there is a listener for it.
func (p *parts) redirect(plain net.Listener) (stop func()) {
	if plain == nil {
		return func() {}
	}
	small := server.NewHTTPServer(p.tls.plain, p.log)
	small.ReadTimeout, small.WriteTimeout = 10*time.Second, 10*time.Second
	go p.tasks.Many("http to https", "sends plain HTTP on", func(*activity.Task) {
		if err := small.Serve(plain); !errors.Is(err, http.ErrServerClosed) {
			p.log.Error("plain HTTP is not redirected any more", "listen", plain.Addr().String(), "error", err)
		}
	})
	return func() { _ = small.Close() }
}

// watchAccess writes down now and then what the store of tokens has in memory, and looks at the files of the certificate.
func (p *parts) watchAccess(ctx context.Context, cfg *config.Config) {
	go p.tasks.Run("access.db", "writes down who was last seen and what was refused", func(*activity.Task) { p.access.Run(ctx) })
	if p.tls.files != nil {
		go p.tasks.Run("certificate", "looks whether the files of the certificate changed", func(*activity.Task) { p.tls.files.Watch(ctx) })
	}
	for _, trouble := range p.accessTrouble(cfg) {
		p.log.Warn(trouble)
	}
}

// accessTrouble is what an admin should know about how the daemon is reached.
func (p *parts) accessTrouble(cfg *config.Config) (out []string) {
	if cfg.Exposed() {
		out = append(out, fmt.Sprintf("TOKENS AND LOGS CROSS THE NETWORK IN CLEAR: the daemon listens on %s without TLS. Give it a certificate (tls in the configuration), let it listen on 127.0.0.1, or put a proxy with TLS before it and set url to its https:// address", cfg.Listen))
	}
	if p.tls.files != nil {
		if trouble := p.tls.files.Trouble(time.Now()); trouble != "" {
			out = append(out, trouble)
		}
	}
	return out
}

// keepAudit applies retention to the audit log.
func (p *parts) keepAudit(r config.Retention) {
	if r.Audit <= 0 || p.access == nil {
		return
	}
	if err := p.access.Expire(time.Now().Add(-r.Audit)); err != nil {
		p.log.Warn("applying retention to the audit log", "error", err)
	}
}

// reloadCertificate reads the files of the certificate again, whatever else a reload changes.
func (p *parts) reloadCertificate(log *slog.Logger) {
	if p.tls.files == nil {
		return
	}
	if err := p.tls.files.Reload(); err != nil {
		log.Error("the certificate was not reloaded; the former one stays", "error", err)
	}
}

// sameAccess tells whether two settings differ in what is read at the start alone: roles are looked at with each request.
func sameAccess(a, b config.Access) bool {
	a.OIDC.Roles, b.OIDC.Roles = nil, nil
	return reflect.DeepEqual(a, b)
}
