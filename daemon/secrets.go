package daemon

import (
	"log/slog"

	"github.com/runner-ci/runner/config"
	"github.com/runner-ci/runner/secrets"
)

func secretOptions(cfg *config.Config, l layout, log *slog.Logger) secrets.Options {
	return secrets.Options{Path: l.secrets(), Data: l.data, Key: secrets.FindKey(cfg.Secrets.KeyFile), Logger: log}
}

// openSecrets opens the secret store, which makes no file before there is a secret, and lets builds ask it.
func (p *parts) openSecrets(cfg *config.Config) error {
	path := p.layout.secrets()
	if err := sound(path, always); err != nil {
		return err
	}
	return guarded(path, func() (err error) {
		if p.secrets, err = secrets.Open(secretOptions(cfg, p.layout, p.log)); err != nil {
			return err
		}
		p.scheduler.UseVault(p.secrets)
		return nil
	})
}
