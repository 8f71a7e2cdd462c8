package daemon

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/runner-ci/runner/activity"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/server"
)

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
	if err := p.tellForges(current.Load); err != nil {
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
		_ = shutdown(p.scraped, requestWait)
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
