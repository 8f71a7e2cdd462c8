package daemon

import (
	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/daemon/webhooks"
	"github.com/runner-ci/runner/server"
)

// keepWebhooks makes the keeper of webhooks, which needs a place for their secrets. Call it before the HTTP face is made.
func (p *parts) keepWebhooks(cfg func() *config.Config) error {
	client, err := trusting(cfg())
	if err != nil {
		return err
	}
	p.webhooks = webhooks.New(webhooks.Options{
		Rows: p.scheduler, Vault: p.secrets, Client: client, Logger: p.log, URL: func() string { return cfg().URL },
	})
	return nil
}

// webhookOptions lets the server ask for webhooks, and for the secrets that they are signed with.
func (p *parts) webhookOptions(o *server.Options) {
	if p.webhooks != nil {
		o.Webhooks, o.Secret = p.webhooks, p.webhooks.Secret
	}
}
