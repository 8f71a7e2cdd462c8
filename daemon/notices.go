package daemon

import (
	"crypto/tls"
	"net/http"

	"github.com/runner-ci/runner/client"
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/daemon/notices"
	"github.com/runner-ci/runner/notify"
)

// tellPeople has people and programs told how builds ended. Call it before start.
func (p *parts) tellPeople(cfg func() *config.Config, show func(id string) (client.Build, error)) {
	var trust *tls.Config // of mail servers
	if t, ok := p.forges.Transport.(*http.Transport); ok {
		trust = t.TLSClientConfig
	}
	(&notices.Teller{
		Rows: p.scheduler, Show: show, Config: cfg, Secret: config.Secret.Resolve,
		Sender: &notify.Sender{Transport: p.forges.Transport, TLS: trust},
	}).Use(p.scheduler.Outbox())
}
